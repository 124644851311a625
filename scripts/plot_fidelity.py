"""Draw the figures of fidelity: frontier, baselines, sites, layers, densities, training of the autoencoders."""

from pathlib import Path

import numpy as np

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run
from scripts.monosem.evaluation.fidelity.document import drawn_alone
from scripts.monosem.figures import (
    fidelity,
    fidelity_by_layer,
    frontier,
    latent_density,
    sae_training,
    style,
    sweeps,
    token_norms,
)

MEASURES = {
    "explained_variance": "variance explained",
    "l0": "L0 (active latents per token)",
    "dead_share": "share of dead latents",
}


def main(job: Job) -> None:
    """Densities and curves are those of the headline's site; `params.deep` is the model whose layers are compared."""
    documents = [artefacts.read_json(path) for path in job.input.results]
    model, site, run_name = (job.params.headline[key] for key in ("model", "site", "run"))
    headline = next(document for document in documents if (document["model"], document["site"]) == (model, site))
    layers = [document for document in documents if document["model"] == job.params.deep]
    arrays, names = np.load(job.input.densities), drawn_alone(headline)
    curves = {Path(path).parent.name: artefacts.read_jsonl(path) for path in job.input.curves}
    densities = {name: arrays[f"{name}.density"] for name in names}
    of_run = (arrays[f"{run_name}.{key}"] for key in ("density", "encoder_bias", "encoder_decoder_cosine_sim"))
    limits = {(document["model"], document["site"]): document["norms"]["limit"] for document in documents}
    norms = [token_norms.panel(*Path(path).parts[-3:-1], np.load(path), limits) for path in job.input.norms]
    drawn = {
        "frontier": lambda: frontier.frontier(frontier.points(headline)),
        "baselines": lambda: fidelity.baselines(headline, run_name),
        "sites": lambda: fidelity.sites(documents),
        "layers": lambda: fidelity_by_layer.layers(layers),
        "density": lambda: latent_density.density(densities, int(arrays["n_tokens"])),
        "density-bias-cosine": lambda: latent_density.density_bias_cosine(*of_run, run_name),
        "training": lambda: sae_training.training_curves({n: curves[n] for n in names if n in curves}, MEASURES),
        "norms": lambda: token_norms.by_position(norms),
        "shrinkage": lambda: sweeps.shrinkage({name: headline["runs"][name] for name in names}),
    }
    style.save_figures(drawn, job.output.svg)


if __name__ == "__main__":
    run(main, snakemake)
