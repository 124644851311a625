"""Analyses of made-up activations by the project's own code, so that report and figures meet the keys it writes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import sparse

from scripts.monosem.evaluation.documents import to_json
from scripts.monosem.evaluation.prompts import differential_latents
from scripts.monosem.evaluation.prompts import words as words_of_prompts
from scripts.monosem.evaluation.prompts.prompt_sets import summary as separation_summary
from scripts.monosem.evaluation.representations import cka, compare, words
from scripts.monosem.evaluation.representations.site_activations import SiteActivations, mlp_sites, stream_sites

WINDOWS, CONTEXT = 12, 16
TEXT = {
    "tokens": ["·a", "⏎", "word"],
    "positive_neurons": 2.0,
    "positive_latents": 1.0,
    "top_latents": [
        {"latent": 7, "max_activation": 3.0, "mean_activation": 1.0, "tokens_active": 1, "strongest_on": "word"}
    ],
    "latents": {"index": [7], "activations": [[0.0], [0.0], [3.0]]},
    "neurons": {"index": [3, 1], "activations": [[1.0, -1.0], [0.5, 0.2], [0.1, 0.4]]},
}


def reading(n_layer: int, seed: int) -> SiteActivations:
    """Random vectors that depend on the token, at every layer of a model that there is not."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(1, 9, (WINDOWS, CONTEXT))
    kept = np.ones(tokens.shape, bool)
    kept[:, 0] = False
    base = rng.normal(size=(9, 12))[tokens] + rng.normal(size=(*tokens.shape, 12))
    names = [*stream_sites(n_layer), *mlp_sites(n_layer)]
    return SiteActivations(
        tokens, kept, {name: base + 0.1 * i * rng.normal(size=base.shape) for i, name in enumerate(names)}
    )


def documents(model: str, n_layer: int, peers: list[str], site: str) -> tuple[dict[str, dict], dict[str, np.ndarray]]:
    """Contents of tokens.json, similarity.json, layers.json and arrays.npz."""
    read, stream = reading(n_layer, 0), stream_sites(n_layer)
    identity = {"model": model, "split": "test", "n_tokens": int(read.kept.sum())}
    parts, arrays = {}, {}
    for part, (found, made) in {
        "tokens": compare.token_part(read, stream, 0),
        "similarity": compare.similarity_part(read, stream, 0),
        "layers": compare.layer_part(read, {peer: reading(n_layer, 1) for peer in peers}, {}, stream, 0),
    }.items():
        parts[part] = identity | found
        arrays |= {f"{part}/{key}": value for key, value in made.items()}
    parts["tokens"] |= {"outlier_factor": 5.0, "examples": {"some-text": {site: TEXT}}}
    vocabulary = words.Vocabulary(list("abcdef"), np.arange(6), list(np.split(np.arange(6), 3)), np.arange(6))
    vectors = {kind: [np.random.default_rng(2).normal(size=(6, 5))] * len(stream) for kind in ("in_context", "alone")}
    compared = words.by_site(stream, vectors, vocabulary, 0)
    last = compared[stream[-1]]["in_context"]
    parts["similarity"]["words"] = {"n_words": 6, "n_groups": 3, "sites": compared, "last_layer": last}
    rng, shape = np.random.default_rng(3), (len(read.rows(site)), 4)
    codes = {
        name: sparse.csr_matrix(rng.random(shape) * (rng.random(shape) < 0.5))
        for name in ("blocks.0.mlp.hook_post", "blocks.0.hook_resid_post")
    }
    parts["layers"]["matched"], lines = cka.match_latents(codes, codes, read.window_of_row(), 0)
    parts["layers"]["matched_summary"] = compare.matched_summary(parts["layers"]["matched"])
    return parts, arrays | {f"layers/{name}.matched": line for name, line in lines.items()}


def prompts(folder: Path, model: str, site: str, run: str) -> None:
    """prompts.json and prompts.npz of one autoencoder, from random activations."""
    rng = np.random.default_rng(4)

    def half() -> differential_latents.Half:
        label = np.repeat([True, False], 8)
        values = rng.exponential(size=(16, 20)) * (rng.random((16, 20)) < 0.6)
        values[:, :2] += 1
        values[:, 2] = 0
        return differential_latents.Half(values / 2, values, label)

    halves = half(), half()
    found, masks = differential_latents.compare_with_baseline(*halves, 0.9, 0.05, 5, 0)
    texts = tuple(f"{'glad' if of_set else 'plain'} {row}" for row, of_set in enumerate(halves[0].label))
    read = [words_of_prompts.Prompts(each, texts, rng.normal(size=(16, 3))) for each in halves]
    found = replace(
        found,
        ranking=tuple(replace(row, strongest_on=("·a", "⏎")) for row in found.ranking),
        beside_words=words_of_prompts.beside_words(*read, masks["tested"], found.ranking[0].latent, 0),
    )
    arrays = {f"happy.{name}": mask for name, mask in masks.items()}
    for pooling in differential_latents.POOLINGS:
        arrays |= {f"happy.{pooling}.{side}": rng.random(20) for side in ("set", "baseline")}
    document = {
        "model": model, "site": site, "run": run, "baseline": "neutral", "always_on": 0.9,
        "prompts": {"happy": 16, "neutral": 16}, "sets": {"happy": found},
        "summary": separation_summary({"happy": found}),
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prompts.json").write_text(json.dumps(to_json(document)), encoding="utf-8")
    np.savez(folder / "prompts.npz", **arrays)


def _bounded(value: float) -> dict:
    return {"value": value, "low": value - 0.001, "high": value + 0.001, "n": 9}


def interventions(folder: Path, model: str, site: str, run: str) -> None:
    """interventions.json of one autoencoder."""
    table = [{"text": "·a", "probability": 0.5}]
    row = {
        "latent": 3, "max_activation": 2.0, "doses": [{"dose": 0.0, "share": 0.0}, {"dose": 1.0, "share": 0.7}],
        "at_maximum": _bounded(0.7), "unpinned": _bounded(0.0), "random_mean": 0.0, "random_largest": _bounded(0.1),
        "ablation": {
            "n_tokens_in_context": 9, "random_mean_in_context_nats": 0.0,
            "context": {"latent": 3, "in_context_nats": _bounded(0.2), "elsewhere_nats": _bounded(0.001)},
            "random_largest": {"latent": 4, "in_context_nats": _bounded(0.001), "elsewhere_nats": _bounded(0.0)},
        },
        "examples": {"pinned": ["شعر |"], "next_tokens": table},
    }  # fmt: skip
    text = {
        "latent": 3,
        "tokens": ["a", "b"],
        "loss_nats": [1, 2],
        "change_nats": [0.5, 0],
        "random_change_nats": [0, 0],
    }
    document = {
        "model": model, "site": site, "run": run, "prompt": "Here\n", "samples": 2, "sample_tokens": 8, "n_random": 2,
        "pinned": {"arabic": row, "dna": row | {"ablation": None}},
        "examples": {"free": ["text"], "random": ["text"], "next_tokens": table, "texts": {"some-text": text}},
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "interventions.json").write_text(json.dumps(document), encoding="utf-8")


def make(root: Path, model: str, n_layer: int, peers: list[str]) -> None:
    """The folder of one model's analysis below a folder `results`."""
    parts, arrays = documents(model, n_layer, peers, "blocks.0.mlp.hook_post")
    folder = root / "analysis" / model
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in parts.items():
        (folder / f"{name}.json").write_text(json.dumps(part), encoding="utf-8")
    np.savez(folder / "arrays.npz", **arrays)
