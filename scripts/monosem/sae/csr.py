"""Latents of many rows as one scipy sparse matrix."""

import numpy as np
import torch
from scipy import sparse

from scripts.monosem.sae import model as sae_model
from scripts.monosem.sae.kernels.sparse import Codes
from scripts.monosem.sae.model import Sae

ROWS = 4096  # encoded at once


def csr_of(codes: Codes, shape: tuple[int, int]) -> sparse.csr_matrix:
    """The same codes as a scipy matrix [n, d_sae] of float32, in which zeros are entries like others."""
    values, latents, offsets = (part.cpu().numpy() for part in (codes.values, codes.latents, codes.offsets))
    return sparse.csr_matrix((values, latents.astype(np.int32), offsets), shape=shape)


@torch.inference_mode()
def encode_csr(sae: Sae, rows: np.ndarray) -> sparse.csr_matrix:
    """Latents of every row, sparse [n, d_sae]."""
    parts = [
        sae_model.encode_active(sae, torch.from_numpy(rows[begin : begin + ROWS]).to(sae.W_dec.device))
        for begin in range(0, len(rows), ROWS)
    ]
    matrix = csr_of(sae_model.concatenate(parts), (len(rows), sae.d_sae)).astype(np.float64)
    matrix.eliminate_zeros()
    return matrix
