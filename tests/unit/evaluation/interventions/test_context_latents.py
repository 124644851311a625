"""Latents of planted contexts, pinned and ablated: choice, controls, and the document that comes out."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from scripts.monosem.evaluation.documents import from_json, to_json
from scripts.monosem.evaluation.interventions.context_latents import bounded, pin_context_latents
from scripts.monosem.evaluation.interventions.document import ContextInterventions
from scripts.monosem.evaluation.latents.interpret import interpret
from tests.helpers import evaluation_world as world

SETTINGS = {
    "doses": [0, 2], "samples": 2, "sample_tokens": 4, "random_latents": 3, "tokens": 800, "prompt": "w3 w4",
    "texts": {"some": "w11 w12 w3"},
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folders = world.make_world(tmp_path_factory.mktemp("world"), world.RESIDUAL)
    tokenizer = Tokenizer(models.WordLevel({f"w{token}": token for token in range(world.VOCAB)}, unk_token="w1"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    path = folders["model"] / "tokenizer.json"
    tokenizer.save(str(path))
    place = (folders["model"], folders["tokens"], path, folders["exact"])
    _, contexts, _ = interpret(*place, {"units": 2, "examples": 1, "tokens": 1200}, 0, "cpu")
    pinned = pin_context_latents(*place, to_json(contexts), SETTINGS, 0, "cpu")
    return contexts, pinned


def test_the_best_latent_of_each_context_is_pinned_at_its_doses(results):
    contexts, document = results
    assert {name: row.latent for name, row in document.pinned.items()} == {
        name: row.latent.index for name, row in contexts.contexts.items()
    }
    for row in document.pinned.values():
        assert [dose.dose for dose in row.doses] == [0, 1.0, 2]
        assert len(row.examples.pinned) == 2 and len(row.examples.next_tokens) == 5
    assert document.n_random == 3 and len(document.examples.random) == 2
    assert document.sample_tokens == 4


def test_a_mean_has_its_interval_over_units_with_any_count():
    made = bounded(np.array([1.0, 3.0, 0.0]), np.array([1.0, 1.0, 0.0]))
    assert (made.value, made.low, made.high, made.n) == (2.0, 1.0, 3.0, 2)


def test_ablation_counts_tokens_inside_and_outside_of_the_context(results):
    for row in results[1].pinned.values():
        assert row.ablation.n_tokens_in_context > 0
        largest = row.ablation.random_largest.in_context_nats
        assert row.ablation.random_mean_in_context_nats <= largest.value
        assert largest.low <= largest.value <= largest.high
    text = results[1].examples.texts["some"]
    assert len(text.tokens) == len(text.change_nats) == 3


def test_the_document_comes_back_from_json(results):
    document = json.loads(json.dumps(to_json(results[1]), allow_nan=False))
    assert from_json(ContextInterventions, document) == results[1]
