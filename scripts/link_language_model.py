"""Put a pretrained model that lies on this machine where trained ones lie: checked, hashed, and linked, not copied."""

from pathlib import Path

from scripts.monosem.core import artefacts, job
from scripts.monosem.models.link import link


def main(pretrained: dict, weights: Path, summary: str) -> None:
    """`pretrained` holds the configured name, the folder found when the workflow was parsed, and the settings."""
    folder = Path(pretrained["folder"])
    hashes = link(folder, weights.parent, pretrained["settings"])
    revision = folder.name if folder.parent.name == "snapshots" else None
    artefacts.write_json(
        {
            "kind": "pretrained",
            "name": pretrained["name"],
            "revision": revision,
            "sha256": artefacts.sha256(weights),
            "files_sha256": hashes,
            "settings": pretrained["settings"],
        },
        summary,
    )


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(snakemake.params.pretrained, Path(snakemake.output.weights), snakemake.output.summary)
