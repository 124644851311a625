"""universality.json: one model beside another seed, and beside what chance and permuted weights give."""

from collections.abc import Mapping

import numpy as np

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.dictionaries import universality
from scripts.monosem.evaluation.dictionaries.codes import Side
from scripts.monosem.evaluation.dictionaries.document import Universality
from scripts.monosem.evaluation.dictionaries.world import World
from scripts.monosem.evaluation.documents import Estimate
from scripts.monosem.text import corpus

SCATTER_POINTS = 1500
"""Tokens in the scatter of a case."""


def universality_part(
    world: World, case_latents: Mapping[str, int], seed: int
) -> tuple[Universality, dict[str, np.ndarray]]:
    """Match latents and neurons of the model with those of the second seed, and of the controls."""
    model, second, tokens = world.model, world.second, world.tokens
    scored: dict[str, universality.Scored] = {}

    def compare(name: str, left: Side, right: Side) -> None:
        pairs = universality.choose(left.units, right.units, tokens)
        scored[name] = universality.score(left, right, pairs, tokens, world.weights, world.usual)

    for kind in ("latents", "neurons"):
        mine, theirs = getattr(model, kind), getattr(second, kind)
        compare(kind, mine, theirs)
        moved = universality.permuted(theirs.units, tokens, derive_seed(seed, "permuted tokens", kind))
        compare(f"{kind}_permuted_tokens", mine, Side(moved, theirs.logit_weights))
        if world.control:
            compare(f"{kind}_permuted_model", mine, getattr(world.control, kind))
    endings = {"true": "", "permuted_tokens": "_permuted_tokens", "permuted_model": "_permuted_model"}

    def advantages(kind: str) -> dict[str, Estimate]:
        return {
            name: universality.advantage(scored[f"latents{ending}"], scored[f"neurons{ending}"], kind)
            for name, ending in endings.items()
            if f"latents{ending}" in scored
        }

    cases = {}
    for name, latent in case_latents.items():
        label = tokens.label == corpus.LABELS.index(name)
        matched = universality.case(
            scored["latents"], model.latents.units, second.latents.units, latent, label, tokens, world.reader.examples
        )
        if matched:
            cases[name] = matched
    document = Universality(
        **world.identity(),
        run=model.latents.units.name,
        against=second.name,
        control=world.control and world.control.name,
        conventions=universality.CONVENTIONS,
        subjects={name: universality.summarise(each) for name, each in scored.items()},
        advantage=advantages("activation"),
        attribution_advantage=advantages("attribution"),
        cases=cases,
    )
    rng = np.random.default_rng(derive_seed(seed, "scatter"))
    scatters = {}
    for name, row in cases.items():
        a, b = (
            units.activations[:, [unit]].toarray().ravel()
            for units, unit in ((model.latents.units, row.latent), (second.latents.units, row.match))
        )
        rows = np.flatnonzero(((a > 0) | (b > 0)) & tokens.scored)
        rows = np.sort(rng.permutation(rows)[:SCATTER_POINTS])
        scatters[f"{name}.activations"] = np.stack([a[rows], b[rows]]).astype(np.float32)
        scatters[f"{name}.labels"] = tokens.label[rows]
        weights = (model.latents.logit_weights[row.latent], second.latents.logit_weights[row.match])
        scatters[f"{name}.logits"] = np.stack(weights)[:, world.usual].astype(np.float32)
    return document, universality.arrays(scored) | scatters
