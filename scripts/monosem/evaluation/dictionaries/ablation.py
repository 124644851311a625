"""Probability of next tokens on which a latent fires, with another latent ablated."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Integer

from scripts.monosem.evaluation.dictionaries.automata import Edges, firing_rates
from scripts.monosem.evaluation.dictionaries.codes import Tokens, Units
from scripts.monosem.evaluation.dictionaries.world import Text
from scripts.monosem.evaluation.latents.unit_activations import Subject
from scripts.monosem.models import splice

WINDOWS = 4
"""In which a source is ablated, drawn among those of the test split in which it fires."""
AT_ONCE = 32
"""Windows of one forward pass."""


@dataclass(frozen=True)
class Probabilities:
    """Sums by document over the tokens on which the source of each edge fires."""

    clean: Float[np.ndarray, "documents edges"]
    ablated: Float[np.ndarray, "documents edges"]

    def pooled(self, weights: Float[np.ndarray, "samples documents"]) -> Float[np.ndarray, " samples"]:
        """Clean over ablated, sums over all edges first."""
        clean, ablated = ((weights @ sums).sum(1) for sums in (self.clean, self.ablated))
        return np.divide(clean, ablated, out=np.full(len(clean), np.nan), where=ablated > 0)

    def of_edge(self, edge: int, weights: Float[np.ndarray, "samples documents"]) -> Float[np.ndarray, " samples"]:
        """The same of one edge."""
        return Probabilities(self.clean[:, [edge]], self.ablated[:, [edge]]).pooled(weights)


@dataclass(frozen=True)
class _Case:
    """A source in one window."""

    source: int
    start: int
    """Offset of the window."""
    rows: Integer[np.ndarray, " fired"]
    """Tokens of the window on which it fires."""
    values: Float[np.ndarray, " fired"]
    """Its activations there."""


def _cases(
    units: Units, sources: Integer[np.ndarray, " sources"], tokens: Tokens, starts: Integer[np.ndarray, " windows"],
    seed: int,
) -> list[_Case]:  # fmt: skip
    rng, columns, cases = np.random.default_rng(seed), units.activations.tocsc(), []
    start = starts[np.searchsorted(starts, tokens.place, side="right") - 1]
    for source in sources:
        entries = slice(columns.indptr[source], columns.indptr[source + 1])
        rows, values = columns.indices[entries], columns.data[entries]
        windows = np.unique(start[rows[tokens.scored[rows]]])
        for window in rng.permutation(windows)[:WINDOWS]:
            here = start[rows] == window
            cases.append(_Case(int(source), int(window), rows[here], values[here]))
    return cases


@torch.inference_mode()
def probabilities(subject: Subject, text: Text, units: Units, tokens: Tokens, edges: Edges, seed: int) -> Probabilities:
    """Ablate the source of every edge where it fires; measure the probability of the target's tokens there.

    A source is ablated at all tokens of a window at once: x' = x − f W_dec[source].
    """
    vocab, device = subject.model.config.vocab_size, subject.model.device
    firings, occurrences = firing_rates(units, tokens, vocab)
    targets, column = np.unique(edges.target, return_inverse=True)
    rates = firings[:, targets].toarray() / np.maximum(occurrences, 1)[:, None]
    rates = torch.from_numpy(rates.astype(np.float32)).to(device)
    of_source = {int(source): np.flatnonzero(edges.source == source) for source in np.unique(edges.source)}
    clean, ablated = np.zeros((2, tokens.n_documents, len(edges.source)))
    stream, unembedding = text.stream, splice.unembedding_of(subject.model)
    cases = _cases(units, np.unique(edges.source), tokens, text.starts, seed)
    for begin in range(0, len(cases), AT_ONCE):
        batch = cases[begin : begin + AT_ONCE]
        ids = np.stack([stream.tokens[case.start : case.start + subject.context] for case in batch]).astype(np.int64)
        run = splice.run_clean(subject.model, subject.site, torch.from_numpy(ids).to(device), stream.eos_token_id)
        window = np.repeat(np.arange(len(batch)), [len(case.rows) for case in batch])
        rows = np.concatenate([case.rows for case in batch])
        place = tokens.place[rows] - np.array([case.start for case in batch])[window]
        values = torch.from_numpy(np.concatenate([case.values for case in batch]).astype(np.float32)).to(device)
        source = torch.tensor([case.source for case in batch], device=device)[torch.from_numpy(window)]
        replaced = run.activations.clone()
        replaced[window, place] -= (values[:, None] * subject.sae.W_dec[source]).to(replaced.dtype)
        final = splice.run_suffix(subject.model, subject.site, run, replaced)
        scored = tokens.scored[rows]
        at = (window[scored], place[scored])
        both = [(unembedding.logits(hidden[at]).softmax(-1) @ rates).cpu().numpy() for hidden in (run.final, final)]
        document = tokens.document[rows[scored]]
        for number, case in enumerate(batch):
            here, numbers = at[0] == number, of_source[case.source]
            for sums, p in zip((clean, ablated), both, strict=True):
                np.add.at(sums, (document[here][:, None], numbers), p[here][:, column[numbers]])
    return Probabilities(clean, ablated)
