"""Evaluate all sparse autoencoders of one site on held-out text, beside ablations and baselines at equal L0."""
# ruff: noqa: F821

from pathlib import Path

from scripts.monosem import fidelity_site, io, joblog
from scripts.monosem.checkpoints import device_of
from scripts.monosem.runtime import keep_freed_memory, pick_device


def main(
    model: Path, tokens: Path, activations: Path, saes: list[Path], control: Path | None, neighbour: Path | None,
    evaluation: dict, seed: int, device: str, path_to_fidelity: str, path_to_densities: str,
) -> None:  # fmt: skip
    """`model`, `tokens`, `activations`, the members of `saes`, `control` and `neighbour` are folders."""
    keep_freed_memory()
    result, densities = fidelity_site.evaluate_site(
        model, tokens, activations, saes, control, evaluation, seed, pick_device(device_of(model, device)), neighbour
    )
    io.save_npz(path_to_densities, **densities)
    io.write_json(result, path_to_fidelity)


if __name__ == "__main__":
    joblog.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
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
