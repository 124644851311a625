"""Link a pretrained model of this machine into the results: checked, hashed, and not copied."""

from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run
from scripts.monosem.models.link import link


def main(job: Job) -> None:
    pretrained, weights = job.params.pretrained, Path(job.output.weights)
    folder = Path(pretrained["folder"])
    hashes = link(folder, weights.parent, pretrained["settings"])
    summary = {
        "kind": "pretrained",
        "name": pretrained["name"],
        "revision": folder.name if folder.parent.name == "snapshots" else None,
        "sha256": artefacts.sha256(weights),
        "files_sha256": hashes,
        "settings": pretrained["settings"],
    }
    artefacts.write_json(summary, job.output.summary)


if __name__ == "__main__":
    run(main, snakemake)
