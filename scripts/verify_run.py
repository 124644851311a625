"""Compare a run with the reference run: verdicts, and numbers by class."""

from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run, say
from scripts.monosem.reporting import agreement


def main(job: Job) -> None:
    files = (artefacts.read_json(path) for path in (job.input.metrics, job.input.claims, job.input.environment))
    ours = agreement.summary(*files, job.params.configuration)
    reference = artefacts.read_json(job.params.reference) if Path(job.params.reference).is_file() else None
    outcome = agreement.compare(reference, ours) if reference else None
    document = {"run": ours, "reference": None, "agreement": None, "lines": [f"There is no {job.params.reference}."]}
    if outcome:
        document |= {
            "reference": {"machine": reference["machine"]},
            "agreement": agreement.to_json(outcome),
            "lines": agreement.lines(reference, ours, outcome),
        }
    artefacts.write_json(document, job.output.agreement)
    for line in document["lines"]:
        say(line)


if __name__ == "__main__":
    run(main, snakemake)
