"""Put a pretrained sparse autoencoder where trained ones lie: read, folded, checked against its model, labelled."""

from pathlib import Path

from scripts.monosem.core import artefacts, job


def main(pretrained: dict, model_weights: str, reading: dict, names: dict[str, str], outputs: dict[str, str]) -> None:
    """`pretrained` holds what is configured, and the folder that was found when the workflow was parsed."""
    from scripts.monosem.sae import import_pretrained, saelens

    folder = Path(pretrained["folder"])
    cfg, tensors, summary = import_pretrained.adopt(folder, pretrained, artefacts.sha256(model_weights), reading, names)
    saelens.save_sae(tensors, cfg, outputs["weights"], outputs["cfg"])
    artefacts.write_json(summary, outputs["summary"])
    job.say(f"{cfg['architecture']} with {cfg['d_sae']:,} latents, trained elsewhere ({summary['format']})")


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        snakemake.params.pretrained,
        snakemake.input.model,
        snakemake.params.reading,
        dict(snakemake.wildcards),
        {name: str(path) for name, path in snakemake.output.items()},
    )
