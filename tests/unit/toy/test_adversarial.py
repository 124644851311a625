import numpy as np
import pytest
import torch

from scripts.monosem.toy import data, models
from scripts.monosem.toy.experiments import adversarial
from scripts.monosem.toy.settings import AdversarialConfig
from scripts.monosem.toy.theory import superposition


def one_empty_input(n):
    return torch.zeros(1, n), torch.ones(1)


@pytest.mark.parametrize(
    ("name", "inverse_dimensionality"), [("digon", 2.0), ("triangle", 1.5), ("tetrahedron", 4 / 3)]
)
def test_vulnerability_of_an_ideal_polytope_at_an_empty_input(name, inverse_dimensionality):
    """The attack reaches output i with ε ‖G_i‖ = ε/√D_i, and all others from below, where the ReLU blocks it."""
    W = torch.tensor(superposition.polytope(name), dtype=torch.float32)
    x, weight = one_empty_input(W.shape[1])
    found = adversarial.vulnerability(W, torch.zeros(W.shape[1]), x, weight, 0.3)
    assert found == pytest.approx(inverse_dimensionality, rel=1e-5)


def test_the_orthogonal_model_has_vulnerability_one_at_any_sparsity():
    config = AdversarialConfig(6, 3, (1.0, 0.1), 0.1, 0.0, 1, 2, 0.1, 2)
    for p in config.probabilities:
        W, b = adversarial.orthogonal(config, p)
        batch = data.stratified_batch(torch.full((1, 6), p), 512, torch.Generator().manual_seed(0))
        assert adversarial.vulnerability(W, b, batch.x[0], batch.weight[0], 0.2) == pytest.approx(1.0, rel=1e-4)


def test_the_attack_is_the_unit_input_that_raises_its_output_most():
    W = torch.randn(3, 7, generator=torch.Generator().manual_seed(0))
    directions = adversarial.attack_directions(W)
    assert directions.norm(dim=-1).numpy() == pytest.approx(1.0)
    others = torch.nn.functional.normalize(torch.randn(500, 7, generator=torch.Generator().manual_seed(1)), dim=1)
    reached = (directions @ W.T @ W).diagonal()
    assert (others @ W.T @ W <= reached + 1e-5).all()


def test_a_feature_without_weights_gives_no_direction_instead_of_nan():
    assert adversarial.attack_directions(torch.zeros(2, 3)).abs().max() == 0


def test_the_mean_norm_counts_empty_inputs():
    batch = data.Batch(torch.tensor([[[0.0, 0.0], [3.0, 4.0]]]), torch.tensor([[0.75, 0.25]]))
    assert adversarial.mean_norm(batch).item() == pytest.approx(1.25)


def test_an_attack_of_length_zero_is_the_clean_loss():
    parameters = models.initialise((2,), 6, 3, torch.Generator().manual_seed(0))
    batch = data.stratified_batch(torch.full((2, 6), 0.3), 64, torch.Generator().manual_seed(1))
    loss = adversarial.adversarial_loss(torch.zeros(2), torch.Generator().manual_seed(2))(parameters, batch)
    clean = models.reconstruction_loss(parameters, batch, torch.ones(6), "relu")
    assert loss.numpy() == pytest.approx(clean.numpy(), rel=1e-5)


def test_a_model_that_stays_at_one_fails_the_ratio():
    flat = [{"probability": p, "vulnerability": 1.0 + 0.01 * i, "features_per_dimension": 1.0 + i}
            for i, p in enumerate((1.0, 0.1, 0.01))]  # fmt: skip
    rules = adversarial.grade({"plain": flat, "orthogonal": flat})
    assert not rules["sparsest_over_densest"].passed and rules["orthogonal_model_stays_at_one"].passed
    assert np.isclose(rules["rank_correlation_with_features_per_dimension"].value, 1.0)


def test_disproportion_is_one_for_proportional_series():
    assert adversarial.disproportion([2.0, 4.0, 12.0], [1.0, 2.0, 6.0]) == pytest.approx(1.0)
    assert adversarial.disproportion([1.0, 2.0], [1.0, 8.0]) == pytest.approx(4.0)
