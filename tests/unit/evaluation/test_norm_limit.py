"""One token of enormous norm, which no autoencoder was trained on: every reader of latents and neurons is silent there.

Its limit is in cfg.json; the model itself reads the token, and where activations are replaced it passes through.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from scripts.monosem.browser import readings
from scripts.monosem.core import artefacts
from scripts.monosem.evaluation.dictionaries.world import neurons
from scripts.monosem.evaluation.documents import to_json
from scripts.monosem.evaluation.fidelity import batch as fidelity_batch
from scripts.monosem.evaluation.fidelity import site as fidelity_site
from scripts.monosem.evaluation.fidelity.baselines import sae_reconstructor
from scripts.monosem.evaluation.interventions import pin
from scripts.monosem.evaluation.latents import stored_codes
from scripts.monosem.evaluation.latents.encode_text import encode, encode_text, text_of
from scripts.monosem.evaluation.latents.interpret import interpret
from scripts.monosem.evaluation.latents.unit_activations import open_subject, read_blocks
from scripts.monosem.evaluation.prompts import prompt_sets
from scripts.monosem.evaluation.representations import texts
from scripts.monosem.sae.model import encode as encode_rows
from scripts.monosem.text.tokens import TokenStream, load_tokens
from tests.helpers import evaluation_world as world

N_TOKENS = 1200


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("huge")
    tokenizer = Tokenizer(models.WordLevel({f"w{token} ": token for token in range(world.VOCAB)}, unk_token="w0 "))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.save(str(root / "tokenizer.json"))
    return world.make_world(root, world.RESIDUAL, world.enlarge, 301) | {"tokenizer": root / "tokenizer.json"}


@pytest.fixture(scope="module")
def subject(folders):
    return open_subject(folders["model"], folders["random"], "cpu")


def unlimited(subject):
    return replace(subject, sae=replace(subject.sae, norm_limit=float("inf")))


def test_codes_of_text_are_empty_at_the_token_and_the_same_at_all_others(folders, subject):
    text = text_of(folders["tokens"], "test", subject.context, N_TOKENS, 0)
    codes, everywhere = encode(subject, text), encode(unlimited(subject), text)
    enormous = text.stream.tokens[codes.places] == world.ENORMOUS
    assert enormous.sum() >= 2 and np.array_equal(codes.places, everywhere.places)  # it keeps its row
    silent, plain = (each.matrix(subject.sae.d_sae) for each in (codes, everywhere))
    assert plain[enormous].nnz > 0 and silent[enormous].nnz == 0
    assert (silent[~enormous] != plain[~enormous]).nnz == 0
    assert plain.max() > 20 * silent.max()


def test_neurons_are_silent_where_latents_are(folders, subject):
    text = text_of(folders["tokens"], "test", subject.context, N_TOKENS, 0)
    blocks, plain = (list(read_blocks(each, text.stream, text.starts)) for each in (subject, unlimited(subject)))
    x, whole = (np.concatenate([block.neurons.numpy() for block in each]) for each in (blocks, plain))
    enormous = np.concatenate([block.tokens[block.kept] for block in blocks]) == world.ENORMOUS
    assert not x[enormous].any() and whole[enormous].any() and np.array_equal(x[~enormous], whole[~enormous])
    assert np.array_equal(neurons(subject, text.stream, text.starts), x)


def test_the_page_reads_neurons_in_the_same_way(folders, subject):
    stored_codes.save(
        encode_text(folders["model"], folders["tokens"], folders["random"], N_TOKENS, 0, "cpu"),
        path := folders["random"] / "codes.npz",
    )
    stream = load_tokens(folders["tokens"], "test")
    reading = readings.of_codes(path, stream)
    of_neurons = readings.of_neurons(subject.model, subject.site, subject.sae, stream, reading)
    enormous = reading.tokens.ravel()[reading.places] == world.ENORMOUS
    assert enormous.any() and of_neurons.activations[enormous].nnz == 0
    assert np.sqrt(of_neurons.activations.multiply(of_neurons.activations).sum(1).max()) < subject.sae.norm_limit


def test_interpretation_shows_no_unit_at_the_token(folders, subject):
    settings = {"units": 6, "examples": 3, "tokens": N_TOKENS}
    interpretation, found, _ = interpret(
        folders["model"], folders["tokens"], folders["tokenizer"], folders["random"], settings, 0, "cpu"
    )
    cards = to_json(interpretation)
    examples = [example for kind in ("latents", "neurons") for card in cards[kind] for example in card["examples"]]
    assert examples and all(example["activation"] < subject.sae.norm_limit for example in examples)
    peaks = {example["tokens"][example["peak"]].strip() for example in examples}
    assert f"w{world.ENORMOUS}" not in peaks
    json.dumps(to_json(found), allow_nan=False)


def test_prompts_and_texts_are_silent_at_the_token(folders, subject):
    ids = [5, world.ENORMOUS, 15]
    f, _ = prompt_sets.read_prompt(subject.model, subject.site, subject.sae, ids, 0)
    assert not f[1].any() and f[0].any() and f[2].any()
    tokenizer = Tokenizer(models.WordLevel({f"w{token}": token for token in range(world.VOCAB)}, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    read = texts.read_text(
        subject.model, subject.site, subject.sae, tokenizer, f"w5 w{world.ENORMOUS} w15", 0, subject.context
    )
    for kind in ("latents", "neurons"):
        activations = np.array(read[kind]["activations"])
        assert not activations[1].any() and activations[0].any(), kind


def test_a_pinned_latent_leaves_the_token_untouched(subject):
    tokens = torch.tensor([[0, 5, world.ENORMOUS, 15]])
    x = torch.randn(4, world.WIDTH, generator=torch.Generator().manual_seed(0))
    x[2] *= 1e4
    latent, value = torch.zeros(4, dtype=torch.long), torch.full((4,), 3.0)
    change = pin.delta(subject.sae, x, latent, value)
    assert not change[2].any() and change[[0, 1, 3]].any(1).all()
    pinned = encode_rows(subject.sae, x)[:, 0]
    assert torch.allclose(change[0], (3.0 - pinned[0]) * subject.sae.W_dec[0])
    alone = tokens[:, :3]  # the only token behind the first that a pin could change is ordinary
    target = pin.Target(subject.model, subject.site, subject.sae)
    assert not torch.equal(pin.pinned_logits(target, alone, 0, 3.0), pin.pinned_logits(target, alone, None))
    assert torch.equal(
        pin.pinned_logits(target, tokens[:, [0, 2]], 0, 3.0), pin.pinned_logits(target, tokens[:, [0, 2]], None)
    )


def test_a_batch_of_such_tokens_alone_is_evaluated(subject):
    stream = repeated(world.ENORMOUS)
    settings = fidelity_batch.Settings(8, 1, 4, True, 0, norm_limit=subject.sae.norm_limit)
    batch = fidelity_batch.make_batch(subject.model, subject.site, stream, np.array([0, 4]), settings)
    assert len(batch.x) == 0 and len(batch.scored_documents) == 4
    x_hat, codes = sae_reconstructor(subject.sae, "random").apply(batch.x)
    assert x_hat.shape == (0, world.WIDTH) and len(codes.values) == 0
    loss, divergence = fidelity_batch.losses(subject.model, subject.site, batch, x_hat)
    assert torch.allclose(loss, batch.reference.loss, atol=1e-5) and float(divergence.max()) < 1e-5


def repeated(token: int, n: int = 9) -> TokenStream:
    """A document of one token, over and over."""
    return TokenStream(
        tokens=np.full(n, token, np.uint16), labels=np.zeros(n, np.uint8), documents=np.array([0, n]),
        characters=np.ones(1, np.int32), natural=np.ones(1, bool), eos_token_id=0, vocab_size=world.VOCAB,
    )  # fmt: skip


def test_a_manifest_without_a_limit_excludes_nothing(folders, tmp_path):
    evaluation = {"tokens": 300, "bootstrap": 5, "reference": "random"}
    activations = tmp_path / "activations"
    activations.mkdir()
    for path in folders["activations"].iterdir():
        (activations / path.name).write_bytes(path.read_bytes())
    manifest = artefacts.read_json(activations / "manifest.json")
    for key in ("norm_limit", "exclude_norm_above", "n_excluded"):
        del manifest[key]
    artefacts.write_json(manifest, activations / "manifest.json")
    result, *_ = fidelity_site.evaluate_site(folders["model"], folders["tokens"], activations, [], evaluation, 0, "cpu")
    assert (result.norms.n_excluded, result.norms.limit, result.norms.exclude_norm_above) == (0, None, None)
