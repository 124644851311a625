"""Numbers that compare several runs or contexts of one result file; they join that file's values in metrics.json."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float

from scripts.monosem.evaluation.fidelity.document import in_sweeps
from scripts.monosem.metrics.permutation import PERMUTATIONS


def _ordered(
    pairs: Sequence[tuple[int, int]], losses: Float[np.ndarray, "*n run"]
) -> Float[np.ndarray, "*n"] | np.float64:
    """Share of pairs (lesser, greater) of runs whose greater member adds less loss."""
    lesser, greater = np.array(pairs).T
    return (losses[..., greater] < losses[..., lesser]).mean(-1)


def frontier(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, float | int]:
    """Share of pairs of runs in which loss added falls with L0 (equal width), and with width (equal k).

    Only runs of one architecture and equal length are compared, and for L0 only those that were set to different
    sparsities (k, L1 or L0). `…_p` is the share of random permutations of the losses that order as many pairs, the
    true one counted in; `…_p_permuted` the same of one permutation. Quantities for which a configuration has no pair of
    runs are left out.
    """
    sparsity, width = [], []
    numbered = list(enumerate(runs.values()))
    for (i, a), (j, b) in combinations(numbered, 2):
        if a["architecture"] != b["architecture"] or a["vectors"] != b["vectors"] or a["vectors"] is None:
            continue
        set_to_differ = any(a.get(key) != b.get(key) for key in ("k", "l1_coefficient", "l0_coefficient"))
        if a["d_sae"] == b["d_sae"] and set_to_differ and a["l0"] != b["l0"]:
            sparsity.append((i, j) if a["l0"] < b["l0"] else (j, i))
        if a["d_sae"] != b["d_sae"] and a["k"] is not None and a["k"] == b["k"]:
            width.append((i, j) if a["d_sae"] < b["d_sae"] else (j, i))
    losses = np.array([run["ce_increase_nats"] for run in runs.values()])
    shares = {}
    for name, pairs in (("sparsity", sparsity), ("width", width)):
        if pairs:
            compared = np.unique(pairs)
            permuted = np.tile(losses, (PERMUTATIONS, 1))
            permuted[:, compared] = np.random.default_rng(0).permuted(permuted[:, compared], axis=1)
            true, by_chance = _ordered(pairs, losses), _ordered(pairs, permuted)
            shares |= {f"{name}_pairs": len(pairs), f"{name}_ordered": float(true)}
            for key, share in ((f"{name}_p", true), (f"{name}_p_permuted", by_chance[0])):
                shares[key] = float((1 + (by_chance >= share).sum()) / (1 + PERMUTATIONS))
    return shares


def specificity(bins: Sequence[Mapping[str, Any]]) -> tuple[float | None, float | None]:
    """In-context share of firing tokens in the lowest bin of activation, and in the upper half of the range."""
    filled = [row for row in bins if row["n_tokens"]]
    if not filled:
        return None, None
    middle = bins[-1]["upper"] / 2
    upper = [row for row in filled if row["lower"] >= middle * (1 - 1e-9)]
    n_upper = sum(row["n_tokens"] for row in upper)
    share = sum(row["n_tokens"] * row["in_context_share"] for row in upper) / n_upper if n_upper else None
    return filled[0]["in_context_share"], share


def contexts(scored: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Least specificity over all contexts, of the best latents, neurons, and latents chosen on permuted labels."""
    worst = {}
    units = {
        "latent": [row["latent"] for row in scored.values()],
        "neuron": [row["neuron"] for row in scored.values()],
        "shuffled_labels": [row["controls"]["shuffled_labels"] for row in scored.values()],
    }
    for kind, scores in units.items():
        shares = [specificity(score["specificity_by_activation"]) for score in scores]
        defined = bool(shares) and all(None not in pair for pair in shares)
        worst[kind] = {
            "upper_half_specificity": min(upper for _, upper in shares) if defined else None,
            "specificity_rise": min(upper - low for low, upper in shares) if defined else None,
        }
    return worst


def derive(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Derived numbers of the result of a name: `frontier` of a fidelity.json, `summary` of a contexts.json."""
    if name == "fidelity.json":
        swept = in_sweeps(document)
        return {"frontier": frontier({name: run for name, run in document["runs"].items() if name not in swept})}
    if name == "contexts.json" and document.get("contexts"):
        return {"summary": contexts(document["contexts"])}
    return {}
