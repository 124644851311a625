"""A pinned latent has its value and nothing else changes; writing with it equals reading with it."""

import numpy as np
import pytest
import torch

from scripts.monosem.evaluation.interventions import pin
from scripts.monosem.models import sites, splice
from scripts.monosem.sae.model import encode, load_sae
from tests.helpers import evaluation_world as world


@pytest.fixture(scope="module", params=[world.RESIDUAL, world.POST])
def opened(request, tmp_path_factory):
    folders = world.make_world(tmp_path_factory.mktemp("world"), request.param)
    torch.manual_seed(0)
    model = world.make_model(folders["model"])
    tokens = torch.randint(1, 49, (3, world.CONTEXT), generator=torch.Generator().manual_seed(1))
    return model, sites.resolve(model, request.param), load_sae(folders["exact"]), load_sae(folders["random"]), tokens


def test_a_pinned_latent_has_its_value_and_the_others_keep_theirs(opened):
    *_, exact, _, _ = opened
    x = torch.randn(5, exact.d_in, generator=torch.Generator().manual_seed(2))
    pinned = x + pin.delta(exact, x, torch.full((5,), 3), torch.full((5,), 2.0)) + 0
    x[:, 3].clamp_(min=0)  # the latent for the other sign is off
    pinned = x + pin.delta(exact, x, torch.full((5,), 3), torch.full((5,), 2.0))
    before, after = encode(exact, x), encode(exact, pinned)
    assert after[:, 3] == pytest.approx(torch.full((5,), 2.0))
    before[:, 3] = 2.0
    torch.testing.assert_close(after, before)


def test_a_latent_pinned_to_its_own_value_changes_nothing(opened):
    model, site, _, sae, tokens = opened
    x = splice.run_clean(model, site, tokens).activations.reshape(-1, site.d)
    own = encode(sae, x)[:, 7]
    assert pin.delta(sae, x, torch.full((len(x),), 7), own).abs().max() < 1e-6


def test_losses_are_those_of_the_model_and_ablation_costs_where_the_latent_fires(opened):
    model, site, _, sae, tokens = opened
    clean = pin.losses(pin.Target(model, site, sae), tokens, None)
    logits = model(tokens).logits[:, :-1]
    expected = torch.nn.functional.cross_entropy(logits.transpose(1, 2), tokens[:, 1:], reduction="none")
    torch.testing.assert_close(clean, expected, atol=1e-4, rtol=1e-4)
    fires = encode(sae, splice.run_clean(model, site, tokens).activations.reshape(-1, site.d)) > 0
    silent = torch.nonzero(~fires.any(0))[:1, 0].tolist()
    for latent in silent:
        torch.testing.assert_close(pin.losses(pin.Target(model, site, sae), tokens, latent), clean)
    changed = pin.losses(pin.Target(model, site, sae), tokens, 0, 5.0)
    torch.testing.assert_close(changed[:, 0], clean[:, 0])  # the first position is left alone
    assert (changed - clean)[:, 1:].abs().max() > 1e-3


def test_writing_step_by_step_equals_one_pass_over_the_whole_text(opened):
    model, site, _, sae, _ = opened
    target = pin.Target(model, site, sae)
    latent, value, active = np.array([2, 5, 2, 0]), np.array([3.0, 4.0, 3.0, 0.0]), np.array([True, True, True, False])
    ids, first = pin.sample(target, [0, 11, 12], pin.Pins(latent, value, active, np.array([0, 0, 0, 0])), 6, 3)
    assert (ids[0] == ids[2]).all()  # equal interventions, equal random numbers
    free, plain = pin.sample(target, [0, 11, 12], pin.Pins(latent, value, np.zeros(4, bool), np.arange(4)), 6, 3)
    assert (free[0] == ids[3]).all() and plain[0] == pytest.approx(first[3], abs=1e-6)
    assert not (free[0] == free[1]).all()  # another sequence of random numbers

    def pinned(x):
        rows = x.reshape(-1, x.shape[-1])
        change = pin.delta(sae, rows, torch.full((len(rows),), 2), torch.full((len(rows),), 3.0)).view_as(x)
        change[:, 0] = 0
        return x + change

    whole = torch.tensor([[0, 11, 12, *ids[0]]])
    logits = splice.run_spliced(model, site, whole, pinned)[0, 2:-1]
    noise = np.random.default_rng([3, 0])
    again = [
        (row + torch.tensor(noise.gumbel(size=world.VOCAB), dtype=torch.float32)).argmax().item() for row in logits
    ]
    assert again == ids[0].tolist()
    assert first[0] == pytest.approx(logits[0].softmax(-1).numpy(), abs=1e-5)


@pytest.mark.parametrize(
    ("text", "context", "share"),
    [
        ("كتاب", "arabic", 1.0),
        ("كتاب book", "arabic", 0.5),
        ("ספר", "arabic", 0.0),
        ("ספר!", "hebrew", 0.75),
        ("ACGTACGTAC", "dna", 1.0),
        ("ACGT CAT", "dna", 0.0),
        ("aGVsbG8gd29ybGQhCg==", "base64", 1.0),
        ("internationalization", "base64", 0.0),
        ("", "arabic", 0.0),
    ],
)
def test_shares_by_hand(text, context, share):
    assert pin.context_share(text, context) == pytest.approx(share)
