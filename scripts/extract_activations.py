"""Store the activations of one site of one model, and of those read in the same pass, over the train split."""

from pathlib import Path

from scripts.monosem.activations import shared_pass
from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run
from scripts.monosem.models import model_folder


def main(job: Job) -> None:
    model, tokens, folder = job.folder("model"), job.folder("tokens"), Path(job.output.activations).parent
    identity = {
        "model": model.name,
        "model_sha256": model_folder.weights_sha256(model),
        "tokens_sha256": artefacts.sha256(tokens / "manifest.json"),
        "tokens_split": "train",
        "seed": job.params.seed,
    }
    if job.input.reader and shared_pass.claim(folder, identity):
        return
    device = job.device
    from scripts.monosem.activations.extract import extract_sites
    from scripts.monosem.activations.run_pass import Extraction
    from scripts.monosem.text.tokens import load_tokens

    params = dict(job.params.activations)
    context = params.pop("context")
    others = {name: shared_pass.waiting_folder(folder.with_name(name)) for name in job.params.together}
    folders = {folder.name: folder, **others}
    stream = load_tokens(tokens, "train")
    extract_sites(model, folders, stream, context, Extraction(**params), job.params.seed, identity, device)


if __name__ == "__main__":
    run(main, snakemake)
