"""Compare one model's activations on held-out text with those of others: tokens, similarity, layers, chosen texts."""

from pathlib import Path

import yaml

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    device = job.device
    from scripts.monosem.evaluation.representations.compare import compare_representations

    parts, arrays = compare_representations(
        job.folder("model"),
        job.folder("tokens"),
        Path(job.input.tokenizer),
        job.folders("saes"),
        job.folders("peers"),
        job.params.analysis,
        yaml.safe_load(Path(job.params.words).read_text(encoding="utf-8")),
        job.params.seed,
        device,
    )
    artefacts.save_npz(job.output.arrays, **arrays)
    for part in ("tokens", "similarity", "layers"):
        artefacts.write_json(parts[part], getattr(job.output, part))


if __name__ == "__main__":
    run(main, snakemake)
