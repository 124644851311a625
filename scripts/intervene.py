"""Hold latents of one sparse autoencoder at a value while the model reads and writes."""
# ruff: noqa: F821

from pathlib import Path

from scripts.monosem import io, joblog
from scripts.monosem.analysis.intervention_report import intervene
from scripts.monosem.runtime import keep_freed_memory, pick_device


def main(
    model: Path, tokens: Path, tokenizer: Path, sae: Path, contexts: str, interventions: dict, seed: int, device: str,
    path_to_interventions: str,
) -> None:  # fmt: skip
    """`model`, `tokens` and `sae` are folders."""
    keep_freed_memory()
    found = intervene(model, tokens, tokenizer, sae, io.read_json(contexts), interventions, seed, pick_device(device))
    io.write_json(found, path_to_interventions)


if __name__ == "__main__":
    joblog.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
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
