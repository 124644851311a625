"""Train one sparse autoencoder: activations and one dict of parameters in, weights and curve out."""
# ruff: noqa: E402

import os
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch: its idle threads leave the cores to compiled.py
# AuxK's products have another shape at every step, and each kept kernel takes a megabyte
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")

from scripts.monosem.core import artefacts, job


def main(manifest_path, train, seed, device, checkpoint, names, outputs):
    """Bind the files of one run to `sae.training.train`."""
    from scripts.monosem.activations.store import open_activations
    from scripts.monosem.core.runtime import pick_device
    from scripts.monosem.sae import saelens
    from scripts.monosem.sae.config import from_params
    from scripts.monosem.sae.training import loop

    activations = open_activations(Path(manifest_path).parent)
    config = from_params(train)
    progress = job.Progress(config.steps * config.batch_size, "vectors")
    weights, summary = loop.train(
        activations,
        config,
        seed,
        checkpoint,
        outputs["curve"],
        progress=progress.update,
        data_identity=artefacts.sha256(manifest_path),
        device=pick_device(device),
        say=job.say,
    )
    cfg = saelens.saelens_cfg(config, summary, activations.manifest, **names)
    saelens.save_sae(weights, cfg, outputs["weights"], outputs["cfg"])
    artefacts.write_json(summary, outputs["summary"])
    job.say(f"{summary['vectors_per_s']:,.0f} vectors/s, {summary['epochs']:.2f} epochs, final {summary['final']}")


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    names = dict(snakemake.wildcards)
    main(
        snakemake.input.activations,
        snakemake.params.train,
        snakemake.params.seed,
        snakemake.params.device,
        Path("results/checkpoints/sae", names["model"], names["site"], f"{names['run']}.safetensors"),
        names,
        {name: str(path) for name, path in snakemake.output.items()},
    )
