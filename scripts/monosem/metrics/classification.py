"""Scores of one unit as a classifier of labelled tokens: precision, recall, F1, best threshold, AUC.

Not scikit-learn's: importing it costs 2.3 s of start-up, its precision is 0 rather than undefined where nothing is
predicted, and its AUC takes one column at a time.
"""

import numpy as np
from jaxtyping import Bool, Float

from scripts.monosem.metrics.ratio import ratio


def precision_recall_f1(predicted: Bool[np.ndarray, " n"], label: Bool[np.ndarray, " n"]) -> dict[str, float | None]:
    """Precision, recall and F1 of a yes/no prediction; precision is None if nothing is predicted."""
    hits, n_predicted, n_label = int((predicted & label).sum()), int(predicted.sum()), int(label.sum())
    return {
        "precision": ratio(hits, n_predicted),
        "recall": ratio(hits, n_label),
        "f1": ratio(2 * hits, n_predicted + n_label),
    }


def best_threshold(values: Float[np.ndarray, " n"], label: Bool[np.ndarray, " n"]) -> float | None:
    """The smallest positive value t for which `values >= t` has the highest F1; None if no value is positive."""
    positive = values > 0
    if not positive.any():
        return None
    order = np.argsort(-values[positive], kind="stable")
    ranked, hits = values[positive][order], np.cumsum(label[positive][order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + label.sum())
    last_of_its_value = np.append(ranked[1:] != ranked[:-1], True)
    f1 = np.where(last_of_its_value, f1, -1.0)
    return float(ranked[len(f1) - 1 - int(np.argmax(f1[::-1]))])


def auc(values: Float[np.ndarray, "n units"], label: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " units"]:
    """Probability that a labelled row has the larger value than an unlabelled one, ties counted half, per column."""
    from scipy.stats import rankdata  # late: 1.3 s of start-up, for this function alone

    inside, outside = int(label.sum()), int((~label).sum())
    ranks = rankdata(values, axis=0)[label].sum(0)
    return (ranks - inside * (inside + 1) / 2) / (inside * outside)
