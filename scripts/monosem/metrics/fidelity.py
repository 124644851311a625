"""Every formula of the evaluation, once.

Streaming metrics are sums of per-token terms in float64; numerators and denominators are pooled over all tokens and
divided once, last. A mean of per-batch ratios would depend on how the tokens were batched. Keys are SAEBench's
(Karvonen et al. 2025, `evals/core/eval_output.py`).
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

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


def ratio(numerator: float, denominator: float) -> float | None:
    """Numerator over denominator, None where the denominator is zero: not defined, rather than a made-up number."""
    return None if denominator == 0 else float(numerator / denominator)


# --- reconstruction -------------------------------------------------------------------------------------------------


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
        "squared_norm_out": square_out,
        "dot": dot,
        "norm_in": norm_in,
        "norm_out": norm_out,
        "norm_ratio": norm_out / norm_in.clamp_min(tiny),
        "cosine": dot / (norm_in * norm_out).clamp_min(tiny),
        "legacy": 1 - error / centred.clamp_min(tiny),
    }


def explained_variance(totals: Totals, drift: Float[np.ndarray, " d"]) -> float | None:
    """Pooled R²: 1 − Σ‖x−x̂‖² / Σ‖x−x̄‖², with x̄ the per-dimension mean of the evaluated tokens.

    Args:
        totals: sums of `reconstruction_terms`.
        drift: Σ (x − centre) per dimension. Σ‖x−x̄‖² = Σ‖x−centre‖² − ‖Σ(x−centre)‖²/n, which is exact for any centre
            and loses no digits for one near the mean.
    """
    variance = totals["squared_deviation"] - float(np.square(drift).sum()) / totals["n"]
    return None if variance <= 0 else float(1 - totals["squared_error"] / variance)


def explained_variance_of(x: Float[Tensor, "n d"], reconstruction: Float[Tensor, "n d"]) -> float:
    """The same of vectors that are all at hand; sums are float64."""
    error = (reconstruction - x).double().square().sum()
    return (1.0 - error / (x - x.mean(0)).double().square().sum()).item()


def reconstruction_metrics(totals: Totals, drift: Float[np.ndarray, " d"]) -> dict[str, float | None]:
    """Reconstruction, shrinkage and error metrics from pooled sums, keyed as SAEBench."""
    n = totals["n"]
    return {
        "explained_variance": explained_variance(totals, drift),
        "explained_variance_legacy": float(totals["legacy"] / n),
        "mse": float(totals["squared_error"] / n),
        "cossim": float(totals["cosine"] / n),
        "l2_norm_in": float(totals["norm_in"] / n),
        "l2_norm_out": float(totals["norm_out"] / n),
        "l2_ratio": float(totals["norm_ratio"] / n),
        "relative_reconstruction_bias": ratio(totals["squared_norm_out"], totals["dot"]),
    }


# --- loss and divergence --------------------------------------------------------------------------------------------


def ce_loss_score(clean, replaced, zero):
    """Share of the loss recovered: (zero − replaced) / (zero − clean) of mean losses; numbers or arrays.

    None (for numbers) where ablation costs nothing, so that nothing can be recovered.
    """
    if np.ndim(zero) == 0:
        return ratio(zero - replaced, zero - clean)
    return (zero - replaced) / (zero - clean)


def kl_div_score(replaced: float, zero: float) -> float | None:
    """Share of the divergence avoided: (KL_zero − KL) / KL_zero."""
    return ratio(zero - replaced, zero)


# --- sparsity -------------------------------------------------------------------------------------------------------


def sparsity_terms(
    values: Float[np.ndarray, " nnz"], rows: Int[np.ndarray, " nnz"], n_rows: int
) -> dict[str, Float[np.ndarray, " n_rows"]]:
    """Per-token L0 (count of latents > 0) and L1 of sparse latents; `rows` says which token each value belongs to."""
    return {
        "l0": np.bincount(rows[values > 0], minlength=n_rows).astype(np.float64),
        "l1": np.bincount(rows, weights=values, minlength=n_rows),
    }


def density_metrics(counts: Int[np.ndarray, " d_sae"], n_tokens: int) -> dict[str, float | None]:
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


def max_cosines(directions: Float[Tensor, "n d"], chunk: int = 1024) -> Float[Tensor, " n"]:
    """Each direction's largest cosine with another one."""
    unit = torch.nn.functional.normalize(directions, dim=-1)
    best = []
    for start in range(0, len(unit), chunk):
        cosine = unit[start : start + chunk] @ unit.T
        rows = torch.arange(len(cosine), device=cosine.device)
        cosine[rows, start + rows] = -1.0
        best.append(cosine.amax(-1))
    return torch.cat(best)


def distribution_entropy(weights: Float[np.ndarray, "... n"]) -> Float[np.ndarray, "..."]:
    """Entropy in nats of weights ≥ 0, normalised along the last axis; NaN where all are zero.

    With weights = a unit's activation summed per token this is Heap et al. 2025's token-distribution entropy: 0 for a
    unit of one token, log(n) for one that treats n tokens alike.
    """
    weights = np.asarray(weights, dtype=np.float64)
    total = weights.sum(-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = weights / total
        return np.where(total[..., 0] > 0, -np.where(p > 0, p * np.log(p), 0.0).sum(-1), np.nan)


# --- one unit against a label ---------------------------------------------------------------------------------------


def precision_recall_f1(predicted: Bool[np.ndarray, " n"], label: Bool[np.ndarray, " n"]) -> dict[str, float | None]:
    """Precision, recall and F1 of a yes/no prediction; precision is None if nothing is predicted."""
    hits, n_predicted, n_label = int((predicted & label).sum()), int(predicted.sum()), int(label.sum())
    return {
        "precision": ratio(hits, n_predicted),
        "recall": ratio(hits, n_label),
        "f1": ratio(2 * hits, n_predicted + n_label),
    }


def best_threshold(values: Float[np.ndarray, " n"], label: Bool[np.ndarray, " n"]) -> float | None:
    """The smallest positive value t for which `values >= t` has the highest F1; None if no value is positive."""
    positive = values > 0
    if not positive.any():
        return None
    order = np.argsort(-values[positive], kind="stable")
    ranked, hits = values[positive][order], np.cumsum(label[positive][order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + label.sum())
    last_of_its_value = np.append(ranked[1:] != ranked[:-1], True)
    f1 = np.where(last_of_its_value, f1, -1.0)
    return float(ranked[len(f1) - 1 - int(np.argmax(f1[::-1]))])


def pearson_from_sums(n: float, sum_x, sum_y, sum_xx, sum_yy, sum_xy) -> Float[np.ndarray, "..."]:
    """Pearson correlation from float64 sums, broadcasting; 0 where a variable is constant."""
    covariance = sum_xy - sum_x * sum_y / n
    spread = np.sqrt(np.maximum(sum_xx - np.square(sum_x) / n, 0) * np.maximum(sum_yy - np.square(sum_y) / n, 0))
    return np.where(spread > 0, covariance / np.where(spread > 0, spread, 1.0), 0.0)


def pearson(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> float:
    """Pearson correlation of two columns in float64."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    x, y = x - x.mean(), y - y.mean()
    return float(pearson_from_sums(len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y))


# --- uncertainty ----------------------------------------------------------------------------------------------------


def bootstrap_totals(
    sums: Mapping[str, Float[np.ndarray, " documents"]], resamplings: int, seed: int
) -> dict[str, Float[np.ndarray, " resamplings"]]:
    """Totals of per-document sums when documents are drawn with replacement, the same draw for every column.

    Tokens of one document are not independent, so documents are the unit; a ratio is formed from the totals afterwards.
    """
    columns = np.stack([np.asarray(column, np.float64) for column in sums.values()], axis=1)
    n_documents = len(columns)
    random = np.random.default_rng(seed)
    totals = np.empty((resamplings, columns.shape[1]))
    for row in range(resamplings):
        drawn = np.bincount(random.integers(n_documents, size=n_documents), minlength=n_documents)
        totals[row] = drawn @ columns
    return dict(zip(sums, totals.T, strict=True))


def interval(samples: Float[np.ndarray, " resamplings"], level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of bootstrap samples."""
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
