"""Model and autoencoder of the page compute what Python computes; what rounding costs has a bound."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from scripts.monosem.browser import pack
from scripts.monosem.evaluation.interventions import pin
from scripts.monosem.evaluation.latents.logit_weights import logit_weights
from scripts.monosem.models import sites, splice
from scripts.monosem.models.gpt2.architecture import Architecture, initialise
from scripts.monosem.models.gpt2.modules import build
from scripts.monosem.sae.model import encode, from_tensors, pre_activations
from tests.helpers.javascript import Engine, as_text

CONTEXT, VOCAB, D_SAE = 12, 60, 96
ARITHMETIC = 1e-4
"""Largest difference of a logit or latent from Python's on equal weights, in units of their largest size."""

PINNED = "return Array.from(core.continueText(subject, ids, 0, 1, core.pin(subject, kind, unit, value)).probabilities)"


def make_model(n_layer: int, activation: str):
    shape = Architecture(n_layer, 16, 2, 32, CONTEXT, activation, VOCAB)
    generator = torch.Generator().manual_seed(5)
    weights = {
        name: value + 0.3 * torch.randn(value.shape, generator=generator)
        for name, value in initialise(shape, 1).items()
    }
    config = shape.hf_config(0)
    rounded = {name: value.half().float() for name, value in weights.items()}
    return config, build(config, rounded, n_layer)[0]


def make_sae(architecture: str, d_in: int = 32):
    generator = torch.Generator().manual_seed(6)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    tensors = {"W_enc": normal(d_in, D_SAE), "b_enc": 0.1 * normal(D_SAE), "b_dec": 0.1 * normal(d_in)}
    tensors["W_dec"] = torch.nn.functional.normalize(normal(D_SAE, d_in), dim=1)
    if architecture == "jumprelu":
        tensors["threshold"] = 1 + normal(D_SAE).abs()
    if architecture == "gated":
        tensors |= {"b_gate": tensors.pop("b_enc"), "r_mag": 0.2 * normal(D_SAE), "b_mag": 0.5 * normal(D_SAE)}
    return from_tensors({"architecture": architecture, "d_in": d_in, "d_sae": D_SAE, "k": 8}, tensors)


def open_in(engine, config, model, sae, layer):
    engine.keep(
        "subject",
        "const [weights, file] = [model, sae].map((it) => core.readSafetensors(core.fromBase64(it)));"
        "return {layer, model: core.openModel(weights.document, weights.tensors),"
        " sae: core.openSae(file.document, file.tensors)}",
        model=as_text(pack.file_bytes(pack.model_arrays(model), config)),
        sae=as_text(pack.file_bytes(pack.sae_arrays(sae), pack.sae_config(sae))),
        layer=layer,
    )


@pytest.fixture(
    scope="module",
    params=[(1, "relu", "topk"), (3, "gelu_new", "standard"), (1, "relu", "jumprelu"), (2, "relu", "gated")],
)
def opened(request):
    n_layer, activation, architecture = request.param
    config, model = make_model(n_layer, activation)
    layer, engine = n_layer - 1, Engine()
    sae = make_sae(architecture)
    open_in(engine, config, model, sae, layer)
    return engine, model, sites.resolve(model, f"blocks.{layer}.mlp.hook_post"), pack.as_in_page(sae), sae


def random_texts(n: int, length: int) -> list[list[int]]:
    return torch.randint(1, VOCAB, (n, length), generator=torch.Generator().manual_seed(7)).tolist()


def read_in_page(engine, texts):
    """Logits and dense latents of every token of every text."""
    answer = engine.run(
        "return texts.map((ids) => core.readText(subject, ids).tokens.map((token) =>"
        " ({logits: Array.from(core.logitsOf(subject.model, token.final)), active: token.active})))",
        texts=texts,
    )
    logits = np.array([[token["logits"] for token in text] for text in answer])
    latents = np.zeros((*logits.shape[:2], D_SAE))
    for i, text in enumerate(answer):
        for j, token in enumerate(text):
            for latent, value in token["active"]:
                latents[i, j, latent] = value
    return logits, latents


def read_in_python(model, site, sae, texts):
    tokens = torch.tensor([[0, *ids] for ids in texts])
    x = splice.run_clean(model, site, tokens).activations[:, 1:]
    flat = x.reshape(-1, x.shape[-1])
    return model(tokens).logits[:, 1:].detach().numpy(), encode(sae, flat).view(*x.shape[:2], -1).numpy(), flat


def test_logits_and_latents_of_a_hundred_texts(opened):
    engine, model, site, sae, _ = opened
    texts = random_texts(100, CONTEXT - 1)
    logits, latents = read_in_page(engine, texts)
    expected, expected_latents, _ = read_in_python(model, site, sae, texts)
    assert np.abs(logits - expected).max() < ARITHMETIC * np.abs(expected).max()
    assert np.abs(latents - expected_latents).max() < ARITHMETIC * expected_latents.max()


def test_above_the_norm_limit_no_unit_is_active_and_a_pinned_latent_passes():
    """The limit lies between the norms of a text's tokens, so that some are read and some are not."""
    config, model = make_model(1, "relu")
    sae, site = make_sae("standard"), sites.resolve(model, "blocks.0.mlp.hook_post")
    texts = random_texts(4, CONTEXT - 1)
    *_, x = read_in_python(model, site, sae, texts)
    limited = replace(sae, norm_limit=float(x.norm(dim=-1).median()))
    engine = Engine()
    open_in(engine, config, model, limited, 0)
    _, latents = read_in_page(engine, texts)
    _, expected, _ = read_in_python(model, site, replace(pack.as_in_page(sae), norm_limit=limited.norm_limit), texts)
    assert np.abs(latents - expected).max() < ARITHMETIC * expected.max()
    silent = ~(expected > 0).any(-1)
    assert 0.3 < silent.mean() < 0.7 and np.array_equal(silent, ~(latents > 0).any(-1))
    neurons, changed = engine.run(
        "const edit = core.pin(subject, 'latents', 3, 9);"
        "const of = texts.map((ids) => core.readText(subject, ids).tokens.map((token) => Array.from(token.neurons)));"
        "return [of, rows.map((row) => { const x = Float32Array.from(row); edit(x, 0, 1);"
        " return x.some((value, i) => value !== Math.fround(row[i])); })]",
        texts=texts,
        rows=x.tolist(),
    )
    assert np.array_equal(~np.array(neurons).any(-1), silent)
    assert np.array_equal(np.array(changed), ~silent.ravel())


def test_rounded_matrices_change_a_pre_activation_by_less_than_their_bound(opened):
    *_, rounded, sae = opened
    x = torch.randn(200, sae.d_in, generator=torch.Generator().manual_seed(8))
    change = (pre_activations(rounded, x) - pre_activations(sae, x)).abs()
    half_steps = 0.5 * sae.W_enc.abs().amax(0) / pack.STEPS
    assert (change <= (x - sae.b_dec).abs().sum(1, keepdim=True) * half_steps + 1e-4).all()
    assert change.max() > 1e-5  # they are rounded


def test_a_text_that_grows_and_shrinks_is_read_as_a_new_one(opened):
    """Longer than two contexts, so that parts begin within the text."""
    engine, *_ = opened
    (ids,) = random_texts(1, 30)
    room = CONTEXT - 1
    changes = [ids[:n] for n in (3, 4, room, room + 1, room, 5, 30, 29, 2 * room, 0, 1)]
    changes += [[*ids[:13], 9, *ids[13:]], [9, *ids], ids[:25], ids[: room - 1], ids[: room + 3]]
    assert engine.run(
        "let before = null; return changes.map((ids) => {"
        " before = core.readText(subject, ids, before);"
        " const fresh = core.readText(subject, ids);"
        " const plain = (read) => JSON.stringify(read.tokens.map((t) => [t.id, t.active, Array.from(t.final)]));"
        " return plain(before) === plain(fresh) && fresh.tokens.length === ids.length; })",
        changes=changes,
    ) == [True] * len(changes)


def test_steering_gives_python_s_next_token(opened):
    engine, model, site, sae, _ = opened
    (ids,) = random_texts(1, 7)
    for unit, value in ((3, 6.0), (3, 0.0), (17, 2.5)):
        target = pin.Target(model, site, sae)
        expected = pin.pinned_logits(target, torch.tensor([[0, *ids]]), unit, value)[0, -1].softmax(-1)
        made = engine.run(
            PINNED, kind="latents", ids=ids, unit=unit, value=value,
        )  # fmt: skip
        assert made == pytest.approx(expected.tolist(), abs=1e-5)
    neuron = pin.pinned_logits(pin.Target(model, site, None), torch.tensor([[0, *ids]]), 4, 3.0)[0, -1].softmax(-1)
    made = engine.run(
        "return Array.from(core.continueText(subject, ids, 0, 1, core.pin(subject, 'neurons', 4, 3)).probabilities)",
        ids=ids,
    )
    assert made == pytest.approx(neuron.tolist(), abs=1e-5)


def test_logit_weights(opened):
    engine, model, site, sae, _ = opened
    usual = np.arange(VOCAB) % 3 > 0
    if site.layer == 0:
        expected = logit_weights(model, site, sae.W_dec[5:6], usual)[0]
        made = engine.run(
            "const direction = core.directionOf(subject.sae, 32, 'latents', 5);"
            " return Array.from(core.logitWeights(subject.model, 0, direction, usual))",
            usual=usual.tolist(),
        )
        assert made == pytest.approx(expected.tolist(), abs=1e-3)
    raised = engine.run("return Array.from(core.raisesToken(subject, 'latents', 11))")
    shifted = logit_weights(model, site, sae.W_dec)
    down = sites.blocks_of(model)[site.layer].mlp.c_proj.weight
    written = sae.W_dec @ down
    direct = ((written - written.mean(-1, keepdim=True)) * model.transformer.ln_f.weight) @ model.lm_head.weight.T
    assert raised == pytest.approx(direct[:, 11].tolist(), abs=1e-3)
    torch.testing.assert_close(direct - direct.quantile(0.5, dim=-1, keepdim=True), shifted, atol=1e-3, rtol=1e-3)


def test_sampling_is_of_the_seed_and_of_the_model_s_distribution():
    engine = Engine()
    config, model = make_model(1, "relu")
    open_in(engine, config, model, make_sae("topk"), 0)
    draw = "return core.continueText(subject, [4, 5], 6, seed).ids"
    assert engine.run(draw, seed=3) == engine.run(draw, seed=3) != engine.run(draw, seed=4)
    answer = engine.run(
        "const counts = new Array(60).fill(0); let p;"
        " for (let seed = 0; seed < 3000; seed++) { const made = core.continueText(subject, [4, 5], 1, seed);"
        " counts[made.ids[0]]++; p = made.probabilities; } return [counts, Array.from(p)]"
    )
    counts, expected = np.array(answer[0]), 3000 * np.array(answer[1])
    assert expected.sum() == pytest.approx(3000)
    spread = np.sqrt(expected * (1 - expected / 3000)) + 1
    assert (np.abs(counts - expected) < 4.5 * spread).all()


def test_quantisation_has_at_most_half_a_step_of_error():
    matrix = np.array([[0.0, -1.27, 0.005], [0.0, 0.63, 0.0149]])
    steps, scale = pack.quantised(matrix, axis=0)
    assert steps.tolist() == [[0, -127, 43], [0, 63, 127]]
    assert scale == pytest.approx([0.0, 0.01, 0.0149 / 127])
    steps, scale = pack.quantised(matrix, axis=1)
    assert np.abs(steps * scale[:, None] - matrix).max() <= 1.001 * scale.max() / 2


def test_an_unknown_activation_function_is_an_error():
    config, model = make_model(1, "relu")
    with pytest.raises(Exception, match="activation function swish is not known here"):
        open_in(Engine(), config | {"activation_function": "swish"}, model, make_sae("topk"), 0)
