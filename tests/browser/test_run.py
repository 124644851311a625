"""The page of a run: on its own test split the page has Python's tokens, and nearly its logits and latents."""

import gzip
import json
import re
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
import torch

from scripts.monosem.core import artefacts
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.sae.model import encode, load_sae
from scripts.monosem.text import bpe, corpus
from tests.helpers.javascript import Engine, as_text

PAGE = Path("results/browser/index.html")
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs results/browser/index.html of a run")

TEXTS = 100
LOGIT, LATENT, EDGE = 0.05, 0.02, 0.05
"""Bounds of rounding the weights: of a logit; of a latent by the largest; of latents in one of both only."""


def content_of(name: str) -> str:
    (arguments,) = re.findall(r"^monosem.receive\((.*)\);\n$", (PAGE.parent / "data" / f"{name}.js").read_text())
    return as_text(gzip.decompress(b64decode(json.loads(f"[{arguments}]")[1])))


@pytest.fixture(scope="module")
def made():
    manifest = json.loads(re.search(r'id="manifest">(.*?)</script>', PAGE.read_text(), re.S)[1])
    entry = manifest["dictionaries"][0]
    assert entry["runs"]
    engine = Engine()
    engine.keep(
        "subject",
        "const [weights, file, text] = all.map((it) => core.readSafetensors(core.fromBase64(it)));"
        "return {layer: 0, model: core.openModel(weights.document, weights.tensors),"
        " sae: core.openSae(file.document.cfg, file.tensors), tokenizer: core.openTokenizer(text.document)}",
        all=[content_of(name) for name in (f"{entry['model']}.weights", entry["file"], f"{entry['text']}.text")],
    )
    (documents,) = Path("results/data").glob("*/documents.jsonl")
    texts = [document.text for document in corpus.read(documents) if document.split == "test"]
    tokenizer = bpe.load_tokenizer(f"results/models/{entry['model']}/tokenizer.json")
    return entry, engine, texts, tokenizer


def test_the_whole_test_split_has_python_s_tokens(made):
    _, engine, texts, tokenizer = made
    for start in range(0, len(texts), 50):
        part = texts[start : start + 50]
        ids = engine.run("return texts.map((text) => core.encode(subject.tokenizer, text))", texts=part)
        assert ids == [tokenizer.encode(text, add_special_tokens=False).ids for text in part]


def test_a_hundred_texts_have_nearly_python_s_logits_and_latents(made):
    entry, engine, texts, tokenizer = made
    model = load_model(f"results/models/{entry['model']}")
    sae = load_sae(f"results/sae/{entry['model']}/{entry['site']}/{entry['run']}")
    context = artefacts.read_json(f"results/models/{entry['model']}/config.json")["n_positions"]
    site, edge, active = sites.resolve(model, entry["site"]), 0, 0
    for number in np.random.default_rng(0).permutation(len(texts))[:TEXTS]:
        ids = tokenizer.encode(texts[number], add_special_tokens=False).ids[: context - 1]
        read = engine.run(
            "return core.readText(subject, ids).tokens.map((token) =>"
            " [Array.from(core.logitsOf(subject.model, token.final)), token.active])",
            ids=ids,
        )
        tokens = torch.tensor([[0, *ids]])
        expected = encode(sae, sites.capture(model, site, tokens, None)[0, 1:]).numpy()
        latents = np.zeros_like(expected)
        for row, (_, found) in zip(latents, read, strict=True):
            for latent, value in found:
                row[latent] = value
        logits = np.array([row for row, _ in read])
        assert np.abs(logits - model(tokens).logits[0, 1:].detach().numpy()).max() < LOGIT
        both = (latents > 0) & (expected > 0)
        assert np.abs(latents - expected)[both].max() < LATENT * expected.max()
        edge, active = edge + ((latents > 0) != (expected > 0)).sum(), active + (expected > 0).sum()
    assert edge < EDGE * active
