"""Draw the figures of the language models: training curves and held-out losses."""

from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run
from scripts.monosem.figures import language_models, style


def main(job: Job) -> None:
    """Curves and summaries are in a folder per model; a pretrained model has neither curve nor scores."""
    learnt = {Path(path).parent.name: artefacts.read_jsonl(path) for path in job.input.curves}
    scores = {Path(path).parent.name: artefacts.read_json(path).get("scores") for path in job.input.trainings}
    scores = {name: of_model for name, of_model in scores.items() if of_model}
    scored = scores.get(job.params.headline["model"]) or next(iter(scores.values()))
    references = {name: scored[name]["nats_per_token"] for name in language_models.NGRAMS}
    drawn = {
        "training-curves": lambda: language_models.training_curves(learnt, references),
        "losses": lambda: language_models.losses(scores),
    }
    style.save_figures(drawn, job.output.svg)


if __name__ == "__main__":
    run(main, snakemake)
