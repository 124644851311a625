"""Run one experiment of the toy chapter: one dict of parameters in, numbers and arrays out."""

import importlib

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.declaration import from_params
from scripts.monosem.core.runtime import keep_freed_memory, pick_device
from scripts.monosem.toy.settings import CONFIGS
from scripts.monosem.workflow import outputs_toy


def main(toy: dict, seed: int, device: str, result: str, arrays: str) -> None:
    """`toy` holds the experiment's kind and parameters."""
    parameters = {key: value for key, value in toy.items() if key != "kind"}
    keep_freed_memory()
    experiment = importlib.import_module(f"scripts.monosem.toy.experiments.{outputs_toy.stem(toy['kind'])}")
    config = from_params(CONFIGS[toy["kind"]], parameters, toy["kind"])
    described, stored = experiment.run(config, seed, pick_device(device))
    artefacts.save_npz(arrays, **stored)
    artefacts.write_json({"kind": toy["kind"], "parameters": parameters, "seed": seed, **described}, result)
    rules = described["acceptance"]
    missed = [name for name, rule in rules.items() if not rule["pass"]]
    job.say(f"{len(rules) - len(missed)} of {len(rules)} rules hold" + "".join(f"; missed: {n}" for n in missed))


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        snakemake.params.toy,
        snakemake.params.seed,
        snakemake.params.device,
        snakemake.output.result,
        snakemake.output.arrays,
    )
