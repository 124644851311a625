"""Neuron resampling of Bricken et al. 2023, step by step."""

import torch

from scripts.monosem.sae.training.resampling import choose_inputs, resample
from tests.helpers.sae_toys import random_parameters


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def case(dead):
    weights = random_parameters(5, 8, dtype=torch.float32)
    moments = tuple(random_parameters(5, 8, seed=seed, dtype=torch.float32) for seed in (1, 2))
    inputs = torch.randn(20, 5, generator=generator(3)) * 4
    mask = torch.zeros(8, dtype=torch.bool)
    mask[dead] = True
    return weights, moments, mask, inputs


def test_inputs_are_chosen_in_proportion_to_their_squared_loss():
    losses = torch.tensor([0.0, 1.0, 2.0, 3.0])
    counts = torch.zeros(4)
    g = generator()
    for _ in range(14_000):
        counts[choose_inputs(losses, 1, g)] += 1
    expected = torch.tensor([0.0, 1 / 14, 4 / 14, 9 / 14])
    assert counts[0] == 0
    assert (counts / 14_000 - expected).abs().max() < 0.015  # 3.5 standard errors


def test_no_input_is_chosen_twice_and_none_with_zero_loss():
    chosen = choose_inputs(torch.tensor([0.0, 1.0, 1e9, 1.0, 0.0]), 5, generator())
    assert sorted(chosen.tolist()) == [1, 2, 3]


def test_dead_latents_become_inputs():
    weights, moments, dead, inputs = case([2, 6])
    losses = torch.zeros(20)
    losses[[4, 9]] = 1.0
    new, new_moments, changed = resample(weights, moments, dead, inputs, losses, generator())
    assert changed.tolist() == [2, 6]
    unit = inputs / inputs.norm(dim=1, keepdim=True)
    used = {int((unit @ new.decoder[i]).argmax()) for i in (2, 6)}
    assert used == {4, 9}
    alive_norm = weights.encoder[~dead].norm(dim=1).mean()
    for i in (2, 6):
        assert torch.isclose(new.decoder[i].norm(), torch.tensor(1.0))
        torch.testing.assert_close(new.encoder[i], new.decoder[i] * 0.2 * alive_norm)
        assert new.b_enc[i] == 0
    for moment in new_moments:
        assert not moment.encoder[dead].any() and not moment.decoder[dead].any() and not moment.b_enc[dead].any()


def test_everything_else_stays_as_it_was():
    weights, moments, dead, inputs = case([0, 3])
    kept = weights.clone()
    new, new_moments, _ = resample(weights, moments, dead, inputs, torch.ones(20), generator())
    for before, after in [(weights, new), *zip(moments, new_moments, strict=True)]:
        for name, tensor in before.tensors().items():
            rows = slice(None) if name == "b_dec" else ~dead
            assert torch.equal(tensor[rows], after.tensors()[name][rows]), name
    assert all(torch.equal(kept.tensors()[name], tensor) for name, tensor in weights.tensors().items())


def test_nothing_dead_changes_nothing():
    weights, moments, dead, inputs = case([])
    new, new_moments, changed = resample(weights, moments, dead, inputs, torch.ones(20), generator())
    assert new is weights and new_moments is moments and len(changed) == 0


def test_all_dead_leaves_no_norm_to_copy():
    weights, moments, dead, inputs = case(list(range(8)))
    new, _, changed = resample(weights, moments, dead, inputs, torch.ones(20), generator())
    assert new is weights and len(changed) == 0
