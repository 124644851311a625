"""Store the activations of one site of one model over the train split."""
# ruff: noqa: F821

from pathlib import Path

from scripts.monosem import io, joblog
from scripts.monosem.activations import Extraction, extract
from scripts.monosem.pretrained import load_model
from scripts.monosem.runtime import pick_device
from scripts.monosem.tokens import load_tokens


def main(model: Path, tokens: Path, site: str, activations: dict, seed: int, device: str, folder: Path) -> None:
    """`model`, `tokens` and `folder` are folders; `activations` holds the fields of `Extraction` and the context."""
    params = dict(activations)
    context = params.pop("context")
    device = pick_device(device)
    identity = {
        "model": model.name,
        "model_sha256": io.sha256(model / "model.safetensors"),
        "tokens_sha256": io.sha256(tokens / "manifest.json"),
        "tokens_split": "train",
        "seed": seed,
    }
    stream = load_tokens(tokens, "train")
    extract(load_model(model, device), site, stream, context, Extraction(**params), folder, seed, identity, device)


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
