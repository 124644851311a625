"""The order in which rows are read: a seeded global shuffle, a pure function of the seed and the step."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int, Integer

from scripts.monosem.core.runtime import derive_seed


def _epoch(n_rows: int, seed: int, epoch: int) -> Integer[np.ndarray, " {n_rows}"]:
    dtype = np.uint32 if n_rows < 2**32 else np.uint64
    order = np.arange(n_rows, dtype=dtype)
    np.random.default_rng(derive_seed(seed, "epoch", epoch)).shuffle(order)
    return order


def batches(n_rows: int, size: int, seed: int, first: int, count: int) -> Iterator[Int[np.ndarray, " size"]]:
    """Indices of the batches first … count − 1.

    Every row comes once per epoch, each epoch in an order of its own; a batch may span two epochs. Starting at `first`
    gives the same batches as starting at 0 and skipping.
    """
    order, epoch = None, -1
    for step in range(first, count):
        position, parts = step * size, []
        while position < (step + 1) * size:
            if position // n_rows != epoch:
                epoch = position // n_rows
                order = _epoch(n_rows, seed, epoch)
            start = position - epoch * n_rows
            part = order[start : start + (step + 1) * size - position]
            parts.append(part)
            position += len(part)
        yield np.concatenate(parts).astype(np.int64)
