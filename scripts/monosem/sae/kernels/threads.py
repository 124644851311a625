"""Ranges of rows on as many threads as torch uses."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads in each of which torch uses one thread: products of different rows run side by side."""
    pool = ThreadPoolExecutor(threads, "monosem", initializer=torch.set_num_threads, initargs=(1,))
    list(pool.map(lambda _: None, range(threads)))
    torch.set_num_threads(threads)  # the initialiser changed what this and later threads get
    return pool


def over_rows(work: Callable[[int, int], None], n: int, multiple: int = 1) -> None:
    """Call work(first, last) for consecutive ranges that cover 0 … n − 1, one per thread; cuts are at a `multiple`."""
    threads = torch.get_num_threads()
    units = -(-n // multiple)
    cuts = [min(n, units * i // threads * multiple) for i in range(threads + 1)]
    ranges = [(first, last) for first, last in zip(cuts, cuts[1:], strict=False) if first < last]
    if len(ranges) <= 1:
        for first, last in ranges:
            work(first, last)
        return
    pool = _pool(threads)
    for part in [pool.submit(work, first, last) for first, last in ranges]:
        part.result()
