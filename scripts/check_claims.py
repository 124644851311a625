"""Judge the published claims: a verdict on each, with the numbers of this run and of the controls."""

from pathlib import Path

import yaml

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run, say
from scripts.monosem.reporting import claims
from scripts.monosem.reporting.values import Values


def main(job: Job) -> None:
    published = yaml.safe_load(Path(job.input.claims).read_text(encoding="utf-8"))
    verdicts = claims.check_claims(published, Values(artefacts.read_json(job.input.metrics), job.params.roles))
    artefacts.write_json(verdicts, job.output.claims)
    say(", ".join(f"{number} {verdict}" for verdict, number in verdicts["counts"].items()))


if __name__ == "__main__":
    run(main, snakemake)
