"""Activations that the contestants of the benchmark train on: those of a finished run, or synthetic ones."""

from pathlib import Path

import numpy as np
import torch

from scripts.monosem.activations.store import open_activations
from scripts.monosem.sae.kernels import select, sparse

HELD_OUT = 16_384


def write(folder: Path, d_in: int, n: int, results: Path = Path("results")) -> str:
    """Write train.npy [n, d_in] and test.npy, float16, scaled to E‖x‖² = d_in; returns what they are."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [open_activations(path.parent) for path in results.glob("activations/*/*/manifest.json")]
    for stored in sorted(found, key=lambda stored: (-stored.n_tokens, str(stored.folder))):
        if stored.d_in == d_in and stored.n_tokens >= n + HELD_OUT:
            rows = np.random.default_rng(0).permutation(stored.n_tokens)[: n + HELD_OUT]
            x = stored.gather(rows)
            origin = f"activations of {stored.folder.parent.name} at {stored.folder.name}"
            break
    else:
        x, origin = sparse_mixtures(n + HELD_OUT, d_in), "synthetic sparse mixtures"
    x *= (d_in / x.square().sum(1).mean()) ** 0.5
    np.save(folder / "train.npy", x[:n].half().numpy())
    np.save(folder / "test.npy", x[n:].half().numpy())
    return origin


def sparse_mixtures(n: int, d_in: int, active: int = 40, features: int = 8192, seed: int = 0) -> torch.Tensor:
    """Non-negative sums of about `active` of 8,192 unit features, whose frequencies follow Zipf's law, and noise."""
    g = torch.Generator().manual_seed(seed)
    dictionary = torch.randn(features, d_in, generator=g)
    dictionary /= dictionary.norm(dim=1, keepdim=True)
    frequency = 1 / torch.arange(10, features + 10)
    latents = torch.multinomial(frequency, n * active, replacement=True, generator=g)
    values = 0.3 + torch.empty(n * active).exponential_(generator=g)
    codes = select.codes_of(values.view(n, active), latents.view(n, active))
    return sparse.decode(codes, dictionary) + 0.02 * torch.randn(n, d_in, generator=g)
