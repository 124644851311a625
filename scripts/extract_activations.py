"""Store the activations of one site of one model over the train split."""
# ruff: noqa: F821

from pathlib import Path

from scripts.monosem import io, joblog
from scripts.monosem.checkpoints import device_of
from scripts.monosem.extracting import extract_sites
from scripts.monosem.extraction import Extraction
from scripts.monosem.runtime import pick_device
from scripts.monosem.tokens import load_tokens


def main(model: Path, tokens: Path, site: str, activations: dict, seed: int, device: str, folder: Path) -> None:
    """`model`, `tokens` and `folder` are folders; `activations` holds the fields of `Extraction` and the context."""
    params = dict(activations)
    context = params.pop("context")
    identity = {
        "model": model.name,
        "model_sha256": io.sha256(model / "model.safetensors"),
        "tokens_sha256": io.sha256(tokens / "manifest.json"),
        "tokens_split": "train",
        "seed": seed,
    }
    stream = load_tokens(tokens, "train")
    device = pick_device(device_of(model, device))
    extract_sites(model, {site: folder}, stream, context, Extraction(**params), seed, identity, device)


if __name__ == "__main__":
    joblog.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        model=Path(snakemake.input.config).parent,
        tokens=Path(snakemake.input.tokens).parent,
        site=snakemake.wildcards.site,
        activations=snakemake.params.activations,
        seed=snakemake.params.seed,
        device=snakemake.params.device,
        folder=Path(snakemake.output.manifest).parent,
    )
