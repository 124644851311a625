"""Identities hold as exactly as the model's precision allows, which is measured at the site for bfloat16."""

import numpy as np
import pytest
import torch

from scripts.monosem.evaluation.fidelity import batch as fidelity_batch
from scripts.monosem.evaluation.fidelity.identities import (
    ROUNDINGS,
    SIGMAS,
    IdentityViolated,
    check_identities,
    measured_rounding,
)
from scripts.monosem.models import sites
from scripts.monosem.models.load import cast, load_model
from scripts.monosem.sae.model import load_sae
from scripts.monosem.text.tokens import load_tokens
from tests.helpers import evaluation_world as world

SITE = "blocks.0.hook_resid_post"
SETTINGS = fidelity_batch.Settings(1000, 1, world.CONTEXT, True, 0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return world.make_world(tmp_path_factory.mktemp("world"), SITE)


def opened(folders, dtype):
    model = cast(load_model(folders["model"]), dtype)
    stream = load_tokens(folders["tokens"], "test")
    site = sites.resolve(model, SITE)
    starts = np.arange(8) * world.CONTEXT
    saes = {name: load_sae(folders[name]) for name in ("exact", "random")}
    return model, site, fidelity_batch.make_batch(model, site, stream, starts, SETTINGS), saes


def test_in_float32_rounding_is_epsilons_of_the_loss(folders):
    model, site, batch, saes = opened(folders, torch.float32)
    found = check_identities(model, site, batch, saes)
    loss = float(batch.reference.loss.mean())
    assert found.token_rounding_nats == pytest.approx(ROUNDINGS * 2**-23 * loss, rel=1e-6)
    assert found.sae_plus_error_ce_change_nats < 1e-5


def test_in_bfloat16_it_is_measured_at_the_site(folders):
    model, site, batch, saes = opened(folders, torch.bfloat16)
    found = check_identities(model, site, batch, saes)
    assert found.token_rounding_nats == pytest.approx(SIGMAS * measured_rounding(model, site, batch))
    loss, n = float(batch.reference.loss.mean()), len(batch.reference.loss)
    tolerance = found.token_rounding_nats / n**0.5
    assert found.sae_plus_error_ce_change_nats <= tolerance < 0.1 * (8 * ROUNDINGS * 2**-7 * loss / n**0.5)
    assert found.identity_recovered == pytest.approx(1, abs=tolerance)


def test_a_deviation_that_epsilons_of_bfloat16_would_excuse_is_a_violation(folders, monkeypatch):
    model, site, batch, saes = opened(folders, torch.bfloat16)
    n, loss = len(batch.reference.loss), float(batch.reference.loss.mean())
    real = fidelity_batch.losses

    def off(*arguments):
        return tuple(column + 0.2 for column in real(*arguments))

    assert 0.2 < 8 * ROUNDINGS * 2**-7 * loss / n**0.5
    monkeypatch.setattr("scripts.monosem.evaluation.fidelity.identities.losses", off)
    monkeypatch.setattr(
        "scripts.monosem.evaluation.fidelity.identities.measured_rounding",
        lambda *_: measured_rounding_of(real, model, site, batch),
    )
    with pytest.raises(IdentityViolated, match=r"random: SAE\(x\) \+ error changes the loss by 2.00e-01 nats"):
        check_identities(model, site, batch, {"random": saes["random"]})


def measured_rounding_of(losses, model, site, batch):
    return float((losses(model, site, batch, batch.x * (1 + 2**-7))[0] - batch.reference.loss).square().mean().sqrt())


def test_a_site_without_influence_has_exact_identities_and_undefined_shares(folders):
    model, site, batch, saes = opened(folders, torch.bfloat16)
    for block in model.transformer.h[1:]:
        for parameter in block.parameters():
            parameter.zero_()
    model.transformer.ln_f.weight.zero_()
    batch = fidelity_batch.make_batch(
        model, site, load_tokens(folders["tokens"], "test"), np.arange(8) * world.CONTEXT, SETTINGS
    )
    found = check_identities(model, site, batch, saes)
    assert (found.identity_recovered, found.zero_reconstruction_recovered) == (None, None)
    assert found.sae_plus_error_ce_change_nats == 0 and found.token_rounding_nats > 0
