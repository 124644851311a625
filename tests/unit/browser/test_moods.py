"""Sets of prompts on the page: rankings as they are, samples of the best latents."""

import numpy as np
import pytest

from scripts.monosem.browser import moods
from scripts.monosem.evaluation.interventions import pin
from scripts.monosem.evaluation.prompts.document import PromptSets, RankedLatent, SetComparison, WeakestSet
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.sae.model import load_sae
from scripts.monosem.text import bpe
from tests.helpers import browser_world as world


def ranked(latent: int) -> RankedLatent:
    return RankedLatent(latent, 0.5, 1.0, 0.0, 0.9, 0.9, confirmed_mean=latent % 2 == 0, confirmed_max=False)


def comparison(latents: list[int]) -> SetComparison:
    return SetComparison(
        n_prompts=(4, 4), n_baseline=(4, 4), n_latents=96, n_always_on=0, n_tested=96, poolings={},
        ranking=tuple(map(ranked, latents)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    source = world.make_world(tmp_path_factory.mktemp("moods")).sources[0]
    model = load_model(source.model)
    target = pin.Target(model, sites.resolve(model, world.SITE), load_sae(source.sae))
    sets = {"calm": comparison([3, 4, 5]), "happy": comparison([7, 8, 9, 10])}
    prompts = PromptSets("a", world.SITE, "topk-96", {}, "calm", 0.05, 0.9, {}, {}, sets, WeakestSet(0, 0.0))
    tokenizer, largest = bpe.load_tokenizer(source.model / "tokenizer.json"), np.full(96, 20.0, np.float32)
    return target, tokenizer, prompts, largest


def test_the_best_latents_of_every_set_but_the_baseline_have_samples(made):
    target, tokenizer, prompts, largest = made
    document = moods.moods_of(target, tokenizer, 0, world.CONTEXT, prompts, largest, 0)
    assert list(document.sets) == ["happy"]
    assert [each.latent for each in document.sets["happy"]] == [7, 8, 9, 10]
    assert [each.confirmed for each in document.sets["happy"]] == [False, True, False, True]
    assert [each.sample is None for each in document.sets["happy"]] == [False, False, True, True]
    assert document == moods.moods_of(target, tokenizer, 0, world.CONTEXT, prompts, largest, 0)


def test_a_sample_is_that_of_its_own_latent(made):
    """Pinned alone, a latent writes the same text as among the others; nothing pinned writes the free text."""
    target, tokenizer, prompts, largest = made
    document = moods.moods_of(target, tokenizer, 0, world.CONTEXT, prompts, largest, 0)
    prompt = pin.encoded_prompt(tokenizer, moods.PROMPT, 0, world.CONTEXT)
    n = min(moods.TOKENS, world.CONTEXT - len(prompt))
    seed = moods.derive_seed(0, "moods") % 2**32
    for active, unit, expected in ((True, 8, document.sets["happy"][1].sample), (False, 0, document.free)):
        pins = pin.Pins(np.array([unit]), np.array([20.0]), np.array([active]), np.zeros(1, np.int64))
        ids, _ = pin.sample(target, prompt, pins, n, seed)
        assert pin.decoded(tokenizer, ids) == (expected,)
    assert document.free != document.sets["happy"][0].sample
