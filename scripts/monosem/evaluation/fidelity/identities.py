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

SLACK = 8  # times the usual rounding that an identity may miss; with 30 blocks a quarter of one was seen
WINDOWS = 8  # on which they are asserted, before anything else: what breaks an identity, breaks it anywhere


class IdentityViolated(RuntimeError):
    """Something that holds by definition does not hold in this run: its numbers cannot be trusted."""


def check_identities(model: nn.Module, site: Site, batch: Batch, saes: Mapping[str, Sae]) -> Identities:
    """Assert what must hold by definition, through the very code that produces the results.

    Each may be missed by SLACK times as much as the losses are rounded; SAE(x) + error by more where SAE(x) is longer
    than x, whose last digits then go under.

    Raises: IdentityViolated if SAE(x) + error changes the loss, a zero reconstruction recovers anything, or the
    identity does not recover everything.
    """

    def pooled(x_hat: Float[Tensor, "n d"]) -> tuple[float, float]:
        return tuple(float(column.double().mean()) for column in losses(model, site, batch, x_hat))

    x = batch.x
    clean = float(batch.reference.loss.double().mean())
    zero, (identity, identity_kl) = pooled(torch.zeros_like(x))[0], pooled(x)
    rounding = SLACK * fidelity.loss_rounding(
        clean, len(batch.reference.loss), torch.finfo(batch.clean.final.dtype).eps
    )
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
    )
