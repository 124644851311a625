"""Import a pretrained sparse autoencoder: read, folded, checked against its model, labelled."""

from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run, say


def main(job: Job) -> None:
    from scripts.monosem.sae import import_pretrained, saelens

    pretrained, manifest = job.params.pretrained, artefacts.read_json(job.input.activations)
    reading = {**job.params.reading, "norm_limit": manifest.get("norm_limit")}
    cfg, tensors, summary = import_pretrained.import_pretrained(
        Path(pretrained["folder"]), pretrained, artefacts.sha256(job.input.model), reading, job.wildcards
    )
    saelens.save_sae(tensors, cfg, job.output.weights, job.output.cfg)
    artefacts.write_json(summary, job.output.summary)
    say(f"{cfg['architecture']} with {cfg['d_sae']:,} latents, pretrained ({summary['format']})")


if __name__ == "__main__":
    run(main, snakemake)
