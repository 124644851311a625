"""Find latents of one sparse autoencoder that differ between sets of prompts and the baseline set."""

from pathlib import Path

import yaml

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    device = job.device
    from scripts.monosem.evaluation.documents import to_json
    from scripts.monosem.evaluation.prompts.prompt_sets import compare_sets

    document, arrays = compare_sets(
        job.folder("model"),
        Path(job.input.tokenizer),
        job.folder("sae"),
        {name: yaml.safe_load(Path(path).read_text(encoding="utf-8")) for name, path in job.params.sets.items()},
        job.params.prompts["baseline"],
        job.params.prompts,
        job.params.seed,
        device,
    )
    artefacts.save_npz(job.output.arrays, **arrays)
    artefacts.write_json(to_json(document), job.output.prompts)


if __name__ == "__main__":
    run(main, snakemake)
