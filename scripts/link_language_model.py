"""Put a pretrained model that lies on this machine where trained ones lie: checked, hashed, and linked, not copied."""
# ruff: noqa: F821

import shutil
from pathlib import Path

from scripts.monosem import io, joblog


def main(pretrained: dict, outputs) -> None:
    """`pretrained` holds the configured name and the folder found when the workflow was parsed."""
    folder = Path(pretrained["folder"])
    weights = (folder / "model.safetensors").resolve()
    io.load_tensors(weights)  # refuses cut files and NaN by name
    Path(outputs.weights).unlink(missing_ok=True)
    Path(outputs.weights).symlink_to(weights)
    for name in ("config", "tokenizer"):
        shutil.copyfile(folder / Path(getattr(outputs, name)).name, getattr(outputs, name))
    tokenizer_config = folder / "tokenizer_config.json"
    if tokenizer_config.exists():
        shutil.copyfile(tokenizer_config, outputs.tokenizer_config)
    else:
        io.write_json({}, outputs.tokenizer_config)
    io.write_json({"kind": "pretrained", "name": pretrained["name"], "sha256": io.sha256(weights)}, outputs.summary)


if __name__ == "__main__":
    joblog.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(snakemake.params.pretrained, snakemake.output)
