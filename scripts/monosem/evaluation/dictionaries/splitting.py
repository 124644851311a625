"""Feature splitting: latents of a narrow dictionary and those of a wider one that share their tokens.

Bricken et al. 2023 draw an edge between two features whose masked cosine is above about 0.4. Here a parent's children
are chosen among its edges on the validation split, and their union is compared with the parent on the test split.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy import sparse

from scripts.monosem.evaluation.dictionaries.codes import LEAST_FIRINGS, Tokens, Units
from scripts.monosem.evaluation.dictionaries.document import Children, ContextLatents, Width
from scripts.monosem.evaluation.dictionaries.estimates import INTERVAL, from_samples, medians
from scripts.monosem.evaluation.documents import Estimate
from scripts.monosem.metrics import coactivation

EDGE = 0.4
"""Masked cosine above which two latents are joined (Bricken et al. 2023, "approximately 0.4")."""
MOSTLY = 0.5
"""Share of a latent's firing tokens that are of a context, or Jaccard index of a cover."""

CONVENTIONS = {
    "masked_cosine": "cosine of two latents' activations on the tokens on which one of them fires; the larger of two",
    "edge": f"masked cosine above {EDGE} on the validation split",
    "children": "latents joined to the parent, added one by one as long as the Jaccard index of their union's firing "
    "and the parent's rises; the first is the best child; all on the validation split",
    "jaccard": "tokens on which both fire, of those on which either does; on the test split",
    "random_pairing": "each parent with the children of another",
    "permuted_model": "children of the dictionary of a model with permuted weights",
    "context_latents": f"latents that fire on {LEAST_FIRINGS} tokens of a context and whose firing tokens are mostly "
    "(at least half) of it, on the validation split and again on the test split",
    "permuted_labels": "labels permuted over the tokens of each split",
    "interval": INTERVAL,
}


def width(units: Units, tokens: Tokens) -> Width:
    """Size and density of a dictionary on the text."""
    n, d_sae = units.activations.shape
    return Width(units.name, d_sae, units.activations.nnz / n, int(units.live(tokens).sum()))


@dataclass(frozen=True)
class Links:
    """Parents, and the children chosen for each, on the validation split."""

    parents: Integer[np.ndarray, " parents"]
    """Live latents of the narrow dictionary."""
    chosen: tuple[tuple[int, ...], ...]
    """Children of each parent, the best first."""
    cosines: sparse.csr_matrix
    """Masked cosines above the bound [latents of the narrow dictionary, latents of the wide one]."""


def greedy_cover(parent: Bool[np.ndarray, " n"], columns: list[Integer[np.ndarray, " _"]]) -> list[int]:
    """Columns (rows of their entries) whose union comes closest to the parent, each raising the Jaccard index."""
    bounds = np.cumsum([0, *map(len, columns)])
    rows = np.concatenate(columns)
    covered = np.zeros(len(parent), bool)
    chosen: list[int] = []
    size, inside, total, best = 0, 0, int(parent.sum()), 0.0
    while True:
        new = ~covered[rows]
        added = np.add.reduceat(new, bounds[:-1], dtype=np.int64)
        added_inside = np.add.reduceat(new & parent[rows], bounds[:-1], dtype=np.int64)
        jaccard = (inside + added_inside) / (total + size + added - inside - added_inside)
        pick = int(jaccard.argmax())
        if jaccard[pick] <= best:
            return chosen
        chosen.append(pick)
        best = float(jaccard[pick])
        size, inside = size + int(added[pick]), inside + int(added_inside[pick])
        covered[columns[pick]] = True


def link(parents: Units, children: Units, tokens: Tokens) -> Links:
    """Edges and children of every live parent, on the validation split."""
    split = tokens.splits()[0]
    left, right = (np.flatnonzero(units.live(tokens)) for units in (parents, children))
    x, y = parents.activations[split].tocsc(), children.activations[split].tocsc()
    cosines = coactivation.masked_cosines(x[:, left].tocsr(), y[:, right].tocsr())
    cosines.data[cosines.data <= EDGE] = 0
    cosines.eliminate_zeros()
    chosen = []
    fires = np.zeros(x.shape[0], bool)
    for number, parent in enumerate(left):
        candidates = right[cosines.indices[cosines.indptr[number] : cosines.indptr[number + 1]]]
        rows = x.indices[x.indptr[parent] : x.indptr[parent + 1]]
        fires[rows] = True
        columns = [y.indices[y.indptr[child] : y.indptr[child + 1]] for child in candidates]
        chosen.append(tuple(int(candidates[pick]) for pick in greedy_cover(fires, columns)) if columns else ())
        fires[rows] = False
    shape = (parents.activations.shape[1], children.activations.shape[1])
    entries = cosines.tocoo()
    placed = sparse.csr_matrix((entries.data, (left[entries.row], right[entries.col])), shape=shape)
    return Links(left, tuple(chosen), placed)


def _jaccard(
    x: sparse.csr_matrix, y: sparse.csr_matrix, chosen: tuple[tuple[int, ...], ...],
    document: Integer[np.ndarray, " n"], weights: Float[np.ndarray, "samples documents"],
) -> Float[np.ndarray, "samples parents"]:  # fmt: skip
    """Jaccard index of column p of x and the union of the chosen columns of y; NaN where neither fires."""
    entries = [(child, number) for number, some in enumerate(chosen) for child in some]
    rows, columns = np.array(entries, np.int64).reshape(-1, 2).T
    picks = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(y.shape[1], len(chosen)))
    union = coactivation.fires((y @ picks).tocsr())
    n_documents = weights.shape[1]
    both, first, second = (
        weights @ coactivation.by_document(each, document, n_documents)
        for each in (x.multiply(union).tocsr(), x, union)
    )
    either = first + second - both
    return np.divide(both, either, out=np.full(both.shape, np.nan), where=either > 0)


@dataclass(frozen=True)
class Cover:
    """Cover of the parents by their children on the test split, which did not choose them."""

    union: Float[np.ndarray, "samples parents"]
    best: Float[np.ndarray, "samples parents"]


def cover(
    parents: Units, children: Units, links: Links, tokens: Tokens, weights: Float[np.ndarray, "samples documents"],
    seed: int | None = None,
) -> tuple[Children, Cover]:  # fmt: skip
    """Score the children of every parent; `seed` gives each parent the children of another one instead."""
    split, chosen = tokens.scored, links.chosen
    if seed is not None:
        order = np.random.default_rng(seed).permutation(len(chosen))
        moved = dict(zip(order.tolist(), np.roll(order, 1).tolist(), strict=True))  # one cycle: nobody keeps its own
        chosen = tuple(chosen[moved[number]] for number in range(len(chosen)))
    x, y = (coactivation.fires(units.activations[split]) for units in (parents, children))
    x, document = x[:, links.parents], tokens.document[split]
    union = _jaccard(x, y, chosen, document, weights)
    best = _jaccard(x, y, tuple(some[:1] for some in chosen), document, weights)
    several = np.array([len(some) > 1 for some in chosen], bool)
    split = (union > MOSTLY) & (union > best) & several
    n, splits = len(links.parents), [len(some) for some, is_split in zip(chosen, split[0], strict=True) if is_split]
    gain = np.where(np.isfinite(union - best), union - best, 0.0)
    result = Children(
        parents=parents.name,
        children=children.name,
        n_parents=n,
        n_edges=links.cosines.nnz,
        best_child_jaccard=from_samples(medians(best), n),
        union_jaccard=from_samples(medians(union), n),
        gain=from_samples(gain.mean(1) if n else np.full(2, np.nan), n),
        split_share=from_samples(split.mean(1) if n else np.full(2, np.nan), n),
        children_per_split=float(np.mean(splits)) if splits else None,
    )
    return result, Cover(union, best)


def context_latents(
    units: Units, tokens: Tokens, labels: Integer[np.ndarray, " n"], names: Mapping[str, int],
    weights: Float[np.ndarray, "samples documents"],
) -> tuple[dict[str, ContextLatents], dict[str, Float[np.ndarray, " samples"]]]:  # fmt: skip
    """Latents of each context, and the samples behind their number.

    Args: names: context -> its label.
    """
    firing = coactivation.fires(units.activations)
    choosing, scored = (firing[split] for split in tokens.splits())
    in_choosing, in_scored = (labels[split] for split in tokens.splits())
    document, n_documents = tokens.document[tokens.scored], weights.shape[1]
    total, n_live = choosing.getnnz(0), int(units.live(tokens).sum())
    result, samples = {}, {}
    for name, label in names.items():
        inside = choosing[in_choosing == label].getnnz(0)
        chosen = np.flatnonzero((inside >= LEAST_FIRINGS) & (inside >= MOSTLY * total))
        columns = scored[:, chosen]
        within = sparse.diags((in_scored == label).astype(np.float64)) @ columns
        hits, all_ = (
            weights @ coactivation.by_document(each.tocsr(), document, n_documents) for each in (within, columns)
        )
        confirmed = (hits > 0) & (hits >= MOSTLY * all_)
        samples[name] = confirmed.sum(1).astype(np.float64)
        order = np.argsort(-hits[0], kind="stable")
        latents = tuple(int(chosen[place]) for place in order if confirmed[0, place])
        result[name] = ContextLatents(from_samples(samples[name], n_live), latents)
    return result, samples


def growth(wide: Mapping[str, np.ndarray], narrow: Mapping[str, np.ndarray]) -> Estimate:
    """Latents of all contexts together in the wide dictionary less those in the narrow one."""
    difference = sum(wide.values()) - sum(narrow.values())
    return from_samples(np.asarray(difference, np.float64), len(wide))
