"""One process of the benchmark: trains one contestant in segments, as its standard input tells it.

Commands, one JSON object a line: {"steps": n}, {"evaluate": true}. Answers likewise.
"""

import contextlib
import importlib
import json
import os
import resource
import sys
import time
from pathlib import Path


def start_of_peak() -> float:
    """Forget the peak so far where the system can; resident memory in MB."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak_memory()


def peak_memory() -> float:
    """The process's largest resident memory since `start_of_peak`, in MB."""
    try:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(status["VmHWM"].split()[0]) / 1024
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 1024)


def main(spec: dict) -> None:
    """Serve commands until standard input closes."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes elsewhere
    import numpy as np
    import torch

    from tests.bench import contestants

    torch.set_num_threads(spec.pop("threads"))
    folder, tf32 = spec.pop("data"), spec["precision"] == "tf32"
    if tf32:
        torch.set_float32_matmul_precision("high")
    task = contestants.Task(**{**spec, "precision": "float32" if tf32 else spec["precision"]})
    train, test = (np.load(f"{folder}/{name}.npy", mmap_mode="r") for name in ("train", "test"))
    order = np.random.default_rng(0).permutation(len(train))
    cuda = task.device.startswith("cuda")

    def batch(step: int) -> torch.Tensor:
        rows = order[np.arange(step * task.batch, (step + 1) * task.batch) % len(order)]
        return torch.from_numpy(train[np.sort(rows)]).float().to(task.device)

    importlib.import_module(
        {"sae_lens": "sae_lens", "dictionary_learning": "dictionary_learning.trainers"}.get(
            task.who, "scripts.monosem.sae.training.loop"
        )
    )  # libraries are no part of a run's memory
    sample = torch.from_numpy(np.array(train[:16_384])).float()
    before = start_of_peak()
    contestant = contestants.start(task, sample)
    done = 0
    for line in sys.stdin:
        command = json.loads(line)
        if "steps" in command:
            batches = [batch(done + i) for i in range(command["steps"])]  # none of the contestants' own work
            began = time.perf_counter()
            for x in batches:
                contestant.step(x)
            if cuda:
                torch.cuda.synchronize()
            seconds = time.perf_counter() - began
            done += len(batches)
            memory = torch.cuda.max_memory_allocated() / 2**20 if cuda else peak_memory() - before
            answer = {"seconds": seconds, "steps": len(batches), "memory_mb": memory}
        else:
            error = power = total = active = mass = 0.0
            mean = torch.zeros(task.d_in, dtype=torch.float64)
            with torch.no_grad():
                for start in range(0, len(test), 2048):
                    x = torch.from_numpy(np.array(test[start : start + 2048])).float().to(task.device)
                    f, back = contestant.reconstruct(x)
                    active += float((f > 0).sum())
                    mass += float(f.double().sum())
                    error += float((x - back).double().square().sum())
                    power += float(x.double().square().sum())
                    mean += x.double().sum(0).cpu()
                    total += len(x)
            variance = power - float((mean / total).square().sum()) * total
            answer = {"explained_variance": 1 - error / variance, "l0": active / total}
            if task.architecture == "relu":
                answer["loss"] = (error + task.l1 * mass) / total
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
