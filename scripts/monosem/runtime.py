"""Where and how a job computes: device, memory, and seeds derived by name."""

import ctypes
import hashlib
import sys


def derive_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for one purpose of a run, e.g. `derive_seed(0, "sae", "shuffle")`.

    Purposes get independent streams, and adding one never shifts another.
    """
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def keep_freed_memory() -> None:
    """Let glibc keep what is freed instead of returning it: a loop over tensors of a few MB runs a quarter faster."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        for option in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            getattr(libc, "mallopt", lambda *_: 0)(option, 1 << 30)


def mps_agrees() -> bool:
    """Whether a probe batch of the operations we use gives the CPU's answer on Apple's MPS (TransformerLens #1178)."""
    import torch

    generator = torch.Generator().manual_seed(0)
    x, w = torch.randn(64, 128, generator=generator), torch.randn(512, 128, generator=generator)
    bias = torch.randn(512, generator=generator)

    def probe(device: str):
        y = torch.nn.functional.linear(x.to(device), w.to(device), bias.to(device))
        y = torch.nn.functional.layer_norm(torch.relu(y), (512,))
        return torch.softmax(y @ w.to(device), -1).topk(4).values.cpu()

    return bool(torch.allclose(probe("cpu"), probe("mps"), atol=1e-4))


def pick_device(name: str = "auto") -> str:
    """'auto' takes cuda, then mps if its probe agrees with the CPU, then cpu; a name is taken if it is there.

    Raises: ValueError for a device that this machine lacks.
    """
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        if torch.backends.mps.is_available():
            if mps_agrees():
                return "mps"
            print("mps disagrees with the CPU on a probe batch: using the CPU", flush=True)
        return "cpu"
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present.get(name, False):
        there = ", ".join(key for key, ok in present.items() if ok)
        raise ValueError(f"device: '{name}' is not on this machine (there is: {there}); set device: auto")
    return name
