"""automata.json: latents that lead to one another, and what chance and permuted weights give."""

import numpy as np
from jaxtyping import Bool, Float

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.dictionaries import ablation, automata
from scripts.monosem.evaluation.dictionaries.automata import Edges, Seen
from scripts.monosem.evaluation.dictionaries.codes import LEAST_FIRINGS
from scripts.monosem.evaluation.dictionaries.document import Automata, Automaton, Edge, Transitions
from scripts.monosem.evaluation.dictionaries.estimates import from_samples
from scripts.monosem.evaluation.dictionaries.world import Model, World

ABLATED = 120
"""Random live latents that are ablated, each with all of its edges."""
CANDIDATES, SHOWN = 8, 3
"""Automata of each kind whose latents are ablated, and those that are shown."""


def _some_sources(edges: Edges, seed: int) -> Edges:
    """The edges of some latents, drawn at random."""
    sources = np.random.default_rng(seed).permutation(np.unique(edges.source))[:ABLATED]
    return edges.of(np.isin(edges.source, sources))


def _summary(
    seen: Seen, edges: Edges, ablated: ablation.Probabilities | None, weights: Float[np.ndarray, "samples documents"]
) -> Transitions:
    n, n_ablated = len(edges.source), ablated.clean.shape[1] if ablated else 0
    return Transitions(
        n_units=len(np.unique(edges.source)),
        n_edges=n,
        lift=from_samples(seen.pooled(), n, ratio=True),
        share_above_one=from_samples(seen.share_above_one(), n),
        n_ablated=n_ablated,
        probability_ratio=from_samples(
            ablated.pooled(weights) if ablated else np.full(2, np.nan), n_ablated, ratio=True
        ),
    )


def _subjects(world: World, edges: Edges, seen: Seen, seed: int) -> dict[str, Transitions]:
    tokens, weights = world.tokens, world.weights

    def ablate(model: Model, some: Edges) -> ablation.Probabilities:
        return ablation.probabilities(model.subject, world.text, model.latents.units, tokens, some, seed)

    def measured(model: Model, all_: Edges) -> Transitions:
        counted = automata.transitions(model.latents.units, all_, tokens, weights)
        return _summary(counted, all_, ablate(model, _some_sources(all_, seed)), weights)

    units = world.model.latents.units
    shuffled = automata.transitions(units, edges, tokens, weights, seed=derive_seed(seed, "shuffled next"))
    moved = automata.permuted_targets(edges, derive_seed(seed, "permuted targets"))
    subjects = {
        "latents": _summary(seen, edges, ablate(world.model, _some_sources(edges, seed)), weights),
        "shuffled_next": _summary(shuffled, edges, None, weights),
        "permuted_targets": measured(world.model, moved),
    }
    if control := world.control:
        latents = control.latents
        chosen = automata.choose(latents.units, latents.logit_weights, world.usual, tokens)
        subjects["permuted_model"] = measured(control, chosen)
    return subjects


def _shown(world: World, edges: Edges, seen: Seen, seed: int) -> tuple[tuple[Automaton, ...], int]:
    """Automata of confirmed edges, and the number of edges that lift and ablation confirm among those tried."""
    units, weights = world.model.latents.units, world.weights
    enough = np.flatnonzero(seen.joint[0] >= LEAST_FIRINGS)
    likely: Bool[np.ndarray, " edges"] = np.zeros(len(edges.source), bool)
    likely[[edge for edge in enough.tolist() if seen.of_edge(edge).low > 1]] = True
    tried = automata.motifs(automata.graph_of(edges, likely), seen.joint[0], CANDIDATES)
    nodes = {node for _, some in tried for node in some}
    inside = np.isin(edges.source, list(nodes)) & np.isin(edges.target, list(nodes)) & likely
    if not inside.any():
        return (), 0
    numbers = np.flatnonzero(inside)
    p = ablation.probabilities(world.model.subject, world.text, units, world.tokens, edges.of(inside), seed)
    ratios = {int(edge): from_samples(p.of_edge(place, weights), 1, ratio=True) for place, edge in enumerate(numbers)}
    confirmed = np.zeros(len(likely), bool)
    confirmed[[edge for edge, ratio in ratios.items() if ratio.low is not None and ratio.low > 1]] = True
    shown = []
    graph = automata.graph_of(edges, confirmed)
    for kind, members in automata.motifs(graph, seen.joint[0], SHOWN):
        pairs = {(a, b): data["edge"] for a, b, data in graph.subgraph(members).edges(data=True)}
        shown.append(
            Automaton(
                kind=kind,
                nodes=members,
                labels=tuple(" ".join(world.reader.top_tokens(units, node)) for node in members),
                edges=tuple(
                    Edge(a, b, float(edges.effect[edge]), seen.of_edge(edge), ratios[edge])
                    for (a, b), edge in pairs.items()
                ),
                passage=world.reader.passage(units, members, pairs),
            )
        )
    return tuple(shown), int(confirmed.sum())


def automata_part(world: World, seed: int) -> Automata:
    """Choose edges through the logits, then measure transitions and ablations."""
    latents = world.model.latents
    edges = automata.choose(latents.units, latents.logit_weights, world.usual, world.tokens)
    seen = automata.transitions(latents.units, edges, world.tokens, world.weights)
    shown, n_confirmed = _shown(world, edges, seen, derive_seed(seed, "ablation windows"))
    return Automata(
        **world.identity(),
        run=latents.units.name,
        control=world.control and world.control.name,
        conventions=automata.CONVENTIONS,
        subjects=_subjects(world, edges, seen, derive_seed(seed, "ablated")),
        n_confirmed=n_confirmed,
        automata=shown,
    )
