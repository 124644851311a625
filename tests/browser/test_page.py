"""The feature browser in headless Chromium, opened from disk: what it shows is what Python computes."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from scripts.monosem.browser import build
from scripts.monosem.core import artefacts
from scripts.monosem.evaluation.interventions import pin
from scripts.monosem.evaluation.latents.logit_weights import logit_weights
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.sae.model import encode, load_sae
from scripts.monosem.text import bpe
from tests.browser.driver import CHROMEDRIVER, CHROMIUM, Browser
from tests.helpers import browser_world as world

pytestmark = pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="needs Chromium and chromedriver")
TEXT = "The user's array isn't كتب ACGT naïve."


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A page, and the subject that it opens first: model, site, autoencoder, tokenizer, source."""
    root = tmp_path_factory.mktemp("page")
    here = world.make_world(root)
    build.build(here.sources, 1000, 0, world.PIECES, root / "browser" / "index.html")
    source = here.sources[0]
    model = load_model(source.model)
    site = sites.resolve(model, world.SITE)
    tokenizer = bpe.load_tokenizer(source.model / "tokenizer.json")
    return root / "browser" / "index.html", model, site, load_sae(source.sae), tokenizer, source


@pytest.fixture(scope="module")
def browser(made):
    window = Browser()
    yield window
    window.close()


@pytest.fixture
def page(made, browser):
    """The page as at a first visit; afterwards the console is empty and nothing was asked of another place."""
    browser.log(), browser.log("performance")
    browser.open(made[0])
    browser.run("localStorage.clear()")
    yield browser
    assert browser.log() == []
    asked = re.findall(
        r'"Network\.requestWillBeSent".*?"url":"(.*?)"', " ".join(e["message"] for e in browser.log("performance"))
    )
    folder = made[0].parent.as_uri()
    assert [url for url in asked if not url.startswith((folder, "data:", "blob:"))] == []


def write(page, text):
    page.run("const area = document.getElementById('yours'); area.value = ''; area.dispatchEvent(new Event('input'))")
    page.type("#yours", text)
    page.wait("return [...document.querySelectorAll('.tokens .tok')].length > 0")


def change(page, name, value, event="change"):
    """Set a control as a person does who moves it."""
    page.run(
        "const [name, value, event] = arguments, control = document.getElementById(name);"
        "control.value = value; control.dispatchEvent(new Event(event))",
        name, value, event,
    )  # fmt: skip


def latents_in_python(made, text):
    _, model, site, sae, tokenizer, _ = made
    ids = [0, *tokenizer.encode(text, add_special_tokens=False).ids]
    x = sites.capture(model, site, torch.tensor([ids]), None)[0, 1:]
    return ids, encode(sae, x).numpy()


def test_typed_text_has_python_s_tokens_and_strongest_latents(made, page):
    write(page, TEXT)
    ids, latents = latents_in_python(made, TEXT)
    page.wait("return document.querySelectorAll('.tokens .tok').length === arguments[0]", len(ids) - 1)
    shown = page.run("return [...document.querySelectorAll('.tokens .tok')].map((t) => t.textContent).join('')")
    assert shown.replace("…", "") == TEXT
    rows = page.run(
        "return [...document.querySelectorAll('#text .bars li')].map((row) =>"
        " [row.querySelector('b').textContent, row.querySelector('.number').textContent])"
    )
    largest = latents.max(0)
    assert len(rows) == 14
    for latent, value in rows:
        assert float(value) == pytest.approx(largest[int(latent)], rel=0.03, abs=0.006)
    assert float(rows[0][1]) == pytest.approx(largest.max(), rel=0.03)


def test_tokens_are_coloured_by_the_open_latent(made, page):
    write(page, TEXT)
    _, latents = latents_in_python(made, TEXT)
    latent = int(latents.max(0).argmax())
    page.go(f"#a/topk-96/{latent}")
    coloured = page.run(
        "return [...document.querySelectorAll('.tokens .tok')].map((t) => t.getAttribute('style') !== '')"
    )
    assert coloured == (latents[:, latent] > 0).tolist()
    label = page.run(f"return document.querySelectorAll('.tokens .tok')[{int(latents[:, latent].argmax())}].ariaLabel")
    assert float(label.split("activation ")[1]) == pytest.approx(latents[:, latent].max(), rel=0.03)


def test_a_token_shows_its_latents_and_leads_to_their_pages(made, page):
    write(page, TEXT)
    _, latents = latents_in_python(made, TEXT)
    page.click(".tokens .tok[data-place='2']")
    active = page.run("return [...document.querySelectorAll('#text a.unit b')].map((b) => Number(b.textContent))")
    strongest = int(latents[2].argmax())
    assert active[0] == strongest and len(active) <= 6
    page.click("#text a.unit")
    page.wait("return document.querySelector('main h2').textContent === arguments[0]", f"Latent {strongest}")
    assert page.run("return location.hash") == f"#a/topk-96/{strongest}"


def test_steering_has_python_s_next_tokens_and_seeded_samples(made, page):
    _, model, site, sae, tokenizer, _ = made
    write(page, "The array")
    ids, latents = latents_in_python(made, "The array")
    latent = int(latents.max(0).argmax())
    page.go(f"#a/topk-96/{latent}")
    largest = float(page.run("return document.querySelectorAll('.facts dd')[1].textContent"))
    for dose in (2, 0):
        page.run(
            "const s = document.getElementById('dose'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))",
            dose,
        )
        rows = page.run(
            "const rows = [...document.querySelectorAll('.steer tbody tr')];"
            "return rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
        )
        tokens = torch.tensor([ids])
        free, pinned = (
            pin.pinned_logits(pin.Target(model, site, sae), tokens, *edit)[0, -1].softmax(-1).numpy()
            for edit in ((None,), (latent, dose * largest))
        )
        for column, expected in ((1, free), (3, pinned)):
            shown = [float(row[column].removesuffix(" %")) for row in rows]
            assert shown == pytest.approx((100 * np.sort(expected)[::-1][: len(rows)]).tolist(), rel=0.05, abs=0.1)
    change(page, "dose", 4, "input")
    page.click("#continue")
    samples = "return [...document.querySelectorAll('.sample')].map((s) => s.textContent)"
    first = page.run(samples)
    page.click("#continue")
    assert page.run(samples) == first and first[0] and first[0] != first[1]
    change(page, "seed", 7)
    assert page.run(samples) != first


def choose(page, way, query=None):
    page.run(
        "const w = document.getElementById('way'); w.value = arguments[0]; w.dispatchEvent(new Event('change'))", way
    )
    if query is not None:
        page.run("document.getElementById('query').value = ''")
        page.type("#query", query)
    return page.run("return [...document.querySelectorAll('.unit-row b')].map((b) => Number(b.textContent))")


def test_search_by_token_text_context_and_raised_token(made, page):
    write(page, "ACGT")
    ids, latents = latents_in_python(made, "ACGT")
    page.go("#a/topk-96")
    active = choose(page, "text")
    assert set(active) <= set(np.flatnonzero(latents.max(0) > 0.01).tolist()) and active[0] == latents.max(0).argmax()
    fires = choose(page, "token", "array")
    assert fires and "array" in page.run("return document.querySelector('.unit-row .chips').textContent")
    raised = choose(page, "raises", "array")
    _, model, site, sae, tokenizer, _ = made
    token = tokenizer.encode("array", add_special_tokens=False).ids[0]
    direct = logit_weights(model, site, sae.W_dec)[:, token].argsort(descending=True)[:8].tolist()
    assert set(raised[:3]) <= set(direct)
    choose(page, "context")
    change(page, "label", "dna")
    dna = page.run("return [...document.querySelectorAll('.unit-row b')].map((b) => Number(b.textContent))")
    page.go(f"#a/topk-96/{dna[0]}")
    assert "are dna" in page.run("return document.querySelector('.facts').textContent")
    page.go("#a/topk-96")
    assert page.run("return document.getElementById('way').value") == "context"


def test_a_long_list_draws_only_the_rows_in_sight(page):
    page.go("#a/topk-96")
    choose(page, "all")
    rows = "return [...document.querySelectorAll('.unit-row b')].map((b) => Number(b.textContent))"
    page.run("document.querySelector('.list').style.height = '200px'; document.querySelector('.list').scrollTop = 0")
    page.run("document.querySelector('.list').scrollTop = 1e6")
    page.wait("return [...document.querySelectorAll('.unit-row b')].at(-1).textContent === '95'")
    assert len(page.run(rows)) < 30
    change(page, "sort", "density")
    densities = page.run(
        "const densities = [...document.querySelectorAll('.unit-row .number:nth-child(3)')];"
        "return densities.map((each) => parseFloat(each.textContent))"
    )
    assert densities == sorted(densities, reverse=True)


def test_permalinks_neurons_other_models_and_wrong_addresses(page):
    for hash_, title in (
        ("#a/neurons/7", "Neuron 7"),
        ("#b/topk-96/5", "Latent 5"),
        ("#c/topk-80/3", "Latent 3"),
        ("#a/topk-64", "a · topk-64"),
    ):
        page.go(hash_)
        assert page.run("return document.querySelector('main h2').textContent") == title
    assert page.run("return document.getElementById('yours').hidden") is False
    page.go("#c/topk-80/3")
    assert page.run("return document.getElementById('yours').hidden") is True
    assert "does not run in this page" in page.run("return document.getElementById('yours-note').textContent")
    for wrong in ("#a/topk-96/96", "#a/topk-9", "#a/topk-96/x"):
        page.run("location.hash = arguments[0]", wrong)
        page.wait("return document.querySelector('main h2').textContent === 'Not here'")


def test_keys(page):
    page.run("document.activeElement.blur()")
    page.type("body", "r")
    page.wait("return /^#a\\/topk-96\\/\\d+$/.test(location.hash)")
    page.go("#a/topk-96")
    page.type("body", "/")
    assert page.run("return document.activeElement.id") == "way"
    page.run("document.querySelector('.tokens .tok').focus()")
    page.type(".tokens .tok", "\ue014\ue014")  # the right arrow, twice
    assert page.run("return document.querySelector('.tok[aria-pressed=true]').dataset.place") in ("1", "2")
    page.run("document.querySelector('.list').focus()")
    page.type(".list", "\ue015")
    assert page.run("return document.activeElement.className") == "unit-row"


def test_a_text_longer_than_the_context_is_read_in_parts(made, page):
    write(page, "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h")
    page.wait("return document.querySelectorAll('.tokens .part').length > 0")
    assert "in parts of 31" in page.run("return document.getElementById('yours-note').textContent")


CONTRAST = """
const style = getComputedStyle(document.documentElement);
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
function rgb(name) {
  canvas.fillStyle = style.getPropertyValue(name);
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
}
function luminance(name) {
  const [r, g, b] = rgb(name).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
return arguments[0].map(([a, b]) => {
  const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
  return [a, b, (x + 0.05) / (y + 0.05)];
});
"""


def test_colours_have_the_contrast_of_wcag_aa(page):
    grounds = ("--ground", "--panel", "--mark")
    pairs = [(ink, ground) for ink in ("--ink", "--soft", "--accent") for ground in grounds]
    pairs += [("--ink", "--heat"), ("--accent-ink", "--accent")]
    for theme in ("light", "dark"):
        page.run("document.documentElement.dataset.theme = arguments[0]", theme)
        low = [row for row in page.run(CONTRAST, pairs) if row[2] < 4.5]
        assert low == [], theme


def test_every_control_has_a_name_and_headings_are_in_order(page):
    page.go("#a/topk-96/3")
    nameless = page.run(
        "const controls = 'button, select, input, textarea, a[href], [role=button], svg[role=img]';"
        "const named = (e) => e.ariaLabel || e.textContent.trim() || e.labels?.length;"
        "return [...document.querySelectorAll(controls)].filter((e) => !named(e)).map((e) => e.outerHTML)"
    )
    assert nameless == []
    levels = page.run("return [...document.querySelectorAll('h1, h2, h3')].map((e) => Number(e.tagName[1]))")
    assert levels[0] == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))
    assert page.run("return document.documentElement.lang && document.title.includes('latent 3')")


def test_a_phone_shows_everything_without_scrolling_sideways(made):
    phone = Browser(width=390, height=844)
    try:
        for hash_ in ("#a/topk-96", "#a/topk-96/3", "#c/topk-80/3"):
            phone.open(made[0], hash_)
            assert phone.run("return document.documentElement.scrollWidth <= innerWidth"), hash_
    finally:
        phone.close()


def test_a_missing_file_is_named(made, page, tmp_path):
    shutil.copytree(made[0].parent, tmp_path / "moved")
    (tmp_path / "moved" / "data" / "a.weights.js").unlink()
    window = Browser()
    try:
        window._call("POST", f"{window.session}/url", {"url": (tmp_path / "moved" / "index.html").as_uri()})
        window.wait("return document.querySelector('main').textContent.includes('data/a.weights.js is missing')")
    finally:
        window.close()


def test_scores_and_sets_of_prompts_are_on_their_latents_pages(made, browser, tmp_path):
    """With results of both: patterns, means of other populations, samples; and both are ways to find latents."""
    source = made[5]
    unit = {"index": 3, "density": 0.1, "scores": {"n2g_f1": 0.75, "token_f1": None}, "logit_tokens": ["x"]}
    unit["patterns"] = [{"tokens": ["The", None, "\n"], "activation": 2.5}]
    populations = {"latents": [unit], "neurons": []}
    estimate = {"value": 0.25, "low": 0.2, "high": 0.3, "n": 9, "median": 0.2}
    sample = {"n_units": 9, "scores": {"n2g_f1": estimate}, "by_interval": {}, "above": {}}
    population = {"what": "neurons", "n_live": 9, "raw": sample, "equal_density": sample}
    identity = {"model": "a", "site": world.SITE, "run": "topk-96"}
    explanations = tmp_path / "explanations.json"
    artefacts.write_json({**identity, "populations": populations}, explanations)
    scores = {**identity, "control": None, "judge": "b", "n_tokens": {}, "conventions": {}}
    artefacts.write_json({**scores, "populations": {"neurons": population}}, tmp_path / "scores.json")
    rank = {"latent": 3, "mean_correlation": 0.5, "fires_on_set": 1.0, "fires_on_baseline": 0.0, "auc_mean": 0.9}
    rank |= {"auc_max": 0.9, "confirmed_mean": True, "confirmed_max": False, "strongest_on": []}
    counts = {"n_prompts": [4, 4], "n_baseline": [4, 4], "n_latents": 96, "n_always_on": 0, "n_tested": 96}
    sets = {"happy": {**counts, "poolings": {}, "ranking": [rank]}}
    weakest = {"least_confirmed": 0, "greatest_share_of_shuffles": 0.0}
    prompts = {**identity, "conventions": {}, "baseline": "calm", "false_discovery_rate": 0.05, "always_on": 0.9}
    prompts |= {"mean_length_tokens": {}, "prompts": {}, "sets": sets, "summary": weakest}
    artefacts.write_json(prompts, tmp_path / "prompts.json")
    artefacts.write_json({"features": {"arabic": {"latent": 3}}}, tmp_path / "features.json")
    with_both = replace(
        source, explanations=explanations, prompts=tmp_path / "prompts.json", features=tmp_path / "features.json"
    )
    build.build([with_both], 1000, 0, world.PIECES, tmp_path / "browser" / "index.html")
    browser.open(tmp_path / "browser" / "index.html", "#a/topk-96/3")
    text = browser.run("return document.querySelector('main').textContent")
    assert "The" in text and "any" in text and "⏎" in text and "n2g f1" in text
    assert browser.run("return [...document.querySelectorAll('.scroll tbody tr')].map((r) => r.textContent)") == [
        "n2g f10.750.25", "token f1––",
    ]  # fmt: skip
    own = "return [...document.querySelectorAll('main a[href^=\"../features/\"]')].map((a) => a.getAttribute('href'))"
    assert browser.run(own) == ["../features/arabic.html"]
    assert "Number 1 of the set of prompts “happy”" in text and "confirmed on other prompts" in text
    browser.go("#a/topk-96")
    assert choose(browser, "scored") == [3] and choose(browser, "moods") == [3]
    browser.go("#a/topk-96/4")
    assert browser.run(own) == []
    assert "Not among the 1 latents that were scored" in browser.run(
        "return document.querySelector('main').textContent"
    )
    assert browser.log() == []
