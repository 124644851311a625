"""Score units of one site: are latents easier to explain than neurons?"""

from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    device = job.device
    from scripts.monosem.evaluation.documents import to_json
    from scripts.monosem.evaluation.scores.run import score_units

    control = job.folder("control_model")
    scores, explanations, arrays = score_units(
        job.folder("model"),
        job.folder("tokens"),
        Path(job.input.tokenizer),
        job.folder("sae"),
        Path(job.input.codes),
        (control, job.folder("control_sae"), Path(job.input.control_codes[0])) if control else None,
        (job.folder("judge"), job.params.judge_site),
        job.params.scores,
        job.params.seed,
        device,
    )
    artefacts.save_npz(job.output.arrays, **arrays)
    artefacts.write_json(to_json(explanations), job.output.explanations)
    artefacts.write_json(to_json(scores), job.output.scores)


if __name__ == "__main__":
    run(main, snakemake)
