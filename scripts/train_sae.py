"""Train one sparse autoencoder on stored activations: its weights and its training curve."""

import os
from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, Progress, run, say


def main(job: Job) -> None:
    # before torch: its idle threads leave the cores to the compiled loops
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # AuxK's products have another shape at every step, and each kept kernel takes a megabyte
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    device = job.device
    from scripts.monosem.activations.store import open_activations
    from scripts.monosem.sae import saelens
    from scripts.monosem.sae.config import from_params
    from scripts.monosem.sae.training import loop

    activations, config = open_activations(job.folder("activations")), from_params(job.params.train)
    model, site, name = (job.wildcards[key] for key in ("model", "site", "run"))
    weights, summary = loop.train(
        activations,
        config,
        job.params.seed,
        Path("results/checkpoints/sae", model, site, f"{name}.safetensors"),
        job.output.curve,
        progress=Progress(config.steps * config.batch_size, "vectors").update,
        data_identity=artefacts.sha256(job.input.activations),
        device=device,
        say=say,
    )
    cfg = saelens.saelens_cfg(config, summary, activations.manifest, **job.wildcards)
    saelens.save_sae(weights, cfg, job.output.weights, job.output.cfg)
    artefacts.write_json(summary, job.output.summary)
    say(f"{summary['vectors_per_s']:,.0f} vectors/s, {summary['epochs']:.2f} epochs, final {summary['final']}")


if __name__ == "__main__":
    run(main, snakemake)
