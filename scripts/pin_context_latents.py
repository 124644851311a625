"""Pin latents of one sparse autoencoder to a value while the model reads and writes."""

from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    device = job.device
    from scripts.monosem.evaluation.documents import to_json
    from scripts.monosem.evaluation.interventions.context_latents import pin_context_latents

    result = pin_context_latents(
        job.folder("model"),
        job.folder("tokens"),
        Path(job.input.tokenizer),
        job.folder("sae"),
        artefacts.read_json(job.input.contexts),
        job.params.interventions,
        job.params.seed,
        device,
    )
    artefacts.write_json(to_json(result), job.output.interventions)


if __name__ == "__main__":
    run(main, snakemake)
