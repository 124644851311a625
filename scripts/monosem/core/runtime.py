"""Device, precision and memory of a job, and seeds derived by name."""

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
    """Let glibc keep what is freed instead of returning it: a loop over tensors of a few MB runs a quarter faster.

    Larger ones still go back: one small number kept per round would leave a hole in the heap that the next round's
    matrix does not fit into, and the heap would grow by a matrix each time.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", lambda *_: 0)
        mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
        mallopt(-3, 1 << 25)  # M_MMAP_THRESHOLD


def has_fast_bfloat16(device: str) -> bool:
    """True where products in bfloat16 are faster than in float32: CUDA cards that have it, CPUs with AVX-512 bf16.

    On CPUs without these instructions torch emulates them, several times slower than float32.
    """
    import torch

    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def resolve_precision(name: str, device: str) -> str:
    """'auto' -> 'bfloat16' where the device has it, else 'float32'."""
    if name == "auto":
        return "bfloat16" if has_fast_bfloat16(device) else "float32"
    note_cost(name, device)
    return name


def note_cost(dtype: str, device: str) -> None:
    """Print a line about the cost of a dtype that the device has no instructions for."""
    if dtype == "bfloat16" and not has_fast_bfloat16(device):
        print(
            f"{device} has no bfloat16 instructions: half the memory of float32, and several times as long",
            flush=True,
        )


def problem_with_device(device: str) -> str | None:
    """Reason not to compute on a device; None if a probe batch gives the CPU's answers there. Never raises.

    The probe is one attention layer and MLP as models compute them. A CUDA card that is listed may be unusable (driver,
    architecture, no memory). Apple's MPS has given wrong answers without a word: a linear layer of a tensor that is not
    contiguous (torch 2.8), so one is fed here, and attention with a mask (TransformerLens #1178, #1062;
    PyTorch #161640).
    """
    try:
        agrees = _agrees_with_cpu(device)
    except Exception as error:  # a broken driver may raise anything
        return f"{device} failed on a probe batch: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return None if agrees else f"{device} disagrees with the CPU on a probe batch"


def _agrees_with_cpu(device: str) -> bool:
    import torch
    import torch.nn.functional as F

    generator = torch.Generator().manual_seed(0)
    batch, context, heads, width = 3, 40, 4, 16
    d = heads * width
    tokens = torch.randint(0, 100, (batch, context), generator=generator)
    shapes = {"embedding": (100, d), "qkv": (d, 3 * d), "out": (d, d), "up": (4 * d, d), "bias": (4 * d,)}
    parts = {name: torch.randn(shape, generator=generator) / 4 for name, shape in shapes.items()}
    apart = (torch.arange(context) // 15)[:, None] == (torch.arange(context) // 15)

    def probe(where: str) -> torch.Tensor:
        weights = {name: value.to(where) for name, value in parts.items()}
        x = F.embedding(tokens.to(where), weights["embedding"])
        qkv = F.layer_norm(x, (d,)).flatten(0, 1) @ weights["qkv"]
        q, k, v = qkv.view(batch, context, 3, heads, width).permute(2, 0, 3, 1, 4).unbind()
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        mixed = mixed + F.scaled_dot_product_attention(q, k, v, attn_mask=apart.tril().to(where))
        x = x + F.linear(mixed.permute(0, 2, 1, 3).flatten(2), weights["out"])
        turned = F.linear(x.transpose(0, 1), weights["up"], weights["bias"]).transpose(0, 1)
        post = F.gelu(turned, approximate="tanh") + F.relu(turned) + F.silu(turned)
        return torch.cat([post.flatten(), torch.softmax(post, -1).topk(4).values.flatten()]).cpu()

    return bool(torch.allclose(probe("cpu"), probe(device), atol=1e-4, rtol=1e-4))


def matrix_product_rate(rows: int, d_in: int, d_out: int, dtype: str, device: str) -> float:
    """Multiplications and additions per second that a matrix product of this shape reaches here."""
    import time

    import torch

    x, w = (torch.randn(shape, device=device).to(getattr(torch, dtype)) for shape in ((rows, d_in), (d_in, d_out)))
    best = float("inf")
    for _ in range(4):
        began = time.perf_counter()
        float((x @ w)[0, 0])  # waits for the device
        best = min(best, time.perf_counter() - began)
    return 2 * rows * d_in * d_out / best


def free_memory(device: str) -> int | None:
    """Bytes of memory that a device has free; None where it shares that of the machine."""
    import torch

    return torch.cuda.mem_get_info(device)[0] if torch.device(device).type == "cuda" else None


def pick_device(name: str = "auto") -> str:
    """'auto' takes cuda, then mps, each if its probe agrees with the CPU, then cpu; a name is taken if it is there.

    Raises: ValueError for a device that this machine lacks, or that fails its probe.
    """
    import torch

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        for device in (device for device, there in present.items() if there and device != "cpu"):
            problem = problem_with_device(device)
            if problem is None:
                return device
            print(f"{problem}: not using it", flush=True)
        return "cpu"
    if not present.get(name, False):
        there = ", ".join(sorted(key for key, ok in present.items() if ok))
        raise ValueError(f"device: '{name}' is not on this machine (there is: {there}); set device: auto")
    problem = problem_with_device(name) if name != "cpu" else None
    if problem:
        raise ValueError(f"device: {problem}; set device: cpu, or use another torch")
    return name
