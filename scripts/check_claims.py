"""Judge the published claims: metrics and acceptance rules in, verdicts with our and the controls' numbers out."""

import yaml

from scripts.monosem.core import artefacts, job
from scripts.monosem.reporting import claims
from scripts.monosem.reporting.values import Values


def main(path_to_metrics: str, path_to_claims: str, roles: dict[str, str], path_to_verdicts: str) -> None:
    with open(path_to_claims, encoding="utf-8") as file:
        published = yaml.safe_load(file)
    verdicts = claims.check_claims(published, Values(artefacts.read_json(path_to_metrics), roles))
    artefacts.write_json(verdicts, path_to_verdicts)
    job.say(", ".join(f"{number} {verdict}" for verdict, number in verdicts["counts"].items()))


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        path_to_metrics=snakemake.input.metrics,
        path_to_claims=snakemake.input.claims,
        roles=snakemake.params.roles,
        path_to_verdicts=snakemake.output.claims,
    )
