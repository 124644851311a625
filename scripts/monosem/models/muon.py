"""Muon (Jordan et al. 2024): momentum whose update is orthogonalised, in float32.

torch.optim.Muon orthogonalises in bfloat16, which on a CPU without bf16 instructions takes longer than the rest of a
small model's step; a test checks that both make the same update within bf16's precision.
"""

import torch
from jaxtyping import Float
from torch import Tensor

MOMENTUM = 0.95
COEFFICIENTS, ITERATIONS = (3.4445, -4.775, 2.0315), 5


def orthogonalise(matrix: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """U S' V^T with singular values S' between about 0.7 and 1.2, by a quintic Newton-Schulz iteration."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


@torch.no_grad()
def step_(
    matrices: list[Float[Tensor, "_ _"]], momenta: list[Float[Tensor, "_ _"]], learning_rate: float, weight_decay: float
) -> None:
    """One step in place on matrices that hold gradients; `momenta` start at zero.

    Updates are scaled by 0.2 sqrt(max(rows, columns)), so that their size is that of AdamW's (Liu et al. 2025).
    """
    for weight, momentum in zip(matrices, momenta, strict=True):
        momentum.lerp_(weight.grad, 1 - MOMENTUM)
        update = orthogonalise(weight.grad.lerp(momentum, MOMENTUM))
        weight.mul_(1 - learning_rate * weight_decay)
        weight.add_(update, alpha=-learning_rate * 0.2 * max(weight.shape) ** 0.5)
