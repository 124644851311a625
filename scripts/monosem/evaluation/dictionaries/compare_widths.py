"""splitting.json: dictionaries of growing width on one site, and a map of their directions."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float
from sklearn.manifold import TSNE

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.dictionaries import splitting, universality
from scripts.monosem.evaluation.dictionaries.codes import Units
from scripts.monosem.evaluation.dictionaries.document import Children, Family, LogitScatter, Splitting
from scripts.monosem.evaluation.dictionaries.passages import descendants
from scripts.monosem.evaluation.dictionaries.world import Dictionary, World

MAPPED = 2
"""Dictionaries of the map: the narrowest."""
MAP_STEPS = 300
"""Of t-SNE."""


def _scatter(world: World, contexts: Mapping[str, splitting.ContextLatents]) -> tuple[LogitScatter | None, dict]:
    """The two most frequent latents of base64 in the widest dictionary, or else of the context that has most."""
    several = {name: row.latents for name, row in contexts.items() if len(row.latents) > 1}
    if not several:
        return None, {}
    name = "base64" if "base64" in several else max(several, key=lambda each: len(several[each]))
    chosen, units, v = several[name][:2], world.model.latents.units, world.model.latents.logit_weights
    ids = np.flatnonzero(world.usual)
    weights, texts = v[list(chosen)][:, ids], [world.reader.decode(int(token)).strip("·") for token in ids]
    fires = units.activations[:, list(chosen)].toarray() > 0
    kinds = np.array([0 if text.isdigit() else 1 if text.isalpha() else 2 for text in texts])
    row = LogitScatter(
        context=name,
        run=units.name,
        latents=chosen,
        top_tokens=tuple(tuple(texts[place] for place in np.argsort(-each)[:10]) for each in weights),
        correlation=float(universality.row_correlations(weights[:1], weights[1:])[0]),
        overlap=float(fires.all(1).sum() / fires.any(1).sum()),
    )
    return row, {"scatter.logits": weights.astype(np.float32), "scatter.kinds": kinds}


def _families(
    world: World, dictionaries: Sequence[Units], steps: Sequence[splitting.Links], gains: Float[np.ndarray, " parents"],
    contexts: Mapping[str, Mapping[str, splitting.ContextLatents]],
) -> tuple[Family, ...]:  # fmt: skip
    """Descendants of the first latent of each context in the narrowest dictionary, and of the one that gains most."""
    narrow = dictionaries[0]
    roots = {name: rows[narrow.name].latents[0] for name, rows in contexts.items() if rows[narrow.name].latents}
    order = [int(steps[0].parents[place]) for place in np.argsort(-gains, kind="stable")]
    roots["largest gain"] = next((latent for latent in order if latent not in roots.values()), order[0])
    chosen = [dict(zip(links.parents.tolist(), links.chosen, strict=True)) for links in steps]
    families = []
    for name, root in roots.items():
        levels, edges = descendants(root, chosen, most=3)
        labels = tuple(
            tuple(" ".join(world.reader.top_tokens(units, unit)) for unit in level)
            for units, level in zip(dictionaries, levels, strict=True)
        )
        cosines = tuple((step, a, b, float(steps[step].cosines[a, b])) for step, a, b in edges)
        families.append(Family(name, levels, labels, cosines))
    return tuple(families)


def planar_map(
    ordered: Sequence[Dictionary], live: Sequence[Bool[np.ndarray, " _"]], seed: int
) -> dict[str, np.ndarray]:
    """t-SNE of the directions of several dictionaries together, by cosine."""
    rows = np.concatenate([each.directions[some] for each, some in zip(ordered, live, strict=True)])
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    perplexity = min(15.0, (len(rows) - 1) / 3)
    layout = TSNE(2, perplexity=perplexity, init="pca", random_state=seed % 2**32, max_iter=MAP_STEPS)
    return {
        "map.places": layout.fit_transform(rows).astype(np.float32),
        "map.dictionary": np.repeat(np.arange(len(live)), [int(some.sum()) for some in live]),
        "map.latent": np.concatenate([np.flatnonzero(some) for some in live]),
    }


def splitting_part(world: World, others: Sequence[Dictionary], seed: int) -> tuple[Splitting, dict[str, np.ndarray]]:
    """Follow latents of the narrowest dictionary through wider ones; the model's own dictionary is among these."""
    tokens, weights = world.tokens, world.weights
    headline = Dictionary(world.model.latents.units, world.model.subject.sae.W_dec.cpu().numpy())
    ordered = sorted([*others, headline], key=lambda each: len(each.directions))
    dictionaries = [each.units for each in ordered]
    narrow, wide = dictionaries[0], dictionaries[-1]
    subjects: dict[str, Children] = {}
    steps, gains = [], np.zeros(0)
    for number, (parents, children) in enumerate(zip(dictionaries, dictionaries[1:], strict=False)):
        links = splitting.link(parents, children, tokens)
        subjects[f"step_{number}"], covered = splitting.cover(parents, children, links, tokens, weights)
        steps.append(links)
        gains = np.nan_to_num(covered.union[0] - covered.best[0]) if number == 0 else gains
    links = splitting.link(narrow, wide, tokens)
    subjects["widest"], _ = splitting.cover(narrow, wide, links, tokens, weights)
    pairing = derive_seed(seed, "random pairing")
    subjects["random_pairing"], _ = splitting.cover(narrow, wide, links, tokens, weights, seed=pairing)
    names, labels = world.contexts(), tokens.label.copy()
    rng = np.random.default_rng(derive_seed(seed, "permuted labels"))
    for split in tokens.splits():
        labels[split] = rng.permutation(labels[split])
    rows, samples = {}, {}
    counted = [(units.name, units, tokens.label) for units in dictionaries]
    counted += [(f"permuted_labels.{units.name}", units, labels) for units in (narrow, wide)]
    if world.control:
        other = world.control.latents.units
        subjects["permuted_model"], _ = splitting.cover(
            narrow, other, splitting.link(narrow, other, tokens), tokens, weights
        )
        counted.append(("permuted_model", other, tokens.label))
    for name, units, its_labels in counted:
        rows[name], samples[name] = splitting.context_latents(units, tokens, its_labels, names, weights)
    contexts = {name: {each: row[name] for each, row in rows.items()} for name in names}
    growth = {"true": splitting.growth(samples[wide.name], samples[narrow.name])} if names else {}
    if names:
        permuted = (samples[f"permuted_labels.{units.name}"] for units in (wide, narrow))
        growth["permuted_labels"] = splitting.growth(*permuted)
    scatter, points = (None, {})
    if wide.name == world.model.latents.units.name:
        scatter, points = _scatter(world, rows[wide.name])
    shown = slice(0, MAPPED)
    live = [units.live(tokens) for units in dictionaries[shown]]
    document = Splitting(
        **world.identity(),
        conventions=splitting.CONVENTIONS,
        widths=tuple(splitting.width(units, tokens) for units in dictionaries),
        subjects=subjects,
        context_latents=contexts,
        growth=growth,
        scatter=scatter,
        families=_families(world, dictionaries, steps, gains, contexts) if len(gains) else (),
    )
    return document, points | planar_map(ordered[shown], live, derive_seed(seed, "map"))
