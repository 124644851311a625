"""Interpret one sparse autoencoder: what random latents and neurons fire on, and which of them know the contexts."""

from pathlib import Path

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import keep_freed_memory, pick_device
from scripts.monosem.evaluation.latents.interpret import interpret
from scripts.monosem.models.model_folder import device_of


def main(
    model: Path, tokens: Path, tokenizer: Path, sae: Path, interpretation: dict, seed: int, device: str,
    path_to_interpretation: str, path_to_contexts: str, path_to_histograms: str,
) -> None:  # fmt: skip
    """`model`, `tokens` and `sae` are folders, `tokenizer` is a tokenizer.json."""
    keep_freed_memory()
    units, contexts, histograms = interpret(
        model, tokens, tokenizer, sae, interpretation, seed, pick_device(device_of(model, device))
    )
    artefacts.save_npz(path_to_histograms, **histograms)
    artefacts.write_json(contexts, path_to_contexts)
    artefacts.write_json(units, path_to_interpretation)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        model=Path(snakemake.input.model).parent,
        tokens=Path(snakemake.input.tokens).parent,
        tokenizer=Path(snakemake.input.tokenizer),
        sae=Path(snakemake.input.sae).parent,
        interpretation=snakemake.params.interpretation,
        seed=snakemake.params.seed,
        device=snakemake.params.device,
        path_to_interpretation=snakemake.output.interpretation,
        path_to_contexts=snakemake.output.contexts,
        path_to_histograms=snakemake.output.histograms,
    )
