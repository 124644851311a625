"""Draw the family of figures about language models: training curves and held-out losses."""

from pathlib import Path

from scripts.monosem.core import artefacts, job
from scripts.monosem.figures import language_models, style


def main(curves: list[str], trainings: list[str], headline: str, figures: dict[str, str]) -> None:
    """`curves` are training.jsonl files, `trainings` training.json files, each in its model's folder."""
    learnt = {Path(path).parent.name: artefacts.read_jsonl(path) for path in curves}
    scores = {Path(path).parent.name: artefacts.read_json(path).get("scores") for path in trainings}
    scores = {name: found for name, found in scores.items() if found}
    references = {name: scores[headline][name]["nats_per_token"] for name in language_models.NGRAMS}
    style.save_figure(language_models.training_curves(learnt, references), figures["training-curves"])
    style.save_figure(language_models.losses(scores), figures["losses"])


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        curves=snakemake.input.curves,
        trainings=snakemake.input.trainings,
        headline=snakemake.params.headline["model"],
        figures={Path(svg).stem: svg.removesuffix(".svg") for svg in snakemake.output.svg},
    )
