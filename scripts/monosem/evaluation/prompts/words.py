"""A latent beside what the words of a prompt tell of its set: classifiers of word counts and of token embeddings.

Both are fitted to the prompts on which the latent was chosen, and all are scored on the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.documents import Estimate
from scripts.monosem.evaluation.prompts.differential_latents import Half, mean_correlation
from scripts.monosem.evaluation.prompts.document import BesideWords
from scripts.monosem.metrics.bootstrap import document_weights, interval

RESAMPLINGS = 1000
CONVENTIONS = {
    "beside_words": "area under the ROC curve on the second half, with intervals over its prompts; the latent is the "
    "first in rank, by its largest activation in a prompt",
    "words": "logistic regression (L2, C = 1) on the counts of a prompt's words, fitted to the first half",
    "embeddings": "the same on the mean of the model's token and position embeddings over a prompt, standardised",
    "permuted_labels": "the latent that ranks first with the labels of the first half permuted",
}


@dataclass(frozen=True)
class Prompts:
    """Prompts of set and baseline on one side of the split, in the order of the half's rows."""

    half: Half
    texts: tuple[str, ...]
    embeddings: Float[np.ndarray, "prompts d_model"]
    """Mean over the tokens of each prompt."""


def word_scores(first: Prompts, second: Prompts) -> Float[np.ndarray, " prompts"]:
    """Decision values of a classifier of word counts on the second half."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    classifier = make_pipeline(CountVectorizer(token_pattern=r"[^\W\d_]+"), LogisticRegression(max_iter=1000))
    return classifier.fit(first.texts, first.half.label).decision_function(second.texts)


def embedding_scores(first: Prompts, second: Prompts) -> Float[np.ndarray, " prompts"]:
    """Decision values of a classifier of mean embeddings on the second half."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return classifier.fit(first.embeddings, first.half.label).decision_function(second.embeddings)


def resampled_auc(
    values: Float[np.ndarray, " prompts"], label: Bool[np.ndarray, " prompts"], seed: int
) -> Float[np.ndarray, " resamplings"]:
    """Area under the curve, of the prompts themselves and then of prompts drawn with replacement within either set.

    The same seed draws the same prompts, so that areas of several scores can be compared in pairs.
    """
    inside, outside = values[label], values[~label]
    larger = (inside[:, None] > outside) + 0.5 * (inside[:, None] == outside)
    seeds = [derive_seed(seed, side) for side in ("set", "baseline")]
    weights = [
        document_weights(len(part), RESAMPLINGS, each) for part, each in zip((inside, outside), seeds, strict=True)
    ]
    return ((weights[0] @ larger) * weights[1]).sum(1) / larger.size


def estimate(areas: Float[np.ndarray, " resamplings"], n: int) -> Estimate:
    """The first value with the interval of the others."""
    return Estimate(float(areas[0]), *interval(areas[1:]), n)


def beside_words(
    first: Prompts, second: Prompts, tested: Bool[np.ndarray, " latents"], latent: int, seed: int
) -> dict[str, BesideWords]:
    """A latent that was chosen on the first half, both classifiers, and a latent chosen on permuted labels.

    Args:
        tested: latents among which it was chosen.
    Returns: "latent", "words", "embeddings", "permuted_labels" -> areas on the second half.
    """
    permuted = np.random.default_rng(derive_seed(seed, "permuted labels")).permutation(first.half.label)
    correlation = mean_correlation(Half(first.half.mean, first.half.max, permuted))
    by_chance = int(np.where(tested, correlation, -np.inf).argmax())
    scores: Mapping[str, Sequence[float]] = {
        "latent": second.half.max[:, latent],
        "words": word_scores(first, second),
        "embeddings": embedding_scores(first, second),
        "permuted_labels": second.half.max[:, by_chance],
    }
    label, n = second.half.label, len(second.half.label)
    areas = {name: resampled_auc(np.asarray(values, np.float64), label, seed) for name, values in scores.items()}
    return {
        name: BesideWords(
            auc=estimate(each, n),
            over_words=estimate(each - areas["words"], n),
            over_embeddings=estimate(each - areas["embeddings"], n),
        )
        for name, each in areas.items()
    }
