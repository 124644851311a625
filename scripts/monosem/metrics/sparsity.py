"""Sparsity: L0 and L1 per token, densities of latents."""

import numpy as np
from jaxtyping import Float, Integer

from scripts.monosem.metrics.ratio import ratio


def sparsity_terms(
    values: Float[np.ndarray, " nnz"], rows: Integer[np.ndarray, " nnz"], n_rows: int
) -> dict[str, Float[np.ndarray, " n_rows"]]:
    """Per-token L0 (count of latents > 0) and L1 of sparse latents; `rows` says which token each value belongs to."""
    return {
        "l0": np.bincount(rows[values > 0], minlength=n_rows).astype(np.float64),
        "l1": np.bincount(rows, weights=values, minlength=n_rows),
    }


def density_metrics(counts: Integer[np.ndarray, " d_sae"], n_tokens: int) -> dict[str, float | None]:
    """Shares of latents that are alive and over-active; a latent's density is its share of tokens with f > 0."""
    density = np.asarray(counts) / n_tokens
    total = density.sum()
    return {
        "frac_alive": float((density > 0).mean()),
        "freq_over_1_percent": float((density > 0.01).mean()),
        "freq_over_10_percent": float((density > 0.1).mean()),
        "normalized_freq_over_1_percent": ratio(density[density > 0.01].sum(), total),
        "normalized_freq_over_10_percent": ratio(density[density > 0.1].sum(), total),
    }
