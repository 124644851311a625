"""Find latents of one sparse autoencoder that tell sets of prompts from the baseline."""

from pathlib import Path

import yaml

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import pick_device
from scripts.monosem.evaluation.prompts.prompt_sets import compare_sets


def main(
    model: Path, tokenizer: Path, sae: Path, sets: dict[str, str], prompts: dict, seed: int, device: str,
    path_to_prompts: str, path_to_arrays: str,
) -> None:  # fmt: skip
    """`model` and `sae` are folders, `sets` are files by name."""
    texts = {name: yaml.safe_load(Path(path).read_text(encoding="utf-8")) for name, path in sets.items()}
    document, arrays = compare_sets(
        model, tokenizer, sae, texts, prompts["baseline"], prompts, seed, pick_device(device)
    )
    artefacts.save_npz(path_to_arrays, **arrays)
    artefacts.write_json(document, path_to_prompts)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        model=Path(snakemake.input.model).parent,
        tokenizer=Path(snakemake.input.tokenizer),
        sae=Path(snakemake.input.sae).parent,
        sets=dict(zip(snakemake.params.sets, snakemake.input.get("sets", []), strict=True)),
        prompts=snakemake.params.prompts,
        seed=snakemake.params.seed,
        device=snakemake.params.device,
        path_to_prompts=snakemake.output.prompts,
        path_to_arrays=snakemake.output.arrays,
    )
