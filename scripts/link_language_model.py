"""Import a pretrained model of this machine: a folder is checked, hashed and linked, a GGUF file written out."""

from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run, say
from scripts.monosem.models import gguf
from scripts.monosem.models.link import link


def main(job: Job) -> None:
    pretrained, weights = job.params.pretrained, Path(job.output.weights)
    source, settings = Path(pretrained["source"]), pretrained["settings"]
    summary = {"kind": "pretrained", "name": pretrained["name"], "settings": settings}
    if source.is_file():
        origin = gguf.write_folder(source, weights.parent, settings)
        if origin["rounding"]:
            say(f"{source.name}: {origin['rounding']}")
        summary |= {"revision": None, "files_sha256": {origin["file"]: origin["sha256"]}, "gguf": origin}
    else:
        summary["files_sha256"] = link(source, weights.parent, settings)
        summary["revision"] = source.name if source.parent.name == "snapshots" else None
    artefacts.write_json({**summary, "sha256": artefacts.sha256(weights)}, job.output.summary)


if __name__ == "__main__":
    run(main, snakemake)
