"""Geometric median, scale of the data and starting weights."""

import pytest
import torch

from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.sae.training import initialise


def median(points):
    return initialise.geometric_median(torch.tensor(points, dtype=torch.float64), iterations=1000, tolerance=1e-12)


def test_geometric_median_of_symmetric_points_is_the_centre():
    corners = [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]]
    torch.testing.assert_close(median(corners), torch.tensor([1.0, 1.0], dtype=torch.float64), atol=1e-8, rtol=0)


def test_geometric_median_is_fermats_point_of_a_triangle():
    x = median([[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]])
    torch.testing.assert_close(x, torch.tensor([0.5, 3**0.5 / 6], dtype=torch.float64), atol=1e-8, rtol=0)


def test_geometric_median_shrugs_at_one_far_outlier_where_the_mean_moves():
    x = median([[0.0], [1.0], [2.0], [3.0], [1e6]])
    assert abs(x.item() - 2) < 1e-3


def test_geometric_median_at_a_data_point_and_of_equal_points():
    torch.testing.assert_close(median([[3.0, 4.0]] * 5), torch.tensor([3.0, 4.0], dtype=torch.float64))
    star = median([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert star.norm() < 1e-6


def test_scaling_makes_the_mean_square_norm_d_in_and_variance_follows():
    x = torch.randn(500, 7, generator=torch.Generator().manual_seed(0)) * 3 + 2
    s = initialise.statistics(x)
    assert (x * s.scale).square().sum(1).mean().item() == pytest.approx(7, rel=1e-5)
    assert s.variance == pytest.approx((x * s.scale).var(0, correction=0).sum().item(), rel=1e-5)


@pytest.mark.parametrize("bad", [torch.ones(5, 3), torch.zeros(5, 3), torch.full((5, 3), torch.nan)])
def test_constant_or_nan_data_is_refused(bad):
    with pytest.raises(ValueError, match="activations"):
        initialise.statistics(bad)


def test_topk_starts_with_tied_directions_and_reconstructions_of_fitting_length():
    sample = torch.randn(2000, 16, generator=torch.Generator().manual_seed(0))
    config = SaeConfig("topk", 64, vectors=1, k=4)
    w = initialise.start_parameters(sample, config, torch.Generator().manual_seed(1))
    cosine = torch.cosine_similarity(w.encoder, w.decoder)
    assert cosine.min() > 1 - 1e-5
    assert (w.decoder.norm(dim=1) - 1).abs().max() < 1e-6
    centred = sample[:1024] - w.b_dec
    values, latents = (centred @ w.encoder.T).topk(4, dim=1)
    reconstruction = torch.einsum("nk,nkd->nd", values.relu(), w.decoder[latents])
    assert ((centred - reconstruction) * reconstruction).sum().abs() < 1e-2 * centred.square().sum()


@pytest.mark.parametrize("architecture", ["batchtopk", "matryoshka_batchtopk"])
def test_a_batch_of_unequal_vectors_starts_with_reconstructions_of_fitting_length(architecture):
    generator = torch.Generator().manual_seed(0)
    sample = torch.randn(500, 16, generator=generator) * torch.rand(500, 1, generator=generator).exp().pow(3)
    config = SaeConfig(architecture, 64, vectors=1, k=4, b_dec_init="zero", decoder_init="data")
    w = initialise.start_parameters(sample, config, torch.Generator().manual_seed(1))
    pre = sample @ w.encoder.T

    def gradient(f):  # 0 where the best multiple of the reconstruction is itself
        reconstruction = f @ w.decoder
        return (((sample - reconstruction) * reconstruction).sum() / reconstruction.square().sum()).item()

    of_batch = pre * (pre >= pre.flatten().topk(4 * 500).values[-1])
    of_rows = pre * (pre >= pre.topk(4, dim=1).values[:, -1:])
    assert abs(gradient(of_batch)) < 1e-3 < abs(gradient(of_rows))


def test_a_dictionary_that_starts_at_data_holds_centred_rows_of_it_once_each():
    sample = torch.randn(100, 16, generator=torch.Generator().manual_seed(0)) + 1
    config = SaeConfig("batchtopk", 120, vectors=1, k=4, decoder_init="data", b_dec_init="mean")
    w = initialise.start_parameters(sample, config, torch.Generator().manual_seed(1))
    cosine = torch.cosine_similarity(w.decoder.unsqueeze(1), (sample - sample.mean(0)).unsqueeze(0), dim=-1)
    best = cosine.max(1)
    assert best.values[:100].min() > 1 - 1e-5 and sorted(best.indices[:100].tolist()) == list(range(100))
    assert best.values[100:].max() < 0.99
    assert (w.decoder.norm(dim=1) - 1).abs().max() < 1e-6


@pytest.mark.parametrize("architecture", ["jumprelu", "gated"])
def test_gated_and_jumprelu_start_with_reconstructions_of_fitting_length(architecture):
    sample = torch.randn(1024, 16, generator=torch.Generator().manual_seed(0))
    config = SaeConfig(architecture, 64, vectors=1, start_l0=5.0)
    w = initialise.start_parameters(sample, config, torch.Generator().manual_seed(1))
    centred = sample - w.b_dec
    f = torch.relu(centred @ w.encoder.T)
    if architecture == "jumprelu":
        f = f * (f > w.threshold)
        assert (f > 0).float().sum(1).mean() == pytest.approx(5.0, rel=0.01) and len(w.threshold.unique()) == 1
    else:
        assert not w.r_mag.any() and not w.b_mag.any()
    reconstruction = f @ w.decoder
    assert ((centred - reconstruction) * reconstruction).sum().abs() < 1e-2 * centred.square().sum()


def test_rows_of_free_length_start_short_and_tied():
    sample = torch.randn(200, 16, generator=torch.Generator().manual_seed(0))
    config = SaeConfig("relu_decoder_norm", 64, 1, l1_coefficient=1.0)
    w = initialise.start_parameters(sample, config, torch.Generator().manual_seed(1))
    assert torch.equal(w.encoder, w.decoder)
    torch.testing.assert_close(w.decoder.norm(dim=1), torch.full((64,), 0.1))


def relu_start(**settings):
    sample = torch.randn(200, 16, generator=torch.Generator().manual_seed(0))
    config = SaeConfig("relu", 64, 1, l1_coefficient=1.0, **settings)
    return initialise.start_parameters(sample, config, torch.Generator().manual_seed(1))


def test_relu_starts_with_a_short_encoder_along_its_decoder():
    w = relu_start()
    torch.testing.assert_close(w.encoder, 0.1 * w.decoder)
    torch.testing.assert_close(w.decoder.norm(dim=1), torch.ones(64))


def test_relu_as_published_starts_with_an_encoder_of_its_own():
    w = relu_start(encoder_init="kaiming")
    assert torch.cosine_similarity(w.encoder, w.decoder).abs().mean() < 0.4
    assert 0.2 < w.encoder.abs().max() <= 16**-0.5


def test_a_tied_relu_starts_with_equal_matrices_whatever_the_other_start():
    for how in ("transpose", "kaiming"):
        w = relu_start(encoder_init=how, tied_decoder=True)
        assert torch.equal(w.encoder, w.decoder)
