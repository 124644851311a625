"""Logit weights against the model's own derivative, and their invariances."""

import numpy as np
import pytest
import torch

from scripts.monosem.evaluation.latents.logit_weights import logit_weights, reason_unavailable
from scripts.monosem.models import sites
from tests.helpers import evaluation_world as world


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return world.make_model(tmp_path_factory.mktemp("model"))


def test_they_are_the_derivative_of_the_logits_up_to_one_scale(model):
    """At a residual state orthogonal to the direction, LayerNorm only divides by the state's spread."""
    site = sites.resolve(model, "blocks.1.mlp.hook_post")
    direction = torch.zeros(1, site.d)
    direction[0, 5] = 1
    moved = (direction @ model.transformer.h[1].mlp.c_proj.weight)[0]
    moved = moved - moved.mean()
    state = torch.randn(16, generator=torch.Generator().manual_seed(0))
    state = state - state.mean()
    state = state - (state @ moved) / (moved @ moved) * moved

    def logits(x):
        return model.lm_head(model.transformer.ln_f(x))

    _, derivative = torch.func.jvp(logits, (state,), (moved,))
    derivative = derivative * state.std(unbiased=False)
    weights = logit_weights(model, site, direction)[0]
    assert torch.allclose(weights, derivative - derivative.quantile(0.5), atol=1e-4)


def test_median_is_zero_over_the_usual_tokens(model):
    site = sites.resolve(model, "blocks.1.hook_resid_post")
    directions = torch.randn(3, 16, generator=torch.Generator().manual_seed(1))
    usual = np.arange(world.VOCAB) % 3 > 0
    assert logit_weights(model, site, directions).median(-1).values.abs().max() < 0.5
    weights = logit_weights(model, site, directions, usual).numpy()
    assert np.median(weights[:, usual], axis=1) == pytest.approx(np.zeros(3), abs=1e-5)


def test_no_direction_has_no_weights(model):
    assert logit_weights(model, sites.resolve(model, world.RESIDUAL), torch.zeros(0, 16)).shape == (0, world.VOCAB)


def test_a_constant_added_to_a_direction_changes_nothing(model):
    site = sites.resolve(model, "blocks.0.hook_mlp_out")
    directions = torch.randn(2, 16, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(logit_weights(model, site, directions + 7), logit_weights(model, site, directions), atol=1e-4)


def test_before_the_activation_function_there_are_none(model):
    site = sites.resolve(model, "blocks.0.mlp.hook_pre")
    assert "activation function" in reason_unavailable(site)
    with pytest.raises(ValueError, match="mlp.hook_pre"):
        logit_weights(model, site, torch.eye(64))
