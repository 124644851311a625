"""Run one experiment of the toy chapter: its numbers, graded, and its arrays."""

import importlib

from scripts.monosem.core import artefacts
from scripts.monosem.core.declaration import from_params
from scripts.monosem.core.job import Job, run, say
from scripts.monosem.toy.settings import CONFIGS
from scripts.monosem.workflow import outputs_toy


def main(job: Job) -> None:
    kind, seed, device = job.params.toy["kind"], job.params.seed, job.device
    parameters = {key: value for key, value in job.params.toy.items() if key != "kind"}
    experiment = importlib.import_module(f"scripts.monosem.toy.experiments.{outputs_toy.stem(kind)}")
    described, arrays = experiment.run(from_params(CONFIGS[kind], parameters, kind), seed, device)
    artefacts.save_npz(job.output.arrays, **arrays)
    artefacts.write_json({"kind": kind, "parameters": parameters, "seed": seed, **described}, job.output.result)
    rules = described["acceptance"]
    missed = [name for name, rule in rules.items() if not rule["pass"]]
    say(f"{len(rules) - len(missed)} of {len(rules)} rules hold" + "".join(f"; missed: {name}" for name in missed))


if __name__ == "__main__":
    run(main, snakemake)
