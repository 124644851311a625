"""One Adam step on all weights, in place, with the unit-norm constraint of the decoder's rows."""

import torch

from scripts.monosem.core import adam
from scripts.monosem.sae import parameters
from scripts.monosem.sae.kernels import numba_loops, sparse
from scripts.monosem.sae.kernels.threads import over_rows
from scripts.monosem.sae.parameters import Parameters

EPSILON = 6.25e-10  # Adam; epsilon as Gao et al. 2024: gradients of rare latents are tiny


def adam_step_(
    weights: Parameters,
    gradients: Parameters,
    first_moment: Parameters,
    second_moment: Parameters,
    step: int,
    rate: float,
    unit_rows: bool = True,
    project: bool = True,
) -> None:
    """Adam (Kingma & Ba 2015) after `step` steps.

    Bricken et al. 2023: with `unit_rows`, the decoder's rows have unit length after; with `project` as well, the part
    of its gradient along the rows is removed before.
    """
    everything = (weights, gradients, first_moment, second_moment)
    if sparse.is_compiled(weights.encoder):
        _compiled_step_(everything, step, rate, unit_rows, unit_rows and project)
        return
    if unit_rows and project:
        parameters.remove_parallel_(gradients.decoder, weights.decoder)
    groups = [list(group.tensors().values()) for group in everything]
    done = torch.tensor(float(step), device=weights.b_dec.device)
    adam.step_(*groups, [done.clone() for _ in groups[0]], rate, EPSILON)
    if unit_rows:
        parameters.unit_rows_(weights.decoder)


def _compiled_step_(everything: tuple[Parameters, ...], step: int, rate: float, unit_rows: bool, project: bool) -> None:
    """One pass over each matrix: its rows stay in the cache from the projection to the renormalisation."""
    beta1, beta2 = adam.BETAS
    scalars = (
        rate / (1 - beta1 ** (step + 1)), beta1, beta2, 1 - beta1, 1 - beta2,
        (1 - beta2 ** (step + 1)) ** -0.5, EPSILON,
    )  # fmt: skip
    for name, weight in everything[0].tensors().items():
        arrays = [group.tensors()[name] for group in everything]
        arrays = [tensor.view(-1, weight.shape[-1]).numpy() for tensor in arrays]
        typed = tuple(arrays[0].dtype.type(scalar) for scalar in scalars)
        options = (project, unit_rows) if name == "decoder" else (False, False)

        def work(first: int, last: int, arrays=arrays, typed=typed, options=options) -> None:
            numba_loops.adam_rows(*arrays, typed, *options, first, last)

        over_rows(work, len(arrays[0]))
