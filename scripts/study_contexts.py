"""Case studies of one autoencoder: natural and planted contexts, beside controls and what the token alone tells."""

from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    device = job.device
    from scripts.monosem.evaluation.cases.run import study
    from scripts.monosem.evaluation.documents import to_json

    control = job.folder("control_model")
    cases = study(
        job.folder("model"),
        job.folder("sae"),
        None if control is None else (control, job.folder("control_sae")),
        job.folder("tokens"),
        Path(job.input.tokenizer),
        job.params.tokens,
        job.params.bootstrap,
        job.params.seed,
        device,
    )
    artefacts.write_json(to_json(cases), job.output.cases)


if __name__ == "__main__":
    run(main, snakemake)
