"""Sweeps: autoencoders that differ in one thing and in their seed, written once in the configuration. No torch.

A sweep in a configuration:

    recipe:
      base: {architecture: relu, d_sae: 1024, …}     # what all have in common
      variants: {published: {}, tied: {tied_decoder: true}}   # overrides; the first one is compared with
      seeds: [0, 1, 2]

stands for the runs recipe-published-seed0, …, recipe-tied-seed2. Runs of one seed see the same vectors in the same
order.
"""

from collections.abc import Iterator, Sequence
from typing import Any

Config = dict[str, Any]
Members = dict[str, list[str]]  # variant -> its runs, in the order of the seeds


def members(name: str, sweep: dict[str, Any]) -> Members:
    """Names of the runs of a sweep."""
    return {variant: [f"{name}-{variant}-seed{seed}" for seed in sweep["seeds"]] for variant in sweep["variants"]}


def declared(config: Config) -> dict[str, dict[str, Any]]:
    """The sweeps of a configuration; null leaves one out."""
    return {name: sweep for name, sweep in config["sae"].get("sweeps", {}).items() if sweep is not None}


def _runs(config: Config) -> Iterator[tuple[str, Config]]:
    """(name, parameters) of the runs of all sweeps."""
    for name, sweep in declared(config).items():
        for variant, runs in members(name, sweep).items():
            for seed, run in zip(sweep["seeds"], runs, strict=True):
                yield run, {**sweep["base"], **(sweep["variants"][variant] or {}), "seed": seed}


def taken_names(config: Config) -> list[str]:
    """Names of runs of sweeps that another run or sweep has already."""
    known = dict(config["sae"]["runs"])
    return [name for name, run in _runs(config) if known.setdefault(name, run) != run]


def expand_(config: Config) -> None:
    """Add the runs of all sweeps to `sae.runs` and to the places that use them; a second time changes nothing."""
    sae, swept = config["sae"], declared(config)
    sae["runs"].update(_runs(config))
    for use in sae["use"]:
        wanted = [
            run
            for name in use.get("sweeps", [])
            if name in swept
            for runs in members(name, swept[name]).values()
            for run in runs
        ]
        use["runs"] = list(dict.fromkeys([*use["runs"], *wanted]))


def sparsities(config: Config) -> dict[str, list[str]]:
    """Sweep -> its variants that differ from the base in their sparsity alone; one of them has the base as it is."""
    knobs = {"l1_coefficient", "l0_coefficient", "k"}
    return {
        name: [variant for variant, changes in sweep["variants"].items() if set(changes or {}) <= knobs]
        for name, sweep in declared(config).items()
    }


def trained(config: Config, runs: Sequence[str]) -> dict[str, Members]:
    """The sweeps all of whose runs are among `runs`."""
    declared_sweeps = {name: members(name, sweep) for name, sweep in declared(config).items()}
    return {
        name: variants
        for name, variants in declared_sweeps.items()
        if all(set(each) <= set(runs) for each in variants.values())
    }
