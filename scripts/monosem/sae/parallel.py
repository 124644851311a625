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


def over_rows(work: Callable[[int, int], None], n: int, grain: int | None = None) -> None:
    """Call work(first, last) for consecutive ranges that cover 0 … n − 1: of `grain` rows, or one per thread.

    Where what `work` computes depends on its range, `grain` keeps the result independent of the number of threads.
    """
    threads = torch.get_num_threads()
    if threads == 1 and grain is None:
        work(0, n)
        return
    grain = grain or max(1, -(-n // threads))
    ranges = [(first, min(first + grain, n)) for first in range(0, n, grain)]
    threads = min(threads, len(ranges))

    def share(mine: list[tuple[int, int]]) -> None:
        for first, last in mine:
            work(first, last)

    if threads <= 1:
        share(ranges)
        return
    cuts = [len(ranges) * i // threads for i in range(threads + 1)]
    pool = _pool(torch.get_num_threads())
    for part in [pool.submit(share, ranges[cuts[i] : cuts[i + 1]]) for i in range(threads)]:
        part.result()
