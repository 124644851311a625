"""Store the activations of one site of one model, and of those read in the same pass, over the train split."""
# ruff: noqa: F821

from pathlib import Path

from scripts.monosem import io, joblog, passes


def main(
    model: Path, tokens: Path, site: str, together: list[str], read_elsewhere: bool, activations: dict, seed: int,
    device: str, folder: Path,
) -> None:  # fmt: skip
    """`model`, `tokens` and `folder` are folders; `activations` holds the fields of `Extraction` and the context."""
    identity = {
        "model": model.name,
        "model_sha256": io.sha256(model / "model.safetensors"),
        "tokens_sha256": io.sha256(tokens / "manifest.json"),
        "tokens_split": "train",
        "seed": seed,
    }
    if read_elsewhere and passes.take(folder, identity):
        return
    from scripts.monosem.checkpoints import device_of
    from scripts.monosem.extracting import extract_sites
    from scripts.monosem.extraction import Extraction
    from scripts.monosem.runtime import keep_freed_memory, pick_device
    from scripts.monosem.tokens import load_tokens

    keep_freed_memory()
    params = dict(activations)
    context = params.pop("context")
    folders = {name: folder.with_name(name) for name in (site, *together)}
    stream, device = load_tokens(tokens, "train"), pick_device(device_of(model, device))
    extract_sites(model, folders, stream, context, Extraction(**params), seed, identity, device)
    for name in together:
        passes.hold_back(folders[name])


if __name__ == "__main__":
    joblog.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
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
