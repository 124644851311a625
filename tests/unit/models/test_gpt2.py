"""The lean forward pass is GPT-2: held against Hugging Face's own."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from scripts.monosem.models.gpt2 import functional

SHAPES = [
    functional.Architecture(1, 16, 2, 48, 12, "relu", 50),
    functional.Architecture(3, 16, 4, 64, 12, "gelu_new", 50),
]


@pytest.fixture(params=SHAPES, ids=["one-layer-relu", "three-layer-gelu"])
def pair(request):
    shape = request.param
    parameters = {k: v + 0.1 * torch.randn_like(v) for k, v in functional.initialise(shape, 0).items()}
    model = GPT2LMHeadModel(GPT2Config(**shape.hf_config(0))).eval()
    missing, unexpected = model.load_state_dict(parameters, strict=False)
    assert missing == ["lm_head.weight"] and not unexpected
    model.tie_weights()
    return shape, parameters, model


def test_same_loss_per_token_as_hugging_face(pair):
    shape, parameters, model = pair
    tokens = torch.randint(shape.vocab_size, (4, shape.n_positions + 1))
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    with torch.no_grad():
        logits = model(inputs).logits
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    ours = functional.token_nats(parameters, shape, inputs, targets)
    torch.testing.assert_close(ours.flatten(), expected, atol=1e-5, rtol=1e-5)


def test_training_loss_and_its_gradient_equal_autograd_through_hugging_face(pair):
    shape, parameters, model = pair
    tokens = torch.randint(shape.vocab_size, (4, shape.n_positions + 1))
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    parameters = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    loss = functional.mean_nats(parameters, shape, inputs, targets)
    loss.backward()
    expected = torch.nn.functional.cross_entropy(model(inputs).logits.flatten(0, 1), targets.flatten())
    expected.backward()
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-5)
    for name, value in model.named_parameters():
        torch.testing.assert_close(parameters[name].grad, value.grad, atol=1e-5, rtol=1e-4, msg=name)


def test_no_token_sees_the_future(pair):
    shape, parameters, _ = pair
    tokens = torch.randint(shape.vocab_size, (1, shape.n_positions))
    changed = tokens.clone()
    changed[0, 7] = (tokens[0, 7] + 1) % shape.vocab_size
    before, after = (functional.final_hidden(parameters, shape, t) for t in (tokens, changed))
    assert torch.equal(before[:7], after[:7])
    assert not torch.allclose(before[7], after[7])


def test_zeroing_the_mlp_equals_zeroing_its_output_weights(pair):
    shape, parameters, _ = pair
    silent = {k: torch.zeros_like(v) if ".mlp.c_proj." in k else v for k, v in parameters.items()}
    tokens = torch.randint(shape.vocab_size, (2, shape.n_positions))
    torch.testing.assert_close(
        functional.final_hidden(parameters, shape, tokens, zero_mlp=True),
        functional.final_hidden(silent, shape, tokens),
    )


def test_an_untrained_model_predicts_uniformly():
    shape = SHAPES[0]
    tokens = torch.randint(shape.vocab_size, (8, shape.n_positions))
    nats = functional.token_nats(functional.initialise(shape, 0), shape, tokens, tokens.roll(-1, 1))
    assert nats.mean().item() == pytest.approx(torch.log(torch.tensor(50.0)).item(), abs=0.05)
