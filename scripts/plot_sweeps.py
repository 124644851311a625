"""Draw the figures about the parts of a recipe: differences paired by seed, dead latents over training."""

from pathlib import Path

from scripts.monosem.core import artefacts, job
from scripts.monosem.figures import style, sweeps


def main(fidelity: str, curves: list[str], figures: dict[str, str]) -> None:
    """`fidelity` and `curves` belong to the headline's site; `figures` maps names to paths without suffix."""
    document = artefacts.read_json(fidelity)
    lines = {Path(path).parent.name: artefacts.read_jsonl(path) for path in curves}
    drawn = {
        "ablation": lambda: sweeps.ablation(document),
        "dead-latents": lambda: sweeps.dead_latents(document, lines),
    }
    for name, path in figures.items():
        style.save_figure(drawn[name](), path)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        snakemake.input.fidelity,
        snakemake.input.curves,
        {Path(svg).stem: svg.removesuffix(".svg") for svg in snakemake.output.svg},
    )
