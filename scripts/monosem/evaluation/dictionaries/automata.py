"""Finite-state automata: latents that raise the probability of tokens on which others fire next (Bricken et al. 2023).

Edges are chosen through the logit weights alone, with the tokens on which the target fires on the validation
split. Transitions and ablation are measured on the test split.
"""

from dataclasses import dataclass

import networkx
import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy import sparse

from scripts.monosem.evaluation.dictionaries.codes import Tokens, Units
from scripts.monosem.evaluation.dictionaries.estimates import INTERVAL, from_samples
from scripts.monosem.evaluation.documents import Estimate
from scripts.monosem.metrics import coactivation

EDGES_PER_LATENT = 3
"""Targets of each latent, by the logit weights."""

CONVENTIONS = {
    "effect": "mean logit weight of the source over the firing tokens of the target (validation split), in "
    "standard deviations of the source's logit weights over the usual tokens",
    "edges": f"from every live latent to the {EDGES_PER_LATENT} live latents of largest effect",
    "lift": "P(target fires next | source fires) / P(target fires next), on the test split; over all "
    "edges: transitions seen / transitions expected from the rates of both, sums first",
    "shuffled_next": "the next tokens permuted within each split: lift is 1",
    "permuted_targets": "each source with the targets of another",
    "permuted_model": "the dictionary of a model with permuted weights, and its logit weights",
    "probability_ratio": "p(next token is one on which the target fires), clean / with the source ablated, on tokens "
    "on which the source fires; a token counts with the target's firing rate on it on the validation split",
    "confirmed": "the intervals of both lift and probability ratio are above 1",
    "interval": INTERVAL,
}


@dataclass(frozen=True)
class Edges:
    """Edges i → j, chosen on the validation split."""

    source: Integer[np.ndarray, " edges"]
    target: Integer[np.ndarray, " edges"]
    effect: Float[np.ndarray, " edges"]

    def of(self, chosen: Bool[np.ndarray, " edges"]) -> "Edges":
        """Some of the edges."""
        return Edges(self.source[chosen], self.target[chosen], self.effect[chosen])


def firing_rates(units: Units, tokens: Tokens, vocab: int) -> tuple[sparse.csr_matrix, Integer[np.ndarray, " vocab"]]:
    """Tokens by latents: firings on the validation split; and occurrences of each token there."""
    split = tokens.splits()[0]
    ids, n = tokens.token[split], int(split.sum())
    member = sparse.csr_matrix((np.ones(n), (ids, np.arange(n))), shape=(vocab, n))
    return (member @ coactivation.fires(units.activations[split])).tocsr(), np.bincount(ids, minlength=vocab)


def choose(
    units: Units, logit_weights: Float[np.ndarray, "units vocab"], usual: Bool[np.ndarray, " vocab"], tokens: Tokens
) -> Edges:
    """The targets of every live latent, through its logit weights."""
    live = np.flatnonzero(units.live(tokens))
    firings, _ = firing_rates(units, tokens, logit_weights.shape[1])
    profile = sparse.diags(usual.astype(np.float64)) @ firings[:, live]
    total = np.asarray(profile.sum(0)).ravel()
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    profile = (profile @ sparse.diags(scale)).astype(np.float32).tocsr()
    v = logit_weights[live]
    mean, spread = v[:, usual].mean(1, keepdims=True), v[:, usual].std(1, keepdims=True)
    effect = np.asarray((profile.T @ ((v - mean) / np.where(spread > 0, spread, 1.0)).T).T)
    effect[:, total == 0] = -np.inf
    k = min(EDGES_PER_LATENT, len(live))
    best = np.argpartition(-effect, k - 1, axis=1)[:, :k] if k else np.zeros((0, 0), np.int64)
    source = np.repeat(np.arange(len(live)), k)
    return Edges(live[source], live[best.ravel()], effect[source, best.ravel()].astype(np.float64))


@dataclass(frozen=True)
class Seen:
    """Transitions of each edge on the test split, with documents weighted; `expected` under
    independence."""

    joint: Float[np.ndarray, "samples edges"]
    expected: Float[np.ndarray, "samples edges"]

    def lift(self) -> Float[np.ndarray, "samples edges"]:
        """Lift of each edge; NaN where nothing is expected."""
        return np.divide(self.joint, self.expected, out=np.full(self.joint.shape, np.nan), where=self.expected > 0)

    def of_edge(self, edge: int) -> Estimate:
        """Lift of one edge; n counts the transitions."""
        one = Seen(self.joint[:, [edge]], self.expected[:, [edge]])
        return from_samples(one.lift()[:, 0], int(one.joint[0, 0]), ratio=True)

    def pooled(self) -> Float[np.ndarray, " samples"]:
        """Lift over all edges: a ratio of sums."""
        expected = self.expected.sum(1)
        return np.divide(self.joint.sum(1), expected, out=np.full(len(expected), np.nan), where=expected > 0)

    def share_above_one(self) -> Float[np.ndarray, " samples"]:
        """Share of the edges with transitions expected whose lift is above 1."""
        lift = self.lift()
        return np.nanmean(np.where(np.isnan(lift), np.nan, lift > 1), axis=1)


def transitions(
    units: Units, edges: Edges, tokens: Tokens, weights: Float[np.ndarray, "samples documents"],
    seed: int | None = None,
) -> Seen:  # fmt: skip
    """Count transitions on the test split; `seed` permutes the next tokens."""
    rows = np.flatnonzero(coactivation.follows(tokens.place) & tokens.scored[:-1])
    rows = rows[tokens.document[rows] == tokens.document[rows + 1]]
    following = rows + 1 if seed is None else np.random.default_rng(seed).permutation(rows + 1)
    firing, document = coactivation.fires(units.activations), tokens.document[rows]
    now, then = firing[rows].tocsc()[:, edges.source].tocsr(), firing[following].tocsc()[:, edges.target].tocsr()
    n_documents = weights.shape[1]
    joint, sources, targets = (
        weights @ coactivation.by_document(each, document, n_documents)
        for each in (now.multiply(then).tocsr(), now, then)
    )
    n = weights @ np.bincount(document, minlength=n_documents).astype(np.float64)
    return Seen(joint, sources * targets / n[:, None])


def permuted_targets(edges: Edges, seed: int) -> Edges:
    """Each source with the targets of another edge."""
    order = np.random.default_rng(seed).permutation(len(edges.source))
    moved = np.empty_like(order)
    moved[order] = np.roll(order, 1)
    return Edges(edges.source, edges.target[moved], np.full(len(order), np.nan))


def graph_of(edges: Edges, confirmed: Bool[np.ndarray, " edges"]) -> networkx.DiGraph:
    """The confirmed edges as a graph; each has its number."""
    graph = networkx.DiGraph()
    for number in np.flatnonzero(confirmed):
        graph.add_edge(int(edges.source[number]), int(edges.target[number]), edge=int(number))
    return graph


LARGEST = 4
"""Latents of an automaton that is shown."""


def motifs(
    graph: networkx.DiGraph, weight: Float[np.ndarray, " edges"], per_kind: int
) -> list[tuple[str, tuple[int, ...]]]:
    """(kind, latents) of the automata with the most transitions: loops, cycles, and chains of latents outside them.

    Args: weight: transitions seen of every edge.
    """

    def seen(nodes: tuple[int, ...]) -> float:
        return sum(weight[data["edge"]] for *_, data in graph.subgraph(nodes).edges(data=True))

    components = [component for component in networkx.strongly_connected_components(graph) if len(component) > 1]
    inside = set().union(*components)
    loops = [("loop", (node,)) for node in networkx.nodes_with_selfloops(graph) if node not in inside]
    cycles = []
    for component in components:
        nodes = tuple(sorted(component))
        if len(nodes) > LARGEST:  # its cycle with the most transitions
            shorter = networkx.simple_cycles(graph.subgraph(nodes), length_bound=4)
            nodes = max((tuple(cycle) for cycle in shorter if len(cycle) > 1), key=seen, default=())
        if nodes:
            cycles.append(("cycle", nodes))
    rest = graph.subgraph([node for node in graph if node not in inside]).copy()
    rest.remove_edges_from([(node, node) for node in list(networkx.nodes_with_selfloops(rest))])
    chains = []
    while rest.number_of_edges() and len(chains) < per_kind:
        path = tuple(networkx.dag_longest_path(rest, weight=None))[:LARGEST]
        chains.append(("chain", path))
        rest.remove_nodes_from(path)
    chains = [chain for chain in chains if len(chain[1]) > 2]
    return [
        item for kind in (loops, cycles, chains) for item in sorted(kind, key=lambda each: -seen(each[1]))[:per_kind]
    ]
