"""Statistics of activations as such: sparsity, kurtosis, outliers, cosines, CKA.

All in float64 on arrays [n, d], a row per token.
"""

import numpy as np
from jaxtyping import Float, Integer

from scripts.monosem.metrics.regression import RIDGE

OUTLIER_FACTOR = 5.0  # times the median rms of a layer's dimensions

CONVENTIONS = {
    "norm": "||x||",
    "hoyer_sparsity": "(sqrt d - ||x||_1 / ||x||_2) / (sqrt d - 1): 0 if entries are equal in size, 1 for one entry",
    "positive_share": "share of the entries of x above 0",
    "excess_kurtosis": "m4 / m2^2 - 3 over the entries of a token about their mean; 0 for a normal distribution",
    "outlier_dimensions": f"those with rms over tokens above {OUTLIER_FACTOR:g} times the median rms of the layer's",
    "outlier_share": "share of sum ||x||^2 that lies in the outlier dimensions",
    "cosine": "x . y / (||x|| ||y||), not centred",
    "linear_cka": "HSIC(XX', YY') / sqrt(HSIC(XX', XX') HSIC(YY', YY')) with the unbiased HSIC of Song et al. 2012: "
    "about 0 for independent rows at any number of dimensions",
    "linear_cka_biased": "the same with centred kernels (Kornblith et al. 2019): above 0 for independent rows",
    "position_r2": "1 - sum (p - p_hat)^2 / sum (p - mean p)^2 on held-out windows; ridge regression, penalty "
    f"{RIDGE:g} times the mean variance of the features",
}


def hoyer_sparsity(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """Hoyer 2004: between 0 (entries of equal size) and 1 (a single entry); NaN for a zero row."""
    x = np.abs(np.asarray(x, np.float64))
    root = np.sqrt(x.shape[1])
    length = np.linalg.norm(x, axis=1)
    ratio = np.divide(x.sum(1), length, out=np.full(len(x), np.nan), where=length > 0)
    return (root - ratio) / (root - 1)


def excess_kurtosis(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """m4 / m2² − 3 of the entries of each row; NaN for a constant row."""
    x = np.asarray(x, np.float64)
    square = np.square(x - x.mean(1, keepdims=True))
    m2, m4 = square.mean(1), np.square(square).mean(1)
    return np.divide(m4, m2**2, out=np.full(len(x), np.nan), where=m2 > 0) - 3


def outlier_dimensions(x: Float[np.ndarray, "n d"]) -> Integer[np.ndarray, " outliers"]:
    """Dimensions whose rms over tokens is above OUTLIER_FACTOR times the median rms, largest first."""
    rms = np.sqrt(np.square(np.asarray(x, np.float64)).mean(0))
    order = np.argsort(-rms, kind="stable")
    return order[rms[order] > OUTLIER_FACTOR * np.median(rms)]


def rotate(x: Float[np.ndarray, "n d"], rng: np.random.Generator) -> Float[np.ndarray, "n d"]:
    """The same rows in a random orthogonal basis: norms and cosines stay, whatever is special about an axis goes."""
    basis, triangle = np.linalg.qr(rng.standard_normal((x.shape[1], x.shape[1])))
    return x @ (basis * np.sign(np.diag(triangle)))


def principal_components(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "d d"]:
    """Orthonormal eigenvectors of the covariance of the rows, a row each, by rising variance."""
    return np.linalg.eigh(np.cov(np.asarray(x, np.float64), rowvar=False))[1].T


def cosines(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """Cosine of each pair of rows; 0 where a row is zero."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    return np.divide((x * y).sum(1), lengths, out=np.zeros(len(x)), where=lengths > 0)


def _unbiased_hsic(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n e"]) -> float:
    """Unbiased HSIC (Song et al. 2012, eq. 5) of linear kernels, from features: nothing of n x n is formed.

    With K = XX' and L = YY', diagonals set to zero: tr KL = |X'Y|² − Σ k_ii l_ii, K1 = X(X'1) − diag K.
    """
    n = len(x)
    diagonal_x, diagonal_y = np.square(x).sum(1), np.square(y).sum(1)
    rows_x, rows_y = x @ x.sum(0) - diagonal_x, y @ y.sum(0) - diagonal_y
    trace = np.square(x.T @ y).sum() - diagonal_x @ diagonal_y
    both = rows_x.sum() * rows_y.sum() / ((n - 1) * (n - 2))
    return float((trace + both - 2 * (rows_x @ rows_y) / (n - 2)) / (n * (n - 3)))


def _biased_hsic(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n e"]) -> float:
    return float(np.square(x.T @ y).sum() / (len(x) - 1) ** 2)


def linear_cka(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n e"], debiased: bool = True) -> float | None:
    """Linear CKA (Kornblith et al. 2019) of two representations of the same n > 3 tokens; None for a constant one.

    The unbiased numerator can be slightly below 0.
    """
    hsic = _unbiased_hsic if debiased else _biased_hsic
    # centring changes no HSIC, and keeps digits
    x, y = (np.asarray(a, np.float64) - np.asarray(a, np.float64).mean(0) for a in (x, y))
    square = hsic(x, x) * hsic(y, y)
    return hsic(x, y) / square**0.5 if square > 0 else None


def cka_matrix(representations: list[Float[np.ndarray, "n _"]], n_left: int | None = None) -> Float[np.ndarray, "a b"]:
    """Debiased linear CKA of every representation with every other; NaN where it is not defined.

    Args:
        n_left: if given, only of the first n_left with the rest: [n_left, a - n_left].
    """
    centred = [np.asarray(x, np.float64) - np.asarray(x, np.float64).mean(0) for x in representations]
    with_itself = [_unbiased_hsic(x, x) for x in centred]

    def entry(a: int, b: int) -> float:
        square = with_itself[a] * with_itself[b]
        return _unbiased_hsic(centred[a], centred[b]) / square**0.5 if square > 0 else np.nan

    if n_left is not None:
        return np.array([[entry(a, b) for b in range(n_left, len(centred))] for a in range(n_left)])
    matrix = np.full((len(centred), len(centred)), np.nan)
    for a in range(len(centred)):
        for b in range(a, len(centred)):
            matrix[a, b] = matrix[b, a] = entry(a, b)
    return matrix
