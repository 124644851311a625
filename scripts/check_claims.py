"""Judge the published claims: a verdict on each, with the numbers of this run and of the controls."""

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run, say
from scripts.monosem.evaluation.documents import to_json
from scripts.monosem.reporting.ledger import claims, judge
from scripts.monosem.reporting.values import Values


def main(job: Job) -> None:
    values = Values(artefacts.read_json(job.input.metrics), job.params.roles)
    ledger = judge.check_claims(claims.ALL, values, job.params.stand_ins)
    artefacts.write_json(to_json(ledger), job.output.claims)
    say(", ".join(f"{number} {verdict}" for verdict, number in ledger.counts.items()))


if __name__ == "__main__":
    run(main, snakemake)
