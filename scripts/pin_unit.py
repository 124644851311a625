"""Pin a latent, or without an autoencoder a neuron, that the configuration names while the model reads and writes."""

from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    device = job.device
    from scripts.monosem.evaluation.documents import to_json
    from scripts.monosem.evaluation.interventions.single_unit import pin_unit

    result = pin_unit(
        job.folder("model"),
        job.folder("tokens"),
        Path(job.input.tokenizer),
        job.folder("sae"),
        job.params.intervention,
        job.params.seed,
        device,
    )
    artefacts.write_json(to_json(result), job.output.intervention)


if __name__ == "__main__":
    run(main, snakemake)
