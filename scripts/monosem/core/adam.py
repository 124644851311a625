"""One step of Adam on the weights given, by torch's fused kernel.

torch.optim.Adam does the same, but its constructor imports torch's compiler, which takes longer than some of the toy
experiments. torch.optim.adam.adam is private: a new version of torch may move it.
"""

import torch
from torch import Tensor
from torch.optim.adam import adam

BETAS = (0.9, 0.999)


@torch.no_grad()
def step_(
    weights: list[Tensor],
    gradients: list[Tensor],
    first_moments: list[Tensor],
    second_moments: list[Tensor],
    steps: list[Tensor],
    rate: float,
    epsilon: float,
) -> None:
    """Adam (Kingma & Ba 2015) in place; `steps` holds the number of steps taken for each weight and counts up.

    The fused kernel walks through memory, so gradients that autograd left transposed are put in order.
    """
    ordered = [
        gradient if gradient.stride() == weight.stride() else torch.empty_like(weight).copy_(gradient)
        for weight, gradient in zip(weights, gradients, strict=True)
    ]
    adam(
        weights, ordered, first_moments, second_moments, max_exp_avg_sqs=[], state_steps=steps, fused=True,
        amsgrad=False, beta1=BETAS[0], beta2=BETAS[1], lr=rate, weight_decay=0.0, eps=epsilon, maximize=False,
    )  # fmt: skip
