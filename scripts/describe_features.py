"""Describe the latents that get a page of their own."""

from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    device = job.device
    from scripts.monosem.evaluation.documents import to_json
    from scripts.monosem.evaluation.features.describe import describe_features
    from scripts.monosem.text import natural_rules

    contexts = next((artefacts.read_json(path)["contexts"] for path in job.input.contexts), {})
    cases = next((artefacts.read_json(path)["cases"] for path in job.input.cases), {})
    natural = {
        name: case["subjects"]["latent"]["index"] for name, case in cases.items() if name in natural_rules.CONTEXTS
    }
    features, arrays = describe_features(
        job.folder("model"),
        job.folder("tokens"),
        Path(job.input.tokenizer),
        job.folder("sae"),
        Path(job.input.codes),
        contexts,
        natural,
        job.params.named,
        job.params.seed,
        device,
    )
    artefacts.save_npz(job.output.arrays, **arrays)
    artefacts.write_json(to_json(features), job.output.features)


if __name__ == "__main__":
    run(main, snakemake)
