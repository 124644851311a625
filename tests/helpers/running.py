"""Calls of Snakemake in the tests, and of the scripts of single jobs."""

import os
import sys
from types import SimpleNamespace

from scripts.monosem.core.job import Job

SMOKE = "tests/smoke.yaml"


def command(*words: str, cores: int = 2, configfile: str | None = SMOKE) -> list[str]:
    """A Snakemake command line."""
    # last, because --configfile takes all words that follow it
    given = ["--configfile", configfile] if configfile else []
    return [sys.executable, "-m", "snakemake", "--cores", str(cores), *words, *given]


def environment() -> dict[str, str]:
    """The environment of a user's shell: the limits that the tests set for themselves are not passed on."""
    return {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}


def job(input: dict, output: dict, params: dict | None = None, **rest) -> Job:
    """A job for a script's `main`, as Snakemake would describe it."""
    return Job(*(SimpleNamespace(**names) for names in (input, output, params or {})), **rest)
