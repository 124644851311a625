"""Pin a latent or neuron that the configuration names while a model reads and writes."""

from pathlib import Path

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import pick_device
from scripts.monosem.evaluation.interventions.single_unit import pin_unit
from scripts.monosem.models.model_folder import device_of


def main(
    model: Path,
    tokens: Path,
    tokenizer: Path,
    sae: Path | None,
    intervention: dict,
    seed: int,
    device: str,
    target: str,
) -> None:
    """`model`, `tokens` and `sae` are folders; without `sae` a neuron is pinned."""
    result = pin_unit(model, tokens, tokenizer, sae, intervention, seed, pick_device(device_of(model, device)))
    artefacts.write_json(result, target)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        model=Path(snakemake.input.model).parent,
        tokens=Path(snakemake.input.tokens).parent,
        tokenizer=Path(snakemake.input.tokenizer),
        sae=next((Path(path).parent for path in snakemake.input.get("sae", [])), None),
        intervention=snakemake.params.intervention,
        seed=snakemake.params.seed,
        device=snakemake.params.device,
        target=snakemake.output.intervention,
    )
