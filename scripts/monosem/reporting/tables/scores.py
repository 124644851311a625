"""Tables of the scores of latents beside neurons and what should be no easier to explain."""

from collections.abc import Mapping
from typing import Any

from scripts.monosem.reporting.formats import UNDEFINED, count, estimate, fixed, number, percent, table

NAMES = {
    "latents": "latents",
    "neurons": "neurons",
    "rotated": "rotated neurons",
    "random": "random directions",
    "permuted": "latents of the permuted model",
}
COLUMNS = {
    "density": "fires on",
    "n2g_pearson": "N2G, Pearson",
    "n2g_spearman": "N2G, Spearman",
    "n2g_precision": "precision",
    "n2g_recall": "recall",
    "n2g_f1": "F1",
    "token_pearson": "token alone, Pearson",
    "n2g_interval_spearman": "N2G, Spearman by interval",
    "logit_accuracy": "logit test",
    "embedding_auc": "example embedding, AUC",
}
COMPARED = ("n2g_pearson", "n2g_interval_spearman", "logit_accuracy", "embedding_auc")
"""Scores whose differences are listed."""
SPLIT = ("n2g_interval_spearman", "embedding_auc")
"""Scores that are given without single-token units, too."""
PUBLISHED = (
    ("logit test, mean", "logit_accuracy", "value", "0.74", "0.58", "–"),
    ("logit test, median", "logit_accuracy", "median", "0.74", "0.53", "0.5"),
    (
        "Spearman, examples by interval, median",
        "n2g_interval_spearman",
        "median",
        "above neurons",
        "",
        "above features",
    ),
)
"""Quantity, score, statistic, and what Bricken et al. 2023 print of features, neurons and the random transformer."""


def scores(document: Mapping[str, Any], variant: str) -> str:
    """Means of every score by population, with intervals over units.

    Args:
        variant: "raw" or "equal_density".
    """
    lines = []
    for name, population in document["populations"].items():
        sample = population[variant]
        cells = [
            percent(row["value"], 2) if score == "density" else estimate(row)
            for score, row in ((score, sample["scores"][score]) for score in COLUMNS)
        ]
        lines.append([NAMES[name], count(sample["n_units"]), *cells])
    return table(["units", "n", *COLUMNS.values()], lines)


def score_differences(document: Mapping[str, Any]) -> str:
    """Each population minus the latents at equal density: mean of the pairs, interval, and p-value."""
    lines = []
    for name, population in document["populations"].items():
        rows = population["equal_density"]["above"].get("latents")
        if rows is None:
            continue
        cells = []
        for score in COMPARED:
            row = rows[score]
            p = "–" if row["p_value"] is None else number(row["p_value"], 2)
            cells.append(UNDEFINED if row["value"] is None else f"{estimate(row)}, p = {p}")
        lines.append([NAMES[name], *cells])
    return table(["units", *(COLUMNS[score] for score in COMPARED)], lines)


def published_scores(document: Mapping[str, Any]) -> str:
    """Published values beside ours, of units as they are."""
    lines = []
    for quantity, score, statistic, *theirs in PUBLISHED:
        cells = []
        for name, value in zip(("latents", "neurons", "permuted"), theirs, strict=True):
            population = document["populations"].get(name)
            ours = population["raw"]["scores"][score][statistic] if population else None
            cells += [value or "–", "–" if ours is None else fixed(ours, 2)]
        lines.append([quantity, *cells])
    header = [
        "quantity",
        "features, paper",
        "latents, ours",
        "neurons, paper",
        "ours",
        "random transformer, paper",
        "ours",
    ]
    return table(header, lines)


def single_token_scores(document: Mapping[str, Any]) -> str:
    """Share of units of a single token, and scores of all units beside those of the others, units as they are."""
    lines = []
    for name, population in document["populations"].items():
        scores = population["raw"]["scores"]
        others = [estimate(scores[each + end]) for each in SPLIT for end in ("", "_others")]
        lines.append([NAMES[name], count(scores["single_token"]["n"]), estimate(scores["single_token"]), *others])
    columns = [f"{COLUMNS[each]}{which}" for each in SPLIT for which in ("", ", others")]
    return table(["units", "n", "of a single token", *columns], lines)
