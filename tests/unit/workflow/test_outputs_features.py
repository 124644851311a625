"""Pages of single latents follow from the configuration."""

import copy

from scripts.monosem.text import natural_rules
from scripts.monosem.workflow import outputs_features, plan
from tests.helpers import report_results

PLACE = ("first", report_results.SITE, "wide")


def made(change=None):
    config = copy.deepcopy(report_results.CONFIG)
    if change:
        change(config)
    return config, plan.make_plan(config)


def test_planted_and_natural_contexts_of_the_headline_have_pages():
    pages = outputs_features.pages(*made())
    assert pages == dict.fromkeys(("arabic", "hebrew", "dna", "base64", *natural_rules.CONTEXTS), PLACE)
    assert outputs_features.files(*made(), ".html")[0] == "results/features/arabic.html"


def test_nothing_planted_leaves_the_natural_ones():
    pages = outputs_features.pages(*made(lambda config: config["corpus"]["planted"].update(share=0.0)))
    assert list(pages) == list(natural_rules.CONTEXTS)


def test_a_headline_that_is_not_interpreted_has_no_page():
    assert outputs_features.pages(*made(lambda config: config["interpretation"].update(use=[]))) == {}


def test_named_latents_have_pages_beside_them():
    deep = {"model": "chapters.language_model", "site": "blocks.2.hook_resid_post", "run": "narrow", "latent": 5}
    config, the_plan = made(lambda config: config["interpretation"].update(named={"mine": deep, "none": None}))
    place = ("deep", "blocks.2.hook_resid_post", "narrow")
    assert outputs_features.pages(config, the_plan)["mine"] == place
    assert outputs_features.latents(config, place) == {"mine": 5} and outputs_features.latents(config, PLACE) == {}
    results = outputs_features.results(config, the_plan, "features.json")
    assert results == [f"results/evaluation/{'/'.join(each)}/features.json" for each in (PLACE, place)]
