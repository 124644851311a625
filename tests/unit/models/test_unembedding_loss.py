"""Cross-entropy in chunks is cross-entropy: value and gradient, for any number of rows."""

import pytest
import torch

from scripts.monosem.models import unembedding_loss

D, VOCAB = 8, 50


@pytest.fixture(params=[1, unembedding_loss.ROWS, 2 * unembedding_loss.ROWS + 3])
def problem(request):
    """Hidden states, embedding and targets, float64."""
    generator = torch.Generator().manual_seed(request.param)
    hidden = torch.randn(request.param, D, generator=generator, dtype=torch.float64, requires_grad=True)
    embedding = torch.randn(VOCAB, D, generator=generator, dtype=torch.float64, requires_grad=True)
    return hidden, embedding, torch.randint(VOCAB, (request.param,), generator=generator)


def both(hidden, embedding, targets, loss):
    value = loss(hidden, embedding, targets)
    return value, *torch.autograd.grad(3.0 * value, [hidden, embedding])


def textbook(hidden, embedding, targets):
    return torch.nn.functional.cross_entropy(hidden @ embedding.T, targets)


def test_it_equals_the_textbook_in_float64(problem):
    ours = both(*problem, lambda *given: unembedding_loss.mean_nats(*given, "float32"))
    for a, b in zip(ours, both(*problem, textbook), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_bfloat16_rounds_the_products_and_nothing_else(problem):
    hidden, embedding, targets = problem
    hidden, embedding = (x.detach().float().requires_grad_() for x in (hidden, embedding))
    ours = both(hidden, embedding, targets, lambda *given: unembedding_loss.mean_nats(*given, "bfloat16"))
    exact = both(hidden, embedding, targets, textbook)
    torch.testing.assert_close(ours[0], exact[0], rtol=1e-2, atol=0)
    for a, b in zip(ours[1:], exact[1:], strict=True):
        assert a.dtype == torch.float32 and 0 < (a - b).norm() < 0.02 * b.norm()


def test_an_all_but_impossible_target_has_a_finite_loss():
    hidden, embedding = torch.tensor([[200.0]]), torch.tensor([[1.0], [-1.0]])
    assert 80 < unembedding_loss.mean_nats(hidden, embedding, torch.tensor([1]), "float32").item() < 90


def test_the_loss_of_a_uniform_model_is_the_logarithm_of_the_vocabulary():
    value = unembedding_loss.mean_nats(torch.zeros(5, D), torch.randn(VOCAB, D), torch.arange(5), "bfloat16")
    torch.testing.assert_close(value, torch.tensor(float(VOCAB)).log())
