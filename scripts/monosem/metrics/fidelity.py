"""Fidelity of reconstructions: explained variance, shrinkage, and the share of the loss that is recovered.

Streaming metrics are sums of per-token terms in float64; numerators and denominators are pooled over all tokens and
divided once, last. A mean of per-batch ratios would depend on how the tokens were batched. Keys are SAEBench's
(Karvonen et al. 2025, `evals/core/eval_output.py`).
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from scripts.monosem.metrics.ratio import ratio

Totals = Mapping[str, float | np.ndarray]

CONVENTIONS = {
    "explained_variance": "1 - sum ||x - x_hat||^2 / sum ||x - mean x||^2, pooled over tokens, mean per dimension",
    "explained_variance_legacy": "mean over tokens of 1 - ||x - x_hat||^2 / ||x - c||^2, a mean of ratios; "
    "c = mean of the training activations",
    "mse": "||x - x_hat||^2 summed over dimensions, mean over tokens",
    "cossim": "mean over tokens of cos(x, x_hat)",
    "l2_ratio": "mean over tokens of ||x_hat|| / ||x||",
    "relative_reconstruction_bias": "E||x_hat||^2 / E[x . x_hat] (Rajamanoharan et al. 2024, eq. 10)",
    "l0": "mean over tokens of the number of latents > 0; for baselines, the numbers kept per token",
    "l1": "mean over tokens of the sum of latent activations",
    "frac_alive": "share of latents that are > 0 on at least one evaluated token",
    "ce_loss_score": "(CE_zero - CE_sae) / (CE_zero - CE_clean), mean nats over all scored tokens first, ratio last",
    "ce_loss_score_mean_ablation": "the same with the mean activation in place of zero",
    "ce_increase_nats": "CE_sae - CE_clean",
    "kl_div": "mean over scored tokens of KL(clean || replaced), nats",
    "kl_div_score": "(KL_zero - KL_sae) / KL_zero",
    "interval": "95 % percentile bootstrap over documents, paired between conditions: ratio of resampled sums",
}


def loss_rounding(token_rounding: float, n_tokens: float) -> float:
    """By how much a mean loss may be off: errors of tokens have random signs, and their mean shrinks with √n.

    Args:
        token_rounding: by how much the loss of one token may be off.
    """
    return token_rounding / max(float(n_tokens), 1.0) ** 0.5


def _row_sum(values: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    # MPS has no float64; the pooled sums that follow are float64 everywhere
    return values.sum(-1, dtype=torch.float32 if values.device.type == "mps" else torch.float64)


def reconstruction_terms(
    x: Float[Tensor, "n d"], x_hat: Float[Tensor, "n d"], centre: Float[Tensor, " d"]
) -> dict[str, Float[Tensor, " n"]]:
    """Per-token terms of everything that compares x with x_hat.

    Args:
        centre: any fixed point; the pooled variance is about the exact mean whatever it is (see `explained_variance`).
            `explained_variance_legacy` alone depends on it.
    """
    error = _row_sum((x - x_hat).square())
    square_in, square_out, dot = _row_sum(x.square()), _row_sum(x_hat.square()), _row_sum(x * x_hat)
    centred = _row_sum((x - centre).square())
    norm_in, norm_out = square_in.sqrt(), square_out.sqrt()
    tiny = torch.finfo(error.dtype).tiny
    return {
        "n": torch.ones_like(error),
        "squared_error": error,
        "squared_deviation": centred,
        "squared_norm_in": square_in,
        "squared_norm_out": square_out,
        "dot": dot,
        "norm_in": norm_in,
        "norm_out": norm_out,
        "norm_ratio": torch.where(norm_in > 0, norm_out / norm_in.clamp_min(tiny), 0.0),
        "n_with_length": (norm_in > 0).to(error.dtype),
        "cosine": dot / (norm_in * norm_out).clamp_min(tiny),
        "legacy": torch.where(centred > 0, 1 - error / centred.clamp_min(tiny), 0.0),
        "n_off_centre": (centred > 0).to(error.dtype),
    }


def explained_variance(totals: Totals, drift: Float[np.ndarray, " d"]) -> float | None:
    """Pooled R²: 1 − Σ‖x−x̂‖² / Σ‖x−x̄‖², with x̄ the per-dimension mean of the evaluated tokens.

    None for activations that vary no more than float32 rounds them.

    Args:
        totals: sums of `reconstruction_terms`.
        drift: Σ (x − centre) per dimension. Σ‖x−x̄‖² = Σ‖x−centre‖² − ‖Σ(x−centre)‖²/n, which is exact for any centre
            and loses no digits for one near the mean.
    """
    variance = totals["squared_deviation"] - float(np.square(drift).sum()) / totals["n"]
    rounding = float(np.finfo(np.float32).eps) ** 2 * float(totals["squared_norm_in"])
    unexplained = ratio(totals["squared_error"], max(float(variance), 0.0), rounding)
    return None if unexplained is None else 1 - unexplained


def explained_variance_of(x: Float[Tensor, "n d"], reconstruction: Float[Tensor, "n d"]) -> float:
    """The same of vectors that are all at hand; sums are float64."""
    error = (reconstruction - x).double().square().sum()
    return (1.0 - error / (x - x.mean(0)).double().square().sum()).item()


def reconstruction_metrics(totals: Totals, drift: Float[np.ndarray, " d"]) -> dict[str, float | None]:
    """Reconstruction, shrinkage and error metrics from pooled sums, keyed as SAEBench."""
    n = totals["n"]
    return {
        "explained_variance": explained_variance(totals, drift),
        "explained_variance_legacy": ratio(totals["legacy"], totals["n_off_centre"]),
        "mse": float(totals["squared_error"] / n),
        "cossim": float(totals["cosine"] / n),
        "l2_norm_in": float(totals["norm_in"] / n),
        "l2_norm_out": float(totals["norm_out"] / n),
        "l2_ratio": ratio(totals["norm_ratio"], totals["n_with_length"]),
        "relative_reconstruction_bias": ratio(totals["squared_norm_out"], totals["dot"]),
    }


def ce_loss_score(clean: float, replaced: float, zero: float, rounding: float = 0.0) -> float | None:
    """Share of the loss recovered: (zero − replaced) / (zero − clean) of mean losses.

    None where ablation costs no more than `rounding` (see `loss_rounding`), so that nothing can be recovered.
    """
    return ratio(zero - replaced, zero - clean, rounding)


def kl_div_score(replaced: float, zero: float, rounding: float = 0.0) -> float | None:
    """Share of the divergence avoided: (KL_zero − KL) / KL_zero; None where KL_zero is no more than `rounding`."""
    return ratio(zero - replaced, zero, rounding)
