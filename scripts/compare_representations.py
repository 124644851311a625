"""Analyse one model's activations on held-out text: tokens, similarity, layers, and chosen texts."""

from pathlib import Path

import yaml

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import keep_freed_memory, pick_device
from scripts.monosem.evaluation.representations.compare import compare_representations


def main(
    model: Path, tokens: Path, tokenizer: Path, saes: list[Path], peers: list[Path], words: str, analysis: dict,
    seed: int, device: str, documents: dict[str, str], path_to_arrays: str,
) -> None:  # fmt: skip
    """`model`, `tokens` and the members of `saes` and `peers` are folders; `documents` says where each part goes."""
    keep_freed_memory()
    groups = yaml.safe_load(Path(words).read_text(encoding="utf-8"))
    parts, arrays = compare_representations(
        model, tokens, tokenizer, saes, peers, analysis, groups, seed, pick_device(device)
    )
    artefacts.save_npz(path_to_arrays, **arrays)
    for part, path in documents.items():
        artefacts.write_json(parts[part], path)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        model=Path(snakemake.input.model).parent,
        tokens=Path(snakemake.input.tokens).parent,
        tokenizer=Path(snakemake.input.tokenizer),
        saes=[Path(path).parent for path in snakemake.input.get("saes", [])],
        peers=[Path(path).parent for path in snakemake.input.get("peers", [])],
        words=snakemake.input.words,
        analysis=snakemake.params.analysis,
        seed=snakemake.params.seed,
        device=snakemake.params.device,
        documents={part: snakemake.output[part] for part in ("tokens", "similarity", "layers")},
        path_to_arrays=snakemake.output.arrays,
    )
