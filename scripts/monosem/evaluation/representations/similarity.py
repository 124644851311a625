"""Cosine similarity of tokens by layer: same context, same token elsewhere, same position, words of similar meaning.

Vectors of a language model all point somewhat the same way, so that two unrelated tokens have a cosine well above 0
(Ethayarajh 2019). That anisotropy is measured on pairs of different tokens from different windows, and subtracted.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Integer

from scripts.monosem.evaluation.representations.site_activations import SiteActivations
from scripts.monosem.metrics import regression, representations

PAIRS = 4000  # per kind of pair
PAIRS_PER_TYPE = 3

CONVENTIONS = {
    "anisotropy": "mean cosine of two different tokens from different windows",
    "same_context": "mean cosine of two different tokens of one window, less anisotropy",
    "same_token": "mean cosine of two occurrences of a token in different windows, every token type counting alike, "
    "less anisotropy",
    "same_position": "mean cosine of two different tokens at the same place of different windows, less anisotropy",
    "permuted": "the same after token ids, windows and places have been permuted against the vectors",
    "positions": "the first position of a window and <|endoftext|> are in no pair",
    "interval": "mean -/+ 1.96 standard errors over pairs (over token types for same_token)",
}


def _different(
    rng: np.random.Generator,
    window: Integer[np.ndarray, " n"],
    token: Integer[np.ndarray, " n"],
    together: Integer[np.ndarray, " n"] | None,
) -> Integer[np.ndarray, "2 pairs"]:
    """Random pairs of different tokens, from different windows, or (given `together`) of equal value in it."""
    n = len(window)
    if together is None:
        pairs = rng.integers(n, size=(2, 2 * PAIRS))
        good = window[pairs[0]] != window[pairs[1]]
    else:
        order = np.argsort(together, kind="stable")
        first = np.searchsorted(together[order], together[order], side="left")
        size = np.searchsorted(together[order], together[order], side="right") - first
        left = rng.integers(n, size=2 * PAIRS)
        right = first[left] + (rng.random(2 * PAIRS) * size[left]).astype(int)
        pairs = order[np.stack([left, right])]
        good = np.ones(2 * PAIRS, bool)
    good &= token[pairs[0]] != token[pairs[1]]
    return pairs[:, good][:, :PAIRS]


def _same_token(
    rng: np.random.Generator, window: Integer[np.ndarray, " n"], token: Integer[np.ndarray, " n"]
) -> tuple[Integer[np.ndarray, "2 pairs"], Integer[np.ndarray, " pairs"]]:
    """A few pairs of occurrences in different windows of every token that has them, and the token of each pair."""
    order = np.argsort(token, kind="stable")
    types, first, size = np.unique(token[order], return_index=True, return_counts=True)
    tries = np.repeat(np.flatnonzero(size > 1), PAIRS_PER_TYPE)
    left, right = (order[first[tries] + (rng.random(len(tries)) * size[tries]).astype(int)] for _ in range(2))
    good = window[left] != window[right]
    return np.stack([left, right])[:, good], types[tries][good]


def draw_pairs(
    rng: np.random.Generator,
    window: Integer[np.ndarray, " n"],
    place: Integer[np.ndarray, " n"],
    token: Integer[np.ndarray, " n"],
) -> dict[str, tuple[Integer[np.ndarray, "2 _"], Integer[np.ndarray, " _"] | None]]:
    """Pairs of rows of each kind, and the token type of each where types are the unit."""
    return {
        "anisotropy": (_different(rng, window, token, None), None),
        "same_context": (_different(rng, window, token, window), None),
        "same_position": (_different(rng, window, token, place), None),
        "same_token": _same_token(rng, window, token),
    }


def _mean(
    cosines: Float[np.ndarray, " pairs"], unit: Integer[np.ndarray, " pairs"] | None
) -> tuple[float | None, float | None]:
    """Mean and its standard error; over units, if they are given."""
    if unit is not None:
        _, group = np.unique(unit, return_inverse=True)
        cosines = np.bincount(group, cosines) / np.bincount(group)
    if len(cosines) < 2:
        return None, None
    return float(cosines.mean()), float(cosines.std(ddof=1) / np.sqrt(len(cosines)))


def of_pairs(
    rows: Float[np.ndarray, "n d"],
    pairs: Mapping[str, tuple[Integer[np.ndarray, "2 _"], Integer[np.ndarray, " _"] | None]],
) -> dict[str, float | None]:
    """Anisotropy, and every other kind of pair less it, with intervals."""
    result: dict[str, float | None] = {}
    base = 0.0
    for kind, (both, unit) in pairs.items():
        mean, error = _mean(representations.cosines(rows[both[0]], rows[both[1]]), unit)
        if kind == "anisotropy":
            base = mean or 0.0
            result[kind] = mean
        else:
            result[kind] = None if mean is None else mean - base
            result[f"{kind}_low"] = None if mean is None else mean - base - 1.96 * error
            result[f"{kind}_high"] = None if mean is None else mean - base + 1.96 * error
    return result


def by_layer(activations: SiteActivations, sites: list[str], seed: int) -> dict[str, dict[str, Any]]:
    """Similarities at every site, on the same pairs, and with everything permuted."""
    rng = np.random.default_rng(seed)
    window, token, place = activations.window_of_row(), activations.token_of_row(), np.nonzero(activations.kept)[1]
    pairs = draw_pairs(rng, window, place, token)
    permuted = draw_pairs(rng, *(rng.permutation(column) for column in (window, place, token)))
    result = {}
    for site in sites:
        rows = activations.rows(site)
        result[site] = of_pairs(rows, pairs) | {"permuted": of_pairs(rows, permuted)}
    return result


def position(
    activations: SiteActivations, site: str, seed: int
) -> tuple[dict[str, float], Float[np.ndarray, " context"]]:
    """Position read off linearly, on windows that the regression has not seen.

    Returns: R² with and without the first position, and with positions permuted within the fitted half; predicted
    positions averaged over held-out windows, NaN for the first.
    """
    rng = np.random.default_rng(seed)
    x, kept = activations.by_site[site], activations.kept
    context = x.shape[1]
    order = rng.permutation(len(x))
    fitted, fresh = order[: len(x) // 2], order[len(x) // 2 :]
    place = np.broadcast_to(np.arange(context, dtype=np.float64), kept.shape)

    def predict(
        keep: Bool[np.ndarray, "windows context"], permuted: bool = False
    ) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
        """True and predicted positions of the held-out windows."""
        truth = place[fitted][keep[fitted]]
        truth = rng.permutation(truth) if permuted else truth
        predicted = regression.ridge_predictions(x[fitted][keep[fitted]], truth, x[fresh][keep[fresh]])
        return place[fresh][keep[fresh]], predicted

    with_first = kept.copy()
    with_first[:, 0] = True
    truth, predicted = predict(kept)
    index = truth.astype(int)
    count = np.bincount(index, minlength=context)
    mean = np.divide(np.bincount(index, predicted, context), count, out=np.full(context, np.nan), where=count > 0)
    return {
        "position_r2": regression.r_squared(truth, predicted),
        "position_r2_with_first": regression.r_squared(*predict(with_first)),
        "position_r2_permuted": regression.r_squared(*predict(kept, permuted=True)),
        "position_error": float(np.abs(truth - predicted).mean()),
    }, mean


def norms_by_position(activations: SiteActivations, site: str) -> Float[np.ndarray, " context"]:
    """Mean norm at each place of a window."""
    return np.linalg.norm(activations.by_site[site].astype(np.float64), axis=-1).mean(0)


def similarity_by_position(activations: SiteActivations, site: str) -> Float[np.ndarray, " context"]:
    """Mean cosine of all pairs of windows at each place; tokens may be the same."""
    x = activations.by_site[site].astype(np.float64)
    unit = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
    n = len(x)
    return (np.square(unit.sum(0)).sum(-1) - n) / (n * (n - 1))
