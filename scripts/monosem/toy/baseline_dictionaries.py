"""Dictionaries that a sparse autoencoder must beat: random directions, the raw basis, principal and independent
components."""

import warnings

import numpy as np
from jaxtyping import Float
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning

from scripts.monosem.metrics import representations


def both_signs(directions: Float[np.ndarray, "k d"]) -> Float[np.ndarray, "2*k d"]:
    """Each direction and its opposite: these methods leave the sign open, features do not."""
    return np.concatenate([directions, -directions])


def raw_basis(d: int) -> Float[np.ndarray, "2*{d} {d}"]:
    """± the unit vectors: hidden units taken for features."""
    return both_signs(np.eye(d))


def principal_components(rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "2*d d"]:
    """± the eigenvectors of the covariance."""
    return both_signs(representations.principal_components(rows))


def independent_components(
    rows: Float[np.ndarray, "n d"], seed: int, iterations: int
) -> tuple[Float[np.ndarray, "2*d d"], bool]:
    """± the columns of FastICA's mixing matrix, and whether it converged within `iterations`."""
    ica = FastICA(whiten="unit-variance", max_iter=iterations, tol=1e-3, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ica.fit(rows)
    return both_signs(ica.mixing_.T), bool(ica.n_iter_ < iterations)
