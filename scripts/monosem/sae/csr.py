"""Latents of many rows as one scipy sparse matrix."""

import numpy as np
import torch
from scipy import sparse

from scripts.monosem.sae import model as sae_model
from scripts.monosem.sae.model import Sae

ROWS = 4096  # encoded at once


@torch.inference_mode()
def encode_csr(sae: Sae, rows: np.ndarray) -> sparse.csr_matrix:
    """Latents of every row, sparse [n, d_sae]."""
    parts = [
        sae_model.encode_active(sae, torch.from_numpy(rows[begin : begin + ROWS]).to(sae.W_dec.device))
        for begin in range(0, len(rows), ROWS)
    ]
    codes = sae_model.concatenate(parts)
    values, latents, offsets = (part.cpu().numpy() for part in (codes.values, codes.latents, codes.offsets))
    matrix = sparse.csr_matrix((values.astype(np.float64), latents, offsets), shape=(len(rows), sae.d_sae))
    matrix.eliminate_zeros()
    return matrix
