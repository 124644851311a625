"""Draw the figures of the sweeps at the headline's site: differences paired by seed, dead latents over training."""

from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run
from scripts.monosem.figures import style, sweeps


def main(job: Job) -> None:
    document = artefacts.read_json(job.input.fidelity)
    curves = {Path(path).parent.name: artefacts.read_jsonl(path) for path in job.input.curves}
    drawn = {
        "ablation": lambda: sweeps.ablation(document),
        "dead-latents": lambda: sweeps.dead_latents(document, curves),
    }
    style.save_figures(drawn, job.output.svg)


if __name__ == "__main__":
    run(main, snakemake)
