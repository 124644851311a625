"""Draw the family of figures about fidelity: frontier, baselines, densities, training of the autoencoders."""

from pathlib import Path

import numpy as np

from scripts.monosem.core import artefacts, job
from scripts.monosem.evaluation.fidelity.document import drawn_alone
from scripts.monosem.figures import fidelity, fidelity_by_layer, frontier, latent_density, sae_training, style, sweeps

MEASURES = {
    "explained_variance": "variance explained",
    "l0": "L0 (active latents per token)",
    "dead_share": "share of dead latents",
}


def main(
    results: list[str], densities: str, curves: list[str], headline: dict[str, str], deep: str, figures: dict[str, str]
) -> None:
    """`results` are the fidelity.json of all sites; `densities` and `curves` belong to the headline's site.

    `deep` is the model whose layers are compared.
    """
    documents = [artefacts.read_json(path) for path in results]
    here = next(d for d in documents if (d["model"], d["site"]) == (headline["model"], headline["site"]))
    arrays = np.load(densities)
    run, names = headline["run"], drawn_alone(here)
    lines = {Path(path).parent.name: artefacts.read_jsonl(path) for path in curves}
    drawn = {
        "frontier": frontier.frontier(frontier.points(here)),
        "baselines": fidelity.baselines(fidelity.bars(here, run)),
        "sites": fidelity.sites(documents),
        "layers": fidelity_by_layer.layers([d for d in documents if d["model"] == deep]),
        "density": latent_density.density({name: arrays[f"{name}.density"] for name in names}, int(arrays["n_tokens"])),
        "density-bias-cosine": latent_density.density_bias_cosine(
            *(arrays[f"{run}.{key}"] for key in ("density", "encoder_bias", "encoder_decoder_cosine_sim")), run
        ),
        "training": sae_training.training_curves({name: lines[name] for name in names if name in lines}, MEASURES),
        "shrinkage": sweeps.shrinkage({name: here["runs"][name] for name in names}),
    }
    for name, path in figures.items():
        style.save_figure(drawn[name], path)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        results=snakemake.input.results,
        densities=snakemake.input.densities,
        curves=snakemake.input.curves,
        headline=snakemake.params.headline,
        deep=snakemake.params.deep,
        figures={Path(svg).stem: svg.removesuffix(".svg") for svg in snakemake.output.svg},
    )
