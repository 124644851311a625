"""Small data and weights shared by the tests of the sparse autoencoders."""

import torch

from scripts.monosem.sae.parameters import Parameters, unit_rows_
from scripts.monosem.sae.training.checkpoint import TrainingState
from scripts.monosem.sae.training.initialise import Statistics


class Rows:
    """Activations in memory, with the three attributes that training reads."""

    def __init__(self, x, fail_at=None):
        self.x, self.fail_at, self.calls = x, fail_at, 0
        self.n_tokens, self.d_in = x.shape

    def gather(self, indices):
        self.calls += 1
        if self.calls == self.fail_at:
            raise KeyboardInterrupt("killed")
        return self.x[torch.from_numpy(indices)].clone()


def random_parameters(d_in, d_sae, b_enc=0.0, seed=0, dtype=torch.float64, extra=()):
    """Random weights with unit decoder rows and non-zero biases; `extra` names tensors of gated and jumprelu."""
    g = torch.Generator().manual_seed(seed)
    encoder, decoder = (torch.randn(d_sae, d_in, generator=g, dtype=dtype) for _ in range(2))
    encoder *= 0.4
    unit_rows_(decoder)
    bias = 0.1 * torch.randn(d_sae, generator=g, dtype=dtype) + b_enc
    b_dec = 0.2 * torch.randn(d_in, generator=g, dtype=dtype)
    others = {name: 0.3 * torch.randn(d_sae, generator=g, dtype=dtype) for name in sorted(extra)}
    if "threshold" in others:
        others["threshold"] = others["threshold"].abs() + 0.1
    return Parameters(encoder, bias, decoder, b_dec, **others)


def state_of(weights):
    """A training state at step 0 around given weights."""
    since = torch.zeros(len(weights.b_enc), dtype=torch.long)
    return TrainingState(weights, weights.zeros(), weights.zeros(), since, Statistics(1.0, 1.0))


def sparse_mixtures(n, d=32, features=16, probability=0.25, seed=0):
    """x = Σ of the features that are on, each with strength in [0.5, 1.5]; and the unit features."""
    g = torch.Generator().manual_seed(seed)
    dictionary = torch.randn(features, d, generator=g)
    dictionary /= dictionary.norm(dim=1, keepdim=True)
    on = torch.rand(n, features, generator=g) < probability
    return (on * (0.5 + torch.rand(n, features, generator=g))) @ dictionary, dictionary
