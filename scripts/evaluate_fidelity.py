"""Evaluate all sparse autoencoders of one site on held-out text, beside ablations and baselines at equal L0."""

from pathlib import Path

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import keep_freed_memory, pick_device
from scripts.monosem.evaluation.fidelity import site
from scripts.monosem.models.model_folder import device_of


def main(
    model: Path, tokens: Path, activations: Path, saes: list[Path], control: Path | None, neighbour: Path | None,
    evaluation: dict, seed: int, device: str, path_to_fidelity: str, path_to_densities: str,
) -> None:  # fmt: skip
    """`model`, `tokens`, `activations`, the members of `saes`, `control` and `neighbour` are folders."""
    keep_freed_memory()
    result, densities = site.evaluate_site(
        model, tokens, activations, saes, control, evaluation, seed, pick_device(device_of(model, device)), neighbour
    )
    artefacts.save_npz(path_to_densities, **densities)
    artefacts.write_json(result, path_to_fidelity)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        model=Path(snakemake.input.model).parent,
        tokens=Path(snakemake.input.tokens).parent,
        activations=Path(snakemake.input.activations).parent,
        saes=[Path(path).parent for path in snakemake.input.get("saes", [])],
        control=next((Path(path).parent for path in snakemake.input.get("control", [])), None),
        neighbour=next((Path(path).parent for path in snakemake.input.get("neighbour", [])), None),
        evaluation=snakemake.params.evaluation,
        seed=snakemake.params.seed,
        device=snakemake.params.device,
        path_to_fidelity=snakemake.output.fidelity,
        path_to_densities=snakemake.output.densities,
    )
