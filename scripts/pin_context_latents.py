"""Pin latents of one sparse autoencoder to a value while the model reads and writes."""

from pathlib import Path

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import keep_freed_memory, pick_device
from scripts.monosem.evaluation.interventions.context_latents import pin_context_latents


def main(
    model: Path, tokens: Path, tokenizer: Path, sae: Path, contexts: str, interventions: dict, seed: int, device: str,
    path_to_interventions: str,
) -> None:  # fmt: skip
    """`model`, `tokens` and `sae` are folders."""
    keep_freed_memory()
    result = pin_context_latents(
        model, tokens, tokenizer, sae, artefacts.read_json(contexts), interventions, seed, pick_device(device)
    )
    artefacts.write_json(result, path_to_interventions)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        model=Path(snakemake.input.model).parent,
        tokens=Path(snakemake.input.tokens).parent,
        tokenizer=Path(snakemake.input.tokenizer),
        sae=Path(snakemake.input.sae).parent,
        contexts=snakemake.input.contexts,
        interventions=snakemake.params.interventions,
        seed=snakemake.params.seed,
        device=snakemake.params.device,
        path_to_interventions=snakemake.output.interventions,
    )
