"""The page of a latent in a tiny model whose embedding tells the contexts apart."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models

from scripts import show_features
from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job
from scripts.monosem.evaluation.documents import from_json, to_json
from scripts.monosem.evaluation.features.describe import describe_features, histograms, weight_histogram
from scripts.monosem.evaluation.features.document import Features
from scripts.monosem.evaluation.latents import stored_codes
from scripts.monosem.evaluation.latents.encode_text import encode_text
from scripts.monosem.figures import feature_page
from scripts.monosem.text import corpus, natural_contexts, natural_rules
from tests.helpers import evaluation_world as world
from tests.helpers.running import job

CONTEXTS = {name: {"latent": {"index": index}} for index, name in enumerate(("arabic", "hebrew", "dna", "base64"))}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    folders = world.make_world(root, world.RESIDUAL)
    tokenizer = Tokenizer(models.WordLevel({f"w{token} ": token for token in range(world.VOCAB)}, unk_token="w0 "))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.save(str(root / "tokenizer.json"))
    codes = encode_text(folders["model"], folders["tokens"], folders["exact"], 1200, 0, "cpu")
    stored_codes.save(codes, folders["exact"] / "codes.npz")
    return folders | {"tokenizer": root / "tokenizer.json", "root": root}


def describe(folders, contexts=CONTEXTS, named=None, natural=None):
    return describe_features(
        folders["model"], folders["tokens"], folders["tokenizer"], folders["exact"], folders["exact"] / "codes.npz",
        contexts, natural or {}, named or {"mine": 9}, 0, "cpu",
    )  # fmt: skip


@pytest.fixture(scope="module")
def described(folders):
    features, arrays = describe(folders)
    return json.loads(json.dumps(to_json(features), allow_nan=False)), arrays


def test_the_document_comes_back_from_json(described):
    assert to_json(from_json(Features, described[0])) == described[0]


def test_a_latent_that_is_a_neuron_is_found_to_be_one(described):
    for name, feature in described[0]["features"].items():
        assert feature["neuron"] == feature["latent"]  # [I, -I]: latent i is dimension i where that is positive
        assert feature["neuron_pearson"] == pytest.approx(1, abs=1e-4)
        assert np.array_equal(described[1][f"{name}.vector"], np.eye(world.WIDTH)[feature["latent"]])
        assert feature["n_large_coefficients"] == 1


def test_the_latent_of_a_context_fires_on_its_labels(described):
    for number, name in enumerate(CONTEXTS, start=1):
        counts = described[1][f"{name}.latent.counts.label"]
        assert counts[number].sum() / counts.sum() > 0.9
        assert counts.sum() == described[1][f"{name}.latent.counts.proxy"].sum()
        example = described[0]["features"][name]["examples"][0]
        assert example["activations"][example["peak"]] == max(example["activations"])
        assert len(example["tokens"]) == len(example["activations"]) == len(example["effects"])


def test_ablation_has_an_effect_from_where_the_latent_fires(described):
    for feature in described[0]["features"].values():
        effects = [abs(effect) for example in feature["examples"] for effect in example["effects"]]
        assert max(effects) > 1e-6
        for example in feature["examples"]:
            if not any(example["activations"][:-1]):
                assert max(map(abs, example["effects"])) < 1e-5  # a token has no effect on itself
    assert described[0]["features"]["mine"]["context"] is None
    assert described[0]["features"]["mine"]["proxy_pearson"] is None


def test_samples_side_by_side_are_as_many(described):
    for feature in described[0]["features"].values():
        samples = feature["samples"]
        assert len(samples["normal"]) == len(samples["pinned"]) > 1 and samples["value"] == feature["max_activation"]


def test_a_context_of_natural_text_has_a_page_without_a_proxy(folders, monkeypatch):
    """Here tokens 20 to 29 of natural text are the context; its latent is the second of [I, −I]."""

    def label(stream, pieces, n_documents):
        tokens = np.asarray(stream.tokens[: stream.documents[n_documents]])
        return (tokens >= 20)[:, None] & (tokens < 30)[:, None] & (np.array(natural_rules.CONTEXTS) == "url")

    monkeypatch.setattr(natural_contexts, "label", label)
    monkeypatch.setattr(natural_contexts, "token_bytes", lambda tokenizer: [b"x"] * world.VOCAB)
    features, arrays = describe(folders, {}, {"mine": 9}, {"url": 1})
    page = features.features["url"]
    assert page.labels == (*corpus.LABELS, "url") and page.context == "url" and page.proxy_pearson is None
    counts = arrays["url.latent.counts.label"]
    assert len(counts) == len(page.labels) and counts[-1].sum() / counts.sum() > 0.9
    assert "url.latent.counts.proxy" not in arrays and features.features["mine"].labels == corpus.LABELS
    assert "url.inside" not in arrays or arrays["url.inside"].sum() == 10
    drawn = feature_page.page(to_json(page), {key.removeprefix("url."): value for key, value in arrays.items()})
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == list(page.labels)


def test_a_latent_that_there_is_not_is_named(folders):
    with pytest.raises(artefacts.ArtefactError, match="interpretation.named.mine: expected a latent below 32"):
        describe(folders, {}, {"mine": 32})


def test_histograms_count_every_firing_token_in_its_kind():
    values, kinds = np.array([0.0, 1.0, 2.0, 2.0, 0.5]), np.array([0, 1, 1, 0, 0])
    made = histograms(values, {"kind": (kinds, 2)})
    assert made["counts.kind"].sum(1).tolist() == [2, 2]
    assert made["mass.kind"].sum(1) == pytest.approx([2.5, 3.0])
    assert made["counts.kind"][:, -1].tolist() == [1, 1]  # the largest is in the last bin
    weights = weight_histogram(np.array([-1.0, 0.0, 1.0, 9.0]), np.arange(4) < 3, np.arange(4) == 2)
    assert weights["logits.counts"].sum(1).tolist() == [2, 1]


def test_pages_are_drawn_and_written(described, folders):
    document, arrays = folders["root"] / "features.json", folders["root"] / "features.npz"
    artefacts.write_json(described[0], document)
    artefacts.save_npz(arrays, **described[1])
    pages = [f"{folders['root']}/{name}.html" for name in ("arabic", "mine", "greek")]
    inputs = {
        "features": [str(document)], "arrays": [str(arrays)], "template": "paper/feature.html.j2",
        "style": "paper/report.css",
    }  # fmt: skip
    browsed = [("model", world.RESIDUAL, "exact")]
    made = job(inputs, {"html": pages}, {"browsed": browsed})
    assert isinstance(made, Job)
    show_features.main(made)
    arabic, mine, greek = (artefacts.Path(page).read_text(encoding="utf-8") for page in pages)
    assert "latent 0" in arabic and "log-likelihood proxy of the context is" in arabic and "<svg" in arabic
    assert "latent 9" in mine and "log-likelihood proxy of the context is" not in mine
    assert "no token of this context" in greek and "../browser" not in greek
    assert f'href="../browser/index.html#{described[0]["model"]}/exact/9"' in mine
    for name in ("arabic", "mine", "greek"):
        assert (folders["root"] / f"{name}.svg").stat().st_size > 1000
        assert (folders["root"] / f"{name}.png").stat().st_size > 1000
