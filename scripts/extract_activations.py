"""Store the activations of one site of one model, and of those read in the same pass, over the train split."""

from pathlib import Path

from scripts.monosem.activations import shared_pass
from scripts.monosem.core import artefacts, job
from scripts.monosem.models import model_folder


def main(
    model: Path, tokens: Path, site: str, together: list[str], read_elsewhere: bool, activations: dict, seed: int,
    device: str, folder: Path,
) -> None:  # fmt: skip
    """`model`, `tokens` and `folder` are folders; `activations` holds the fields of `Extraction` and the context."""
    identity = {
        "model": model.name,
        "model_sha256": model_folder.weights_sha256(model),
        "tokens_sha256": artefacts.sha256(tokens / "manifest.json"),
        "tokens_split": "train",
        "seed": seed,
    }
    if read_elsewhere and shared_pass.claim_manifest(folder, identity):
        return
    from scripts.monosem.activations.extract import extract_sites
    from scripts.monosem.activations.run_pass import Extraction
    from scripts.monosem.core.runtime import keep_freed_memory, pick_device
    from scripts.monosem.text.tokens import load_tokens

    keep_freed_memory()
    params = dict(activations)
    context = params.pop("context")
    folders = {name: folder.with_name(name) for name in (site, *together)}
    stream, device = load_tokens(tokens, "train"), pick_device(model_folder.device_of(model, device))
    extract_sites(model, folders, stream, context, Extraction(**params), seed, identity, device)
    for name in together:
        shared_pass.park_manifest(folders[name])


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        model=Path(snakemake.input.config).parent,
        tokens=Path(snakemake.input.tokens).parent,
        site=snakemake.wildcards.site,
        together=snakemake.params.together,
        read_elsewhere=bool(snakemake.input.reader),
        activations=snakemake.params.activations,
        seed=snakemake.params.seed,
        device=snakemake.params.device,
        folder=Path(snakemake.output.manifest).parent,
    )
