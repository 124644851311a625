"""Work of a job, and the time that it takes on a machine.

Time is in units of the machine's product rate (float32, 4096 × 512 × 4096, one core), because that is what differs most
from machine to machine and what can be measured in a second; what no product bounds is in seconds of a reference core.
"""

from dataclasses import dataclass, fields

REFERENCE_FLOPS_PER_S = 62e9
"""Product rate of the core on which the coefficients were measured: AMD EPYC, AVX2, other work beside it."""
NARROW = 1.4
"""Time of a product whose inner side is 128, in multiples of one of 512 with as many FLOPs (44 of 62 GFLOP/s)."""
BFLOAT16 = 0.45
"""The same of a large product in bfloat16, on a processor with AVX-512 bf16 instructions: chosen after the rates in
docs/speed.md, not yet compared with a run there."""
PYTHON_BYTES = 3e8
"""Memory of Snakemake itself."""
NARROW_BELOW = 256
"""Inner sides up to here count as narrow."""


@dataclass(frozen=True)
class Machine:
    """Speed and size of a machine."""

    cores: int
    """Cores that jobs may use."""
    flops_per_s: float
    """Product rate of one core while the others are idle."""
    all_flops_per_s: float
    """Product rate of all cores together."""
    slowness: float = 1.0
    """Time of interpreter, imports and passes over arrays, in multiples of the reference core's."""
    bfloat16: bool = False
    """True where products in bfloat16 are fast, and `precision: auto` takes them."""

    @property
    def core_flops_per_s(self) -> float:
        """Product rate of one core while all are busy."""
        return min(self.flops_per_s, self.all_flops_per_s / self.cores)


REFERENCE = Machine(2, REFERENCE_FLOPS_PER_S, 2 * REFERENCE_FLOPS_PER_S)
"""The machine of the coefficients."""
SLOW = Machine(1, 20e9, 20e9, slowness=3.0)
"""A core on which hardly any machine is slower: what time limits of batch systems are made for."""


@dataclass(frozen=True)
class Work:
    """Work of one job on one core, its memory, and what it leaves on disk."""

    products: float = 0.0
    """FLOPs of large matrix products, times what the steps around them cost."""
    low: float = 0.0
    """Of `products`, those that are in bfloat16 where that is fast."""
    narrow: float = 0.0
    """FLOPs of products with an inner side of at most 256."""
    passes: float = 0.0
    """Compiled loops and passes over arrays, which memory bounds, as FLOPs of a product that takes as long."""
    interpreter_s: float = 0.0
    """Start of Python, imports, and steps of Python on the reference core."""
    memory_bytes: float = 0.0
    """Peak resident memory."""
    disk_bytes: float = 0.0
    """Size of the outputs."""

    def __add__(self, other: "Work") -> "Work":
        """Both, one after the other: times and disk add up, memory is the larger one."""
        total = {each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)}
        return Work(**(total | {"memory_bytes": max(self.memory_bytes, other.memory_bytes)}))

    def seconds(self, machine: Machine) -> float:
        """Core-seconds on a machine all of whose cores are busy; a job of one thread takes as long."""
        low = self.low * (1 - BFLOAT16) if machine.bfloat16 else 0.0
        product_s = (self.products - low + NARROW * self.narrow) / machine.core_flops_per_s
        other_s = self.interpreter_s + self.passes / REFERENCE_FLOPS_PER_S
        return product_s + machine.slowness * other_s


def product(flops: float, inner: int) -> Work:
    """Work of matrix products, narrow or large by their inner side."""
    return Work(narrow=flops) if inner <= NARROW_BELOW else Work(products=flops)
