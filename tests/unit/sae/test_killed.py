"""A training process that is killed at any moment goes on to the same bits."""

import json
import subprocess
import sys

import pytest

# One process imports torch; each attempt is a fork of it, so that ten attempts cost one import.
DRIVER = """
import json, os, random, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from scripts.monosem.sae.training import loop
from scripts.monosem.sae.config import from_params
from scripts.monosem.core import artefacts
from tests.helpers.sae_toys import Rows, sparse_mixtures

folder, params = Path(sys.argv[1]), json.loads(sys.argv[2])


def run(place):
    rows = Rows(sparse_mixtures(3000)[0])
    say = lambda text: print(text, file=open(place / "log", "a"))
    weights, summary = loop.train(
        rows, from_params(params), 5, place / "state", place / "curve.jsonl", checkpoint_every_s=0.0, say=say
    )
    curve = [{k: v for k, v in row.items() if k != "seconds"} for row in artefacts.read_jsonl(place / "curve.jsonl")]
    artefacts.write_json({"curve": curve, "resampled": summary["resampled"]}, place / "curve.json")
    artefacts.save_tensors(weights, place / "weights.safetensors")


def attempt(place):
    child = os.fork()
    if child == 0:
        run(place)
        os._exit(0)
    return child


def written(place):
    try:
        return os.stat(place / "state").st_mtime_ns
    except FileNotFoundError:
        return None


for name in ("first", "whole", "killed"):
    (folder / name).mkdir()
run(folder / "first")  # loads the compiled kernels
began = time.perf_counter()
assert os.waitpid(attempt(folder / "whole"), 0)[1] == 0
usual = time.perf_counter() - began
dice, killed, done = random.Random(0), 0, False
while not done:
    before, child, finished = written(folder / "killed"), attempt(folder / "killed"), 0
    while not finished and written(folder / "killed") == before:  # every attempt gets at least one step further
        finished, status = os.waitpid(child, os.WNOHANG)
    if not finished:
        time.sleep(usual * dice.uniform(0.0, 0.15))
        finished, status = os.waitpid(child, os.WNOHANG)
    if not finished:
        os.kill(child, signal.SIGKILL)
        finished, status = os.waitpid(child, 0)
    killed += os.WIFSIGNALED(status)
    done = os.WIFEXITED(status)
    assert not done or os.WEXITSTATUS(status) == 0
print(json.dumps(killed))
"""
SHARED = {"d_sae": 48, "vectors": 120 * 64, "batch_size": 64, "warmup_steps": 3, "precision": "float32"}
RUNS = {
    "relu": {
        "architecture": "relu", "l1_coefficient": 4.0, "learning_rate": 0.02,
        "resample": {"at": [0.2, 0.4, 0.6], "window": 0.05, "inputs": 500}, **SHARED,
    },
    "matryoshka_batchtopk": {
        "architecture": "matryoshka_batchtopk", "k": 3, "aux_k": 8, "dead_after_vectors": 400,
        "learning_rate": 1e-3, **SHARED,
    },
}  # fmt: skip


@pytest.mark.parametrize("params", RUNS.values(), ids=RUNS)
def test_killed_at_random_moments(tmp_path, params):
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, tmp_path, json.dumps(params)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 3
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert (killed / "log").read_text().count("resuming") >= 3
    for name in ("weights.safetensors", "curve.json"):
        assert (whole / name).read_bytes() == (killed / name).read_bytes(), name
    assert not (killed / "state").exists()
