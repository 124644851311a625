"""Statistics of activations per token and layer, with the same vectors in a random basis as control."""

from typing import Any

import numpy as np
from jaxtyping import Float

from scripts.monosem.evaluation.representations.site_activations import SiteActivations
from scripts.monosem.metrics import representations


def of_site(activations: SiteActivations, site: str, rng: np.random.Generator | None) -> dict[str, Any]:
    """Norm, sparsity, kurtosis and outlier dimensions of one site, means over kept tokens.

    Args:
        rng: if given, kurtosis and outliers are also measured after a random rotation. An axis that means nothing to
            the model looks like any other direction, so that both fall to what chance gives.
    """
    rows = activations.rows(site).astype(np.float64)
    squares = np.square(rows).sum(0)
    outliers = representations.outlier_dimensions(rows)
    result = {
        "width": rows.shape[1],
        "norm": float(np.linalg.norm(rows, axis=1).mean()),
        "hoyer_sparsity": float(np.nanmean(representations.hoyer_sparsity(rows))),
        "positive_share": float((rows > 0).mean()),
        "excess_kurtosis": float(np.nanmean(representations.excess_kurtosis(rows))),
        "n_outlier_dimensions": len(outliers),
        "outlier_share": float(squares[outliers].sum() / squares.sum()),
        "outlier_dimensions": outliers[:8].tolist(),
        "largest_rms_over_median": float(np.sqrt(squares.max() / np.median(squares))) if np.median(squares) else None,
    }
    if rng is not None:
        rotated = representations.rotate(rows, rng)
        result["rotated"] = {
            "excess_kurtosis": float(np.nanmean(representations.excess_kurtosis(rotated))),
            "n_outlier_dimensions": len(representations.outlier_dimensions(rotated)),
            "hoyer_sparsity": float(np.nanmean(representations.hoyer_sparsity(rotated))),
        }
    return result


def first_token(activations: SiteActivations, site: str) -> dict[str, float]:
    """Norm at the first and at the second position of a window, over the median norm of all later ones."""
    norms = np.linalg.norm(activations.by_site[site].astype(np.float64), axis=-1)
    usual = float(np.median(norms[:, 2:]))
    return {
        "first_norm_over_median": float(norms[:, 0].mean() / usual),
        "second_norm_over_median": float(norms[:, 1].mean() / usual),
    }


def sample(
    activations: SiteActivations, site: str, rng: np.random.Generator, n: int = 600
) -> dict[str, Float[np.ndarray, " sample"]]:
    """Norm, sparsity and kurtosis of single tokens, for histograms."""
    rows = activations.rows(site)
    rows = rows[rng.permutation(len(rows))[:n]]
    return {
        "norm": np.linalg.norm(rows, axis=1),
        "hoyer_sparsity": representations.hoyer_sparsity(rows),
        "excess_kurtosis": representations.excess_kurtosis(rows),
    }
