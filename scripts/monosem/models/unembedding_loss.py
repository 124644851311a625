"""Cross-entropy over a vocabulary and its gradient, without a [tokens, vocabulary] matrix.

    L = −1/N Σ_n log p_n[t_n],  p = softmax(H Wᵀ),  ∂L/∂H = (p − 1_t) W / N,  ∂L/∂W = (p − 1_t)ᵀ H / N

The gradient is made in the forward pass, while the probabilities of a chunk are in the cache, as in cut cross-entropy
(Wijmans et al. 2024). torch's F.linear_cross_entropy does the same and gains nothing from bfloat16 on a CPU: its
softmax is bfloat16 too. Here the three products are, and everything between them is float32.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

ROWS = 256  # tokens whose logits exist at a time; at 64 a step takes a tenth longer


class _MeanNats(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Float[Tensor, "n d_model"],
        embedding: Float[Tensor, "vocab d_model"],
        targets: Int[Tensor, " n"],
        dtype: torch.dtype,
    ) -> Float[Tensor, ""]:
        """The loss; its gradients are kept for `backward`."""
        n, exact = len(hidden), torch.promote_types(hidden.dtype, torch.float32)
        rounded_hidden, rounded = hidden.to(dtype), embedding.to(dtype)
        hidden_grad, embedding_grad = torch.empty_like(hidden), torch.zeros_like(embedding)
        total = hidden.new_zeros((), dtype=exact)
        for first in range(0, n, ROWS):
            rows, target = rounded_hidden[first : first + ROWS], targets[first : first + ROWS, None]
            p = torch.softmax(rows @ rounded.T, -1, dtype=exact)
            total -= p.gather(1, target).clamp_min_(torch.finfo(exact).tiny).log_().sum()
            p.scatter_add_(1, target, p.new_full(target.shape, -1.0))
            error = p.to(dtype)
            hidden_grad[first : first + ROWS] = error @ rounded
            embedding_grad += error.T @ rows
        ctx.save_for_backward(hidden_grad.div_(n), embedding_grad.div_(n))
        return total / n

    @staticmethod
    def backward(
        ctx: Any, gradient: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, "n d_model"], Float[Tensor, "vocab d_model"], None, None]:
        """The kept gradients, scaled."""
        hidden_grad, embedding_grad = ctx.saved_tensors
        return gradient * hidden_grad, gradient * embedding_grad, None, None


def mean_nats(
    hidden: Float[Tensor, "n d_model"],
    embedding: Float[Tensor, "vocab d_model"],
    targets: Int[Tensor, " n"],
    precision: str,
) -> Float[Tensor, ""]:
    """Mean cross-entropy in nats, differentiable once; `precision` is that of the products: float32 or bfloat16."""
    return _MeanNats.apply(hidden, embedding, targets, torch.bfloat16 if precision == "bfloat16" else hidden.dtype)
