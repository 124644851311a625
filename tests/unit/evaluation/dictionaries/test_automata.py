"""A planted automaton is found through logits and transitions; with shuffled next tokens the lift is 1."""

import numpy as np
import pytest

from scripts.monosem.evaluation.dictionaries import automata
from scripts.monosem.evaluation.dictionaries.passages import Reader
from scripts.monosem.metrics.bootstrap import document_weights
from scripts.monosem.text.tokens import TokenStream
from tests.helpers.made_codes import DOCUMENTS, LENGTH, VOCAB, made_tokens, units_on

WEIGHTS = document_weights(DOCUMENTS, 100, seed=0)
USUAL = np.ones(VOCAB, bool)


def planted() -> np.ndarray:
    """Random tokens in which 0 is always followed by 1 and 1 by 0 or something else, and 7 repeats itself."""
    rng = np.random.default_rng(0)
    token = [0]
    for _ in range(DOCUMENTS * LENGTH - 1):
        last, free = token[-1], int(rng.integers(2, VOCAB))
        follow = {0: 1, 1: 0 if rng.random() < 0.7 else free, 7: 7 if rng.random() < 0.8 else free}
        token.append(follow.get(last, 0 if rng.random() < 0.1 else free))
    return np.array(token)


TOKENS = made_tokens(token=planted())
UNITS = units_on("a", *(TOKENS.token == token for token in range(VOCAB)))


def logit_weights() -> np.ndarray:
    """Latent i raises the token that follows i in the text."""
    weights = np.random.default_rng(1).normal(scale=0.1, size=(VOCAB, VOCAB))
    for latent, token in ((0, 1), (1, 0), (7, 7)):
        weights[latent, token] = 5.0
    return weights.astype(np.float32)


EDGES = automata.choose(UNITS, logit_weights(), USUAL, TOKENS)
SEEN = automata.transitions(UNITS, EDGES, TOKENS, WEIGHTS)
BEST = {(int(a), int(b)): number for number, (a, b) in enumerate(zip(EDGES.source, EDGES.target, strict=True))}


def test_edges_follow_the_logit_weights():
    rows = list(zip(EDGES.source, EDGES.effect, EDGES.target, strict=True))
    first = {source: max(row[1:] for row in rows if row[0] == source) for source in (0, 1, 7)}
    assert {source: int(target) for source, (_, target) in first.items()} == {0: 1, 1: 0, 7: 7}


def test_lift_of_a_planted_edge_is_the_inverse_of_the_targets_rate():
    pairs = (TOKENS.scored[:-1]) & (np.diff(TOKENS.document) == 0)
    then = TOKENS.token[1:][pairs]
    assert SEEN.lift()[0, BEST[0, 1]] == pytest.approx(1 / (then == 1).mean())
    assert SEEN.of_edge(BEST[0, 1]).low > 1
    assert SEEN.of_edge(BEST[0, 1]).n == (TOKENS.token[:-1][pairs] == 0).sum()


def test_shuffled_next_tokens_have_lift_one():
    shuffled = automata.transitions(UNITS, EDGES, TOKENS, WEIGHTS, seed=3)
    samples = shuffled.pooled()
    assert samples[0] == pytest.approx(1, abs=0.15)
    assert SEEN.pooled()[0] > 2


def test_permuted_targets_keep_sources_and_targets_but_no_edge():
    moved = automata.permuted_targets(EDGES, seed=0)
    assert sorted(moved.target) == sorted(EDGES.target)
    assert (moved.source == EDGES.source).all()
    assert automata.transitions(UNITS, moved, TOKENS, WEIGHTS).pooled()[0] < SEEN.pooled()[0] / 2


def test_transitions_do_not_cross_documents_or_gaps():
    tokens = made_tokens(token=np.zeros(DOCUMENTS * LENGTH, np.int64))
    one = units_on("a", tokens.token == 0)
    edges = automata.Edges(np.array([0]), np.array([0]), np.array([1.0]))
    seen = automata.transitions(one, edges, tokens, np.ones((1, DOCUMENTS)))
    assert seen.joint[0, 0] == (DOCUMENTS // 2) * (LENGTH - 1)


def test_the_planted_automata_are_a_cycle_and_a_loop():
    confirmed = np.array([(a, b) in ((0, 1), (1, 0), (7, 7)) for a, b in zip(EDGES.source, EDGES.target, strict=True)])
    made = automata.motifs(automata.graph_of(EDGES, confirmed), SEEN.joint[0], 3)
    assert sorted((kind, tuple(sorted(nodes))) for kind, nodes in made) == [("cycle", (0, 1)), ("loop", (7,))]


def test_a_chain_is_found_where_nothing_leads_back():
    edges = automata.Edges(np.array([0, 1, 2]), np.array([1, 2, 3]), np.ones(3))
    graph = automata.graph_of(edges, np.ones(3, bool))
    assert automata.motifs(graph, np.ones(3), 3) == [("chain", (0, 1, 2, 3))]


def test_passage_is_where_the_automaton_runs():
    n = DOCUMENTS * LENGTH
    labels, documents = np.zeros(n, np.uint8), np.arange(0, n + 1, LENGTH)
    each = (np.ones(DOCUMENTS, np.int32), np.ones(DOCUMENTS, bool))
    stream = TokenStream(TOKENS.token.astype(np.uint16), labels, documents, *each, 0, VOCAB)
    passage = Reader(stream, TOKENS, str).passage(UNITS, (0, 1), [(0, 1), (1, 0)])
    moves = sum(pair in ((0, 1), (1, 0)) for pair in zip(passage.states, passage.states[1:], strict=False))
    assert moves >= 8
    assert all(
        state is None or token == str(state) for token, state in zip(passage.tokens, passage.states, strict=True)
    )
