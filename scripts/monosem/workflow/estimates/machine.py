"""Rates of this machine, measured in about a second: products of numpy on one core and on all, and a loop of Python."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from scripts.monosem.workflow.estimates.work import REFERENCE, Machine

REFERENCE_LOOP_S = 0.145
"""A million steps of the loop on the reference core."""
ROUNDS = 3
PRODUCT = """
import sys, time
import numpy as np
a, b = np.full((4096, 512), 0.5, np.float32), np.full((512, 4096), 0.5, np.float32)
out = a @ b
times = []
for _ in range(int(sys.argv[1])):
    began = time.perf_counter()
    np.matmul(a, b, out=out)
    times.append(time.perf_counter() - began)
print(2 * 4096 * 512 * 4096 / min(times))
"""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def product_rate(threads: int) -> float:
    """FLOP/s of a float32 product 4096 × 512 × 4096 on as many threads; the best of three. 0.0 if numpy cannot run.

    In a process of its own, because a BLAS takes its number of threads when it is loaded.
    """
    environ = os.environ | dict.fromkeys(THREADS, str(threads))
    done = subprocess.run(
        [sys.executable, "-c", PRODUCT, str(ROUNDS)], env=environ, capture_output=True, text=True, check=False
    )
    try:
        return float(done.stdout)
    except ValueError:
        return 0.0


def loop_seconds() -> float:
    """Time of a million steps of Python; the best of two."""
    times = []
    for _ in range(2):
        began, total = time.perf_counter(), 0
        for number in range(1_000_000):
            total += number * number % 7
        times.append(time.perf_counter() - began)
    return min(times)


def has_fast_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """True where the processor has AVX-512 bf16 instructions, as `precision: auto` asks torch; read without torch."""
    return cpuinfo.is_file() and "avx512_bf16" in cpuinfo.read_text(encoding="utf-8", errors="replace")


def measure(cores: int | None = None) -> Machine:
    """This machine with as many cores (None: all that this process may use)."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1
    cores = max(1, min(cores or there, there))
    alone = product_rate(1) or REFERENCE.flops_per_s
    together = product_rate(cores) if cores > 1 else alone
    return Machine(cores, alone, max(together, alone), loop_seconds() / REFERENCE_LOOP_S, has_fast_bfloat16())
