"""Interpret one sparse autoencoder: top activations of random latents and neurons, and the latents of contexts."""

from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    device = job.device
    from scripts.monosem.evaluation.documents import to_json
    from scripts.monosem.evaluation.latents.interpret import interpret

    units, contexts, histograms = interpret(
        job.folder("model"),
        job.folder("tokens"),
        Path(job.input.tokenizer),
        job.folder("sae"),
        job.params.interpretation,
        job.params.seed,
        device,
    )
    artefacts.save_npz(job.output.histograms, **histograms)
    artefacts.write_json(to_json(contexts), job.output.contexts)
    artefacts.write_json(to_json(units), job.output.interpretation)


if __name__ == "__main__":
    run(main, snakemake)
