"""Muon: its update is nearly orthogonal, and is torch's within bfloat16's precision."""

import pytest
import torch

from scripts.monosem.models import muon


@pytest.mark.parametrize("shape", [(16, 16), (16, 48), (48, 16)])
def test_the_update_keeps_singular_vectors_and_levels_singular_values(shape):
    """Singular vectors stay, singular values go near 1, over three orders of magnitude."""
    generator = torch.Generator().manual_seed(0)
    u, _, vh = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    matrix = u @ torch.diag(torch.logspace(0, -1.5, 16)) @ vh
    rotated = u.T @ muon.orthogonalise(matrix) @ vh.T
    assert rotated.diagonal().min() > 0.6 and rotated.diagonal().max() < 1.3
    assert (rotated - torch.diag(rotated.diagonal())).abs().max() < 1e-3
    assert matrix.norm(dim=0).max() < 0.9 * muon.orthogonalise(matrix).norm(dim=0).max()


def test_same_steps_as_torchs_muon_within_bfloat16():
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(12, 20, generator=generator).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    optimiser = torch.optim.Muon([theirs], lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    momenta = [torch.zeros_like(ours)]
    start = ours.detach().clone()
    for _ in range(5):
        ours.grad = torch.randn(12, 20, generator=generator)
        theirs.grad = ours.grad.clone()
        muon.step_([ours], momenta, 0.02, 0.1)
        optimiser.step()
    moved = (theirs.detach() - start).norm()
    assert moved > 0.1
    assert (ours - theirs).norm() < 0.05 * moved
