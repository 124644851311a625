"""Similarity of layers and models (linear CKA), and latents of one site matched with those of another."""

from typing import Any

import numpy as np
from jaxtyping import Float, Integer
from scipy import sparse

from scripts.monosem.evaluation.representations.site_activations import LEAST_FIRINGS, SiteActivations
from scripts.monosem.metrics import representations
from scripts.monosem.metrics.correlation import pearson_sparse

CKA_ROWS = 4096  # tokens compared: the debiased value does not depend on their number, its spread does

CONVENTIONS = {
    "cka": representations.CONVENTIONS["linear_cka"],
    "shuffled": "rows of one side permuted, so that no token meets itself",
    "matched_latents": "for each latent of one site the latent of another with the highest Pearson correlation on half "
    f"of the windows; the correlation is that on the other half. Latents with at least {LEAST_FIRINGS} firings in each",
    "permuted": "the same with the tokens of the other site permuted",
    "random_dictionary": "the same of dictionaries that were never trained: at each site as many random unit "
    "directions about the mean, and as many of them active per token",
}


def shuffled_cka(
    x: list[Float[np.ndarray, "n _"]], y: list[Float[np.ndarray, "n _"]], seed: int
) -> dict[str, float | None]:
    """CKA of each x with the y in the same place after the rows of y have been permuted; nothing should be left.

    Returns: the largest of the debiased values, and the largest of the biased ones, which number and width raise.
    """
    order = np.random.default_rng(seed).permutation(len(y[0]))
    pairs = [(a, b[order]) for a, b in zip(x, y, strict=True)]
    values = {
        kind: [representations.linear_cka(*pair, debiased=kind == "debiased") for pair in pairs]
        for kind in ("debiased", "biased")
    }
    return {kind: max((v for v in column if v is not None), default=None) for kind, column in values.items()}


def cka_rows(activations: SiteActivations, sites: list[str]) -> list[Float[np.ndarray, "n _"]]:
    """Rows of every site at evenly spaced kept positions, as many as CKA_ROWS."""
    n = int(activations.kept.sum())
    chosen = np.linspace(0, n - 1, min(n, CKA_ROWS)).astype(int)
    return [activations.rows(site)[chosen] for site in sites]


def matched(x: sparse.csr_matrix, y: sparse.csr_matrix, half: Integer[np.ndarray, " n"]) -> Float[np.ndarray, " live"]:
    """Held-out correlation of each live latent of x with the latent of y that fits it best on the other half.

    Args:
        half: 0 for tokens on which the partner is chosen, 1 for those on which it is scored.
    """
    parts = [(x[half == side], y[half == side]) for side in (0, 1)]
    live = np.all([np.asarray((a > 0).sum(0)).ravel() >= LEAST_FIRINGS for a, _ in parts], axis=0)
    candidates = np.all([np.asarray((b > 0).sum(0)).ravel() >= LEAST_FIRINGS for _, b in parts], axis=0)
    if not live.any() or not candidates.any():
        return np.empty(0)
    chosen, scored = (pearson_sparse(a[:, live], b[:, candidates]) for a, b in parts)
    best = chosen.argmax(1)
    return scored[np.arange(len(best)), best]


def summary(correlations: Float[np.ndarray, " live"]) -> dict[str, float | None]:
    """Median, and share above a half; None without latents."""
    if not len(correlations):
        return {"median_correlation": None, "share_above_half": None}
    return {
        "median_correlation": float(np.median(correlations)),
        "share_above_half": float((correlations > 0.5).mean()),
    }


def match_latents(
    codes: dict[str, sparse.csr_matrix], random: dict[str, sparse.csr_matrix], window: Integer[np.ndarray, " n"],
    seed: int,
) -> tuple[dict[str, dict[str, Any]], dict[str, Float[np.ndarray, "2 _"]]]:  # fmt: skip
    """Every ordered pair of sites with an autoencoder: summary, and the correlations behind it.

    Args:
        codes: latents by site.
        random: those of dictionaries that were never trained, at the same sites.
        window: number of each token's window.
    """
    rng = np.random.default_rng(seed)
    half = rng.permutation(window.max() + 1)[window] % 2
    order = rng.permutation(len(window))
    matches, arrays = {}, {}
    for left, x in codes.items():
        for right, y in codes.items():
            if left == right:
                continue
            true = matched(x, y, half)
            control = matched(x, y[order], half)
            if not len(true) or not len(control):
                continue
            name = f"{left}>{right}"
            matches[name] = {
                "n_latents": len(true),
                **summary(true),
                "permuted": summary(control),
                "random_dictionary": summary(matched(random[left], random[right], half)),
            }
            arrays[name] = np.stack([np.sort(true), np.sort(control)])
    return matches, arrays
