"""Our GPT-2 against Hugging Face's: loss, gradients, causality; zero ablation of the MLPs."""

from dataclasses import asdict

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from scripts.monosem.models.gpt2 import modules
from scripts.monosem.models.gpt2.architecture import Architecture, initialise
from scripts.monosem.models.score import token_nats
from scripts.monosem.models.train import mean_nats

SHAPES = [
    Architecture(1, 16, 2, 48, 12, "relu", 50),
    Architecture(3, 16, 4, 64, 12, "gelu_new", 50),
]


@pytest.fixture(params=SHAPES, ids=["one-layer-relu", "three-layer-gelu"])
def pair(request):
    shape = request.param
    weights = {k: v + 0.1 * torch.randn_like(v) for k, v in initialise(shape, 0).items()}
    model = GPT2LMHeadModel(GPT2Config(**shape.hf_config(0))).eval()
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert missing == ["lm_head.weight"] and not unexpected
    model.tie_weights()
    network, missing, unexpected = modules.build(asdict(shape), weights, shape.n_layer)
    assert not missing and not unexpected
    return shape, network, model


def test_same_loss_per_token_as_hugging_face(pair):
    shape, network, model = pair
    tokens = torch.randint(shape.vocab_size, (4, shape.n_positions + 1))
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    with torch.no_grad():
        logits = model(inputs).logits
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    ours = token_nats(network, inputs, targets)
    torch.testing.assert_close(ours.flatten(), expected, atol=1e-5, rtol=1e-5)


def test_training_loss_and_its_gradient_equal_autograd_through_hugging_face(pair):
    shape, network, model = pair
    tokens = torch.randint(shape.vocab_size, (4, shape.n_positions + 1))
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    loss = mean_nats(network.requires_grad_(), inputs, targets)
    loss.backward()
    expected = torch.nn.functional.cross_entropy(model(inputs).logits.flatten(0, 1), targets.flatten())
    expected.backward()
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-5)
    gradients = {name: value.grad for name, value in network.named_parameters()}
    assert len(gradients) == len(list(model.parameters()))
    for name, value in model.named_parameters():
        torch.testing.assert_close(gradients[name], value.grad, atol=1e-5, rtol=1e-4, msg=name)


def test_no_token_sees_the_future(pair):
    shape, network, _ = pair
    tokens = torch.randint(shape.vocab_size, (1, shape.n_positions))
    changed = tokens.clone()
    changed[0, 7] = (tokens[0, 7] + 1) % shape.vocab_size
    before, after = (network.transformer(t).last_hidden_state[0] for t in (tokens, changed))
    assert torch.equal(before[:7], after[:7])
    assert not torch.allclose(before[7], after[7])


def test_zeroing_the_mlp_equals_zeroing_its_output_weights(pair):
    shape, network, _ = pair
    weights = modules.weights_of(network)
    silent = {k: torch.zeros_like(v) if ".mlp.c_proj." in k else v for k, v in weights.items()}
    silenced, *_ = modules.build(asdict(shape), silent, shape.n_layer)
    tokens = torch.randint(shape.vocab_size, (2, shape.n_positions))
    before = network(tokens).logits
    torch.testing.assert_close(modules.without_mlps(network)(tokens).logits, silenced(tokens).logits)
    assert torch.equal(network(tokens).logits, before)


def test_a_tied_unembedding_is_one_parameter_and_is_not_saved(pair):
    _, network, _ = pair
    assert network.lm_head.weight is network.transformer.wte.weight
    assert "lm_head.weight" not in modules.weights_of(network) and "lm_head.weight" in network.state_dict()


def test_an_untrained_model_predicts_uniformly():
    shape = SHAPES[0]
    tokens = torch.randint(shape.vocab_size, (8, shape.n_positions))
    nats = token_nats(modules.initial_network(shape, 0), tokens, tokens.roll(-1, 1))
    assert nats.mean().item() == pytest.approx(torch.log(torch.tensor(50.0)).item(), abs=0.05)
