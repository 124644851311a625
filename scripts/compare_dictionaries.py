"""Compare whole dictionaries: two seeds, growing widths, and latents that lead to one another."""

from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    device = job.device
    from scripts.monosem.evaluation.dictionaries.compare import compare_dictionaries
    from scripts.monosem.evaluation.dictionaries.world import Place
    from scripts.monosem.evaluation.documents import to_json

    def place(role: str) -> Place | None:
        """Files of the model that plays a role."""
        codes = getattr(job.input, f"{role}_codes")
        return Place(job.folder(f"{role}_model"), job.folder(f"{role}_sae"), Path(codes[0])) if codes else None

    contexts = artefacts.read_json(job.input.contexts[0])["contexts"] if job.input.contexts else {}
    documents, arrays = compare_dictionaries(
        place("model"),
        place("second"),
        place("control"),
        dict(zip(map(Path, job.input.narrower_codes), job.folders("narrower"), strict=True)),
        job.folder("tokens"),
        Path(job.input.tokenizer),
        {name: row["latent"]["index"] for name, row in contexts.items()},
        job.params.parts,
        job.params.tokens,
        job.params.seed,
        device,
    )
    artefacts.save_npz(job.output.arrays, **arrays)
    for part, document in documents.items():
        artefacts.write_json(to_json(document), getattr(job.output, part))


if __name__ == "__main__":
    run(main, snakemake)
