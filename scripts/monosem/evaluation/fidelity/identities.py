"""Identities that hold by definition when activations are replaced, asserted through the code of the results."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scripts.monosem.evaluation.fidelity.baselines import sae_reconstructor
from scripts.monosem.evaluation.fidelity.batch import Batch, losses
from scripts.monosem.evaluation.fidelity.document import Identities
from scripts.monosem.metrics import fidelity
from scripts.monosem.metrics.ratio import ratio
from scripts.monosem.models.sites import Site
from scripts.monosem.sae.model import Sae

ROUNDINGS = 64
"""float32 epsilons by which the loss of a token may be off; measured on one-layer models: about 1."""
SLACK = 8
"""Times that by which an identity may be missed in float32; with 30 blocks a quarter of one was seen."""
SIGMAS = 8
"""Root mean squares of the measured rounding by which the loss of a token may be off in a coarser dtype."""
WINDOWS = 8  # on which they are asserted, before anything else: what breaks an identity, breaks it anywhere


class IdentityViolated(RuntimeError):
    """Something that holds by definition does not hold in this run: its numbers cannot be trusted."""


def measured_rounding(model: nn.Module, site: Site, batch: Batch) -> float:
    """Root mean square change of a token's loss, nats, when every activation is off by one rounding of its dtype.

    Roundings of a coarse dtype add up from block to block, so that no multiple of its epsilon fits all models: one
    epsilon of bfloat16 at the 14th of 30 blocks of SmolLM2-135M moves the loss of a token by 0.06 nats.
    """
    x, epsilon = batch.x, torch.finfo(batch.clean.final.dtype).eps
    signs = torch.randint(0, 2, x.shape, generator=torch.Generator().manual_seed(0)).to(x.device) * 2 - 1
    change = losses(model, site, batch, x * (1 + epsilon * signs))[0] - batch.reference.loss
    return float(change.double().square().mean().sqrt())


def check_identities(model: nn.Module, site: Site, batch: Batch, saes: Mapping[str, Sae]) -> Identities:
    """Assert what must hold by definition, through the very code that produces the results.

    Each may be missed by as much as the losses are rounded, in float32 by SLACK times that; SAE(x) + error by more
    where SAE(x) is longer than x, whose last digits then go under.

    Raises: IdentityViolated if SAE(x) + error changes the loss, a zero reconstruction recovers anything, or the
    identity does not recover everything.
    """

    def pooled(x_hat: Float[Tensor, "n d"]) -> tuple[float, float]:
        return tuple(float(column.double().mean()) for column in losses(model, site, batch, x_hat))

    x = batch.x
    clean = float(batch.reference.loss.double().mean())
    zero, (identity, identity_kl) = pooled(torch.zeros_like(x))[0], pooled(x)
    epsilon, single = torch.finfo(batch.clean.final.dtype).eps, torch.finfo(torch.float32).eps
    token_rounding = ROUNDINGS * single * abs(clean)
    tolerated = SLACK * token_rounding
    if epsilon > single:
        token_rounding = tolerated = max(tolerated, SIGMAS * measured_rounding(model, site, batch))
    rounding = fidelity.loss_rounding(tolerated, len(batch.reference.loss))
    worst = 0.0
    for name, sae in saes.items():
        x_hat = sae_reconstructor(sae, name).apply(x)[0]
        change = abs(pooled(x_hat + (x - x_hat))[0] - clean)
        worst = max(worst, change)
        longer = max(1.0, ratio(float(x_hat.norm()), float(x.norm())) or 1.0)
        if not change <= longer * rounding:
            raise IdentityViolated(f"{name}: SAE(x) + error changes the loss by {change:.2e} nats, more than rounding")
    if not abs(identity - clean) <= rounding:
        raise IdentityViolated(f"the activations themselves change the loss by {identity - clean:.2e} nats")
    nothing = None
    if saes:
        sae = next(iter(saes.values()))
        silent = replace(sae, W_dec=torch.zeros_like(sae.W_dec), b_dec=torch.zeros_like(sae.b_dec))
        replaced = pooled(sae_reconstructor(silent, "zero").apply(x)[0])[0]
        nothing = fidelity.ce_loss_score(clean, replaced, zero, rounding)
        if not abs(replaced - zero) <= rounding:
            raise IdentityViolated(f"an SAE of zeros recovers {zero - replaced:.2e} nats instead of nothing")
    everything = fidelity.ce_loss_score(clean, identity, zero, rounding)
    return Identities(
        sae_plus_error_ce_change_nats=worst if saes else None,
        zero_reconstruction_recovered=nothing,
        identity_recovered=everything,
        identity_kl_nats=identity_kl,
        n_tokens=len(x),
        token_rounding_nats=token_rounding,
    )
