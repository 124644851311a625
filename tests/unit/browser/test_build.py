"""The page is whole: its files are those that the plan of a run names, and what they hold is what Python computes."""

import gzip
import json
import re
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from scripts.monosem.browser import build, names, readings
from scripts.monosem.core import artefacts
from scripts.monosem.evaluation.latents.logit_weights import logit_weights
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.sae.model import encode, load_sae
from scripts.monosem.text.tokens import load_tokens
from scripts.monosem.workflow import outputs_browser, plan
from tests.helpers import browser_world as world
from tests.helpers.javascript import Engine, as_text


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("browser")
    here = world.make_world(root)
    artefacts.write_json({"features": {"arabic": {"latent": 7}, "url": {"latent": 7}}}, root / "features.json")
    here = replace(here, sources=[replace(here.sources[0], features=root / "features.json"), *here.sources[1:]])
    page = root / "browser" / "index.html"
    build.build(here.sources, 1000, 0, world.PIECES, page)
    return here, page


def content_of(page: Path, name: str) -> bytes:
    text = (page.parent / "data" / f"{name}.js").read_text()
    (arguments,) = re.findall(r"^monosem.receive\((.*)\);\n$", text)
    given, packed = json.loads(f"[{arguments}]")
    assert given == name
    return gzip.decompress(b64decode(packed))


def tables_of(page: Path, name: str) -> dict[str, np.ndarray]:
    return load(content_of(page, name))


def manifest_of(page: Path) -> dict:
    return json.loads(re.search(r'id="manifest">(.*?)</script>', page.read_text(), re.S)[1])


def test_the_plan_names_the_files(made, monkeypatch):
    here, page = made
    places = tuple((s.model.name, world.SITE, s.sae.name) for s in here.sources)
    kinds = {"a": "train", "b": "train", "c": "pretrained"}
    shape = {"n_layer": 1, "n_embd": 32, "n_inner": 48}
    monkeypatch.setattr(plan, "kind_of", lambda _, model: kinds[model])
    monkeypatch.setattr(plan, "architecture", lambda _, model: shape)
    monkeypatch.setattr(plan, "tokenizer_of", lambda _, model: "bpe-380")
    config = {"tokenizer": {"vocab_size": 380}}
    planned = outputs_browser.data_files(config, SimpleNamespace(browsed=places))
    assert sorted(Path(path).name for path in planned) == sorted(path.name for path in (page.parent / "data").iterdir())


def test_a_large_model_another_site_and_a_pretrained_model_do_not_run_in_the_page():
    small = {"n_layer": 1, "n_embd": 128, "n_inner": 512, "vocab_size": 4096}
    assert names.runs_in_page("train", small, "blocks.0.mlp.hook_post")
    assert not names.runs_in_page("train", small, "blocks.0.hook_resid_post")
    assert not names.runs_in_page("pretrained", small, "blocks.0.mlp.hook_post")
    large = small | {"n_embd": 768, "n_inner": 3072, "n_layer": 12}
    assert not names.runs_in_page("train", large, "blocks.0.mlp.hook_post")


def test_the_manifest_has_everything_once(made):
    _, page = made
    manifest = manifest_of(page)
    assert [(d["model"], d["run"], d["runs"]) for d in manifest["dictionaries"]] == [
        ("a", "topk-96", True), ("a", "topk-64", True), ("b", "topk-96", True), ("c", "topk-80", False),
        ("a", "neurons", True), ("b", "neurons", True),
    ]  # fmt: skip
    kinds = [[(r["model"], r["run"], r["kind"]) for r in d["relations"]] for d in manifest["dictionaries"][:2]]
    assert kinds == [
        [("a", "topk-64", "narrower"), ("b", "topk-96", "seed")],
        [("a", "topk-96", "wider"), ("b", "topk-96", "seed")],
    ]
    assert [text["split"] for text in manifest["texts"]] == ["test", "train"]


def test_nothing_comes_from_outside_and_nothing_tells_of_this_machine(made):
    here, page = made
    text = page.read_text()
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"|@import|url\(', text)
    assert "default-src 'none'" in text and str(here.root) not in text
    for path in (page.parent / "data").iterdir():
        assert str(here.root).encode() not in content_of(page, path.stem)


@pytest.mark.parametrize("which", [0, 3])
def test_examples_have_the_activations_that_model_and_autoencoder_give(made, which):
    """Of held-out text for a model that runs in the page, of the train split for one that does not."""
    here, page = made
    source = here.sources[which]
    entry = manifest_of(page)["dictionaries"][which]
    tables, text = tables_of(page, entry["file"]), tables_of(page, f"{entry['text']}.text")
    model, sae = load_model(source.model), load_sae(source.sae)
    x = sites.capture(model, sites.resolve(model, world.SITE), torch.tensor(text["tokens"].astype(np.int64)), 0)
    dense = encode(sae, x.reshape(-1, 48)).numpy()
    checked = 0
    for unit in np.flatnonzero(tables["max"] > 0)[:20]:
        place = tables["example_places"][unit, 0]
        assert dense[place, unit] == pytest.approx(tables["max"][unit], rel=2e-3)
        for place, around in zip(tables["example_places"][unit], tables["example_activations"][unit], strict=True):
            if place != build.units.NO_PLACE:
                assert around[8] == pytest.approx(255 * dense[place, unit] / tables["max"][unit], abs=1.5)
                checked += 1
    assert checked > 40


def test_neurons_are_those_of_the_model(made):
    here, page = made
    tables, text = tables_of(page, f"a.{world.SITE}.neurons"), tables_of(page, "bpe-380.text")
    model = load_model(here.sources[0].model)
    x = sites.capture(model, sites.resolve(model, world.SITE), torch.tensor(text["tokens"].astype(np.int64)), 0)
    assert tables["max"] == pytest.approx(x[:, 1:].reshape(-1, 48).amax(0).numpy(), rel=1e-3)


def test_logit_weights_of_a_model_that_does_not_run_are_in_its_file(made):
    here, page = made
    source = here.sources[3]
    tables, text = tables_of(page, f"c.{world.SITE}.topk-80"), tables_of(page, f"c.{world.SITE}.text")
    model, usual = load_model(source.model), np.zeros(world.VOCAB, bool)
    usual[text["usual"]] = True
    weights = logit_weights(model, sites.resolve(model, world.SITE), load_sae(source.sae).W_dec, usual).numpy()
    weights[:, ~usual] = np.nan
    assert (tables["raises"][:, 0] == np.nanargmax(weights, 1)).all()
    assert (tables["lowers"][:, 0] == np.nanargmin(weights, 1)).all()
    assert tables["lowers_weights"][:, 0] == pytest.approx(np.nanmin(weights, 1), rel=1e-3)


def test_the_page_s_files_make_a_model_that_computes_python_s_latents(made):
    here, page = made
    source, engine = here.sources[0], Engine()
    engine.keep(
        "subject",
        "const [weights, file, text] = all.map((it) => core.readSafetensors(core.fromBase64(it)));"
        "return {layer: 0, model: core.openModel(weights.document, weights.tensors),"
        " sae: core.openSae(file.document.cfg, file.tensors), tokenizer: core.openTokenizer(text.document)}",
        all=[as_text(content_of(page, name)) for name in ("a.weights", f"a.{world.SITE}.topk-96", "bpe-380.text")],
    )
    model, sae = load_model(source.model), load_sae(source.sae)
    for sentence in world.SENTENCES:
        read = engine.run(
            "return core.readText(subject, core.encode(subject.tokenizer, text)).tokens.map((t) => [t.id, t.active])",
            text=sentence,
        )[: world.CONTEXT - 1]
        ids = torch.tensor([[0, *(token for token, _ in read)]])
        x = sites.capture(model, sites.resolve(model, world.SITE), ids, None)[0, 1:]
        expected = encode(sae, x).numpy()
        for (_, active), row in zip(read, expected, strict=True):
            bound = 0.02 * expected.max()  # of rounding to 8 bits
            for latent, value in active:
                smallest = np.sort(row)[-6]
                assert abs(row[latent] - value) < bound or (row[latent] == 0 and value < smallest + bound)


def test_activations_of_another_seed_are_refused(made):
    here, _ = made
    source = here.sources[3]
    stream, sae = load_tokens(source.tokens, "train"), load_sae(source.sae)
    with pytest.raises(artefacts.ArtefactError, match="not those of the windows that seed 5 gives"):
        readings.of_stored_activations(source.read.parent, sae, stream, 1000, 5)


def test_latents_with_a_page_of_their_own_name_it(made):
    first, *others = manifest_of(made[1])["dictionaries"]
    assert first["pages"] == {"arabic": 7, "url": 7}
    assert all(each["pages"] == {} for each in others)


def test_permalinks_are_those_of_the_page():
    browsed = [("a", "x", "one"), ("a", "y", "one"), ("a", "x", "two")]
    assert names.permalink(browsed, ("a", "x", "two"), 7) == "#a/two/7"
    assert names.permalink(browsed, ("a", "y", "one"), 7) == "#a/y/one/7"
    assert names.permalink(browsed, ("b", "x", "one"), 7) is None
