"""Labelled contexts: the best latent and neuron of each, chosen on one half of the text and scored on the other.

Bricken et al. 2023 call a feature specific if the tokens it fires on are of its context, and sensitive if it fires on
those of its context. Here the context of every token is known, because the documents were planted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer

from scripts.monosem.evaluation.latents.document import (
    Context,
    ContextControls,
    Scores,
    ScoresOnTest,
    SpecificityBin,
    UnitScore,
)
from scripts.monosem.evaluation.latents.unit_activations import Block
from scripts.monosem.metrics import classification, correlation
from scripts.monosem.metrics.ratio import ratio

ACTIVATION_BINS = 30  # of the histograms
SPECIFICITY_BINS = 10  # equal steps from 0 to the unit's largest activation

CONVENTIONS = {
    "choice": "highest Pearson correlation of activation and label on the validation split",
    "threshold": "smallest activation t > 0 for which 'activation >= t' has the highest F1 on the validation split",
    "test": "precision, recall, F1 of 'activation >= t' and Pearson of activation and label, on the test split",
    "specificity": "share of tokens with activation > 0 that are of the context",
    "shuffled_labels": "labels permuted over all tokens of each split; latent and threshold chosen on those",
    "random_latent": "one latent drawn uniformly among those that fire on validation and are no context's best",
    "other_contexts_best": "of the latents chosen for the other contexts, the one with the highest F1 on validation",
}


@dataclass(frozen=True)
class LabelSums:
    """Sums from which a unit's correlation with every label follows; float64."""

    n: int
    """Tokens."""
    by_label: Float[np.ndarray, " labels"]
    """Tokens of each label."""
    total: Float[np.ndarray, " units"]
    """Σ activation."""
    square: Float[np.ndarray, " units"]
    """Σ activation²."""
    fired: Integer[np.ndarray, " units"]
    """Tokens with activation > 0."""
    with_label: Float[np.ndarray, "units labels"]
    """Σ activation over the tokens of each label."""

    def pearson(self) -> Float[np.ndarray, "units labels"]:
        """Correlation of every unit with every label."""
        counts = self.by_label
        return correlation.pearson_from_sums(
            self.n, self.total[:, None], counts, self.square[:, None], counts, self.with_label
        )

    def __add__(self, other: "LabelSums") -> "LabelSums":
        return LabelSums(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def _sums(
    index: Integer[np.ndarray, " nnz"], values: Float[np.ndarray, " nnz"], n: int
) -> Float[np.ndarray, " n_bins"]:
    """Sum of the values of each index; numpy gives integers where there is no value."""
    return np.bincount(index, values, n).astype(np.float64)


def latent_sums(block: Block, labels: Integer[np.ndarray, " n"], n_labels: int, d_sae: int) -> LabelSums:
    """Sums of all latents over one block, from the active ones alone."""
    values, latents = block.codes.values.double().cpu().numpy(), block.codes.latents.cpu().numpy()
    pairs = latents * n_labels + labels[block.rows()]
    return LabelSums(
        n=len(labels),
        by_label=np.bincount(labels, minlength=n_labels).astype(np.float64),
        total=_sums(latents, values, d_sae),
        square=_sums(latents, values**2, d_sae),
        fired=np.bincount(latents[values > 0], minlength=d_sae),
        with_label=_sums(pairs, values, d_sae * n_labels).reshape(d_sae, n_labels),
    )


def neuron_sums(block: Block, labels: Integer[np.ndarray, " n"], n_labels: int) -> LabelSums:
    """Sums of all neurons over one block."""
    x = block.neurons.cpu().numpy()
    indicator = np.eye(n_labels)[labels]
    return LabelSums(
        n=len(labels),
        by_label=indicator.sum(0),
        total=x.sum(0, dtype=np.float64),
        square=np.square(x).sum(0, dtype=np.float64),
        fired=(x > 0).sum(0),
        with_label=x.T.astype(np.float64) @ indicator,
    )


def specificity_by_activation(
    values: Float[np.ndarray, " n"], label: Bool[np.ndarray, " n"], bins: int = SPECIFICITY_BINS
) -> tuple[SpecificityBin, ...]:
    """Share of tokens in the context as the activation grows (Bricken et al. 2023: 25 % barely active, 98 % strong)."""
    fired = values > 0
    edges = np.linspace(0, float(values.max(initial=0)), bins + 1)
    counts, _ = np.histogram(values[fired], edges)
    inside, _ = np.histogram(values[fired & label], edges)
    return tuple(
        SpecificityBin(float(low), float(high), int(n), ratio(hits, n))
        for low, high, n, hits in zip(edges[:-1], edges[1:], counts, inside, strict=True)
        if high > 0
    )


def histogram(
    values: Float[np.ndarray, " n"], labels: Integer[np.ndarray, " n"], n_labels: int
) -> dict[str, np.ndarray]:
    """Firing tokens, and their summed activation, by label and activation: `edges`, `counts`, `mass`."""
    edges = np.linspace(0, max(float(values.max(initial=0)), np.finfo(np.float32).tiny), ACTIVATION_BINS + 1)
    counts, mass = np.zeros((n_labels, ACTIVATION_BINS), np.int64), np.zeros((n_labels, ACTIVATION_BINS))
    for label in range(n_labels):
        chosen = values[(labels == label) & (values > 0)]
        counts[label], _ = np.histogram(chosen, edges)
        mass[label], _ = np.histogram(chosen, edges, weights=chosen)
    return {"edges": edges, "counts": counts, "mass": mass}


@dataclass(frozen=True)
class Column:
    """One unit's activations on both halves of the text."""

    index: int
    """Number of the latent or neuron."""
    validation: Float[np.ndarray, " n_validation"]
    test: Float[np.ndarray, " n_test"]


def predicted_at(threshold: float | None, values: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Tokens on which a unit is at its threshold or above; none without a threshold."""
    return values >= threshold if threshold is not None else np.zeros(len(values), bool)


def score_at(threshold: float | None, values: Float[np.ndarray, " n"], label: Bool[np.ndarray, " n"]) -> Scores:
    """Precision, recall and F1 of `values >= threshold`, and the correlation of values and label."""
    counted = classification.precision_recall_f1(predicted_at(threshold, values), label)
    return Scores(**counted, pearson=correlation.pearson(values, label))


def score_unit(
    unit: Column, validation_label: Bool[np.ndarray, " n_validation"], test_label: Bool[np.ndarray, " n_test"]
) -> UnitScore:
    """Choose the unit's threshold on validation, score it on test."""
    threshold = classification.best_threshold(unit.validation, validation_label)
    fired = unit.test > 0
    return UnitScore(
        index=unit.index,
        threshold=threshold,
        validation=score_at(threshold, unit.validation, validation_label),
        test=ScoresOnTest(
            score_at(threshold, unit.test, test_label),
            specificity=ratio((fired & test_label).sum(), fired.sum()),
            density=float(fired.mean()),
        ),
        specificity_by_activation=specificity_by_activation(unit.test, test_label),
    )


def by_label(
    unit: Column, threshold: float | None, labels: Integer[np.ndarray, " n_test"], names: Iterable[str]
) -> dict[str, dict[str, float | None]]:
    """Labels of the tokens on which a unit fires (shares add to 1), and how often it fires on tokens of each label."""
    fired = predicted_at(threshold, unit.test)
    counts = {name: int((fired & (labels == label)).sum()) for label, name in enumerate(names)}
    return {
        "confusion": {name: ratio(count, fired.sum()) for name, count in counts.items()},
        "firing_rate": {
            name: ratio(count, (labels == label).sum()) for label, (name, count) in enumerate(counts.items())
        },
    }


@dataclass(frozen=True)
class Halves:
    """Labels of the text: the true ones, or permuted ones."""

    validation: Integer[np.ndarray, " n_validation"]
    test: Integer[np.ndarray, " n_test"]

    def permuted(self, seed: int) -> "Halves":
        """The same labels on random tokens of the same half."""
        random = np.random.default_rng(seed)
        return Halves(random.permutation(self.validation), random.permutation(self.test))


def score_contexts(
    names: tuple[str, ...],
    labels: Halves,
    shuffled: Halves,
    latents: Mapping[str, Column],
    neurons: Mapping[str, Column],
    shuffled_latents: Mapping[str, Column],
    random_latent: Column | None,
) -> dict[str, Context]:
    """Scores of every context; contexts are the keys of `latents`.

    Args:
        names: corpus.LABELS; the number of a label is its place.
        latents, neurons: per context the unit with the highest correlation on validation.
        shuffled_latents: the same for permuted labels.
        random_latent: a latent chosen for no context, if there is one.
    """
    result = {}
    for context, latent in latents.items():
        number = names.index(context)
        truth = (labels.validation == number, labels.test == number)
        others = [score_unit(column, *truth) for other, column in latents.items() if other != context]
        scored = score_unit(latent, *truth)
        result[context] = Context(
            share_of_tokens=float(truth[1].mean()),
            n_test_tokens=int(truth[1].sum()),
            latent=scored,
            neuron=score_unit(neurons[context], *truth),
            controls=ContextControls(
                shuffled_labels=score_unit(
                    shuffled_latents[context], shuffled.validation == number, shuffled.test == number
                ),
                random_latent=score_unit(random_latent, *truth) if random_latent else None,
                other_contexts_best=max(others, key=lambda unit: unit.validation.f1 or 0.0, default=None),
            ),
            **by_label(latent, scored.threshold, labels.test, names),
            pearson_with={
                other: correlation.pearson(latent.test, labels.test == names.index(other)) for other in latents
            },
        )
    return result
