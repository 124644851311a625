"""Compare whole dictionaries: two seeds, growing widths, and latents that lead to one another."""

from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    device = job.device
    from scripts.monosem.evaluation.dictionaries.compare import compare_dictionaries
    from scripts.monosem.evaluation.documents import to_json

    def place(name: str) -> tuple[Path, Path] | None:
        """Folders of a model and its dictionary."""
        model = job.folder(f"{name}_model")
        return model and (model, job.folder(f"{name}_sae"))

    contexts = artefacts.read_json(job.input.contexts[0])["contexts"] if job.input.contexts else {}
    documents, arrays = compare_dictionaries(
        (job.folder("model"), job.folder("sae")),
        place("second"),
        place("control"),
        job.folders("narrower"),
        job.folder("tokens"),
        Path(job.input.tokenizer),
        {name: row["latent"]["index"] for name, row in contexts.items()},
        job.params.dictionaries,
        job.params.seed,
        device,
    )
    artefacts.save_npz(job.output.arrays, **arrays)
    for part, document in documents.items():
        artefacts.write_json(to_json(document), getattr(job.output, part))


if __name__ == "__main__":
    run(main, snakemake)
