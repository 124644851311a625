"""Scores of single units on held-out text: N2G and a token table beside each other, logit test, example embedding."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Integer
from scipy.stats import spearmanr

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.latents.logit_weights import logit_weights, reason_unavailable
from scripts.monosem.evaluation.scores import example_embedding, logit_test, trie
from scripts.monosem.evaluation.scores.populations import Sample
from scripts.monosem.evaluation.scores.token_vectors import TokenVectors
from scripts.monosem.evaluation.scores.trie import Backwards, Node
from scripts.monosem.metrics import rank
from scripts.monosem.metrics.correlation import pearson_from_sums
from scripts.monosem.metrics.ratio import ratio

INTERVALS = 11
PER_INTERVAL = 5
"""Tokens of each interval in the unweighted correlation, beside twice as many random ones."""

TOP = 20
"""Largest activations by which a unit is one of a single token."""
SPLIT = ("n2g_pearson", "n2g_interval_spearman", "embedding_auc")
"""Scores that are given for units that are not of a single token, too: `…_others`."""

SCORES = {
    "density": "share of test tokens on which the unit fires",
    "n2g_pearson": "Pearson, activation that N2G predicts and true one, over random test tokens",
    "n2g_spearman": "Spearman, likewise",
    "n2g_precision": "share of the tokens on which N2G predicts an activation, on which there is one",
    "n2g_recall": "share of the tokens with an activation on which N2G predicts one",
    "n2g_f1": "harmonic mean of the two",
    "n2g_interval_spearman": f"Spearman on {PER_INTERVAL} tokens of each of {INTERVALS} intervals of activation and "
    f"{2 * PER_INTERVAL} random ones: as Bricken et al. 2023 choose their examples, without importance weights; over "
    "random tokens (above) every token has the weight of its frequency, as with them",
    "token_pearson": "Pearson, mean activation of the token on validation and true activation, over random test tokens",
    "token_f1": "F1 of 'the token has the unit fire in most cases on validation'",
    "token_interval_spearman": "as n2g_interval_spearman, for the token's mean activation",
    "n2g_above_token": "n2g_pearson minus token_pearson",
    "logit_accuracy": logit_test.CONVENTIONS["logit_test"],
    "embedding_auc": f"AUC of {example_embedding.QUERIES} activating test tokens against as many others, by mean "
    f"cosine with {example_embedding.REFERENCES} activating tokens of validation in the judge's hidden states",
    "single_token": f"1 for a unit whose {TOP} largest activations on validation are on one and the same token, else 0",
} | {f"{name}_others": f"{name} of units that are not of a single token" for name in SPLIT}
BY_INTERVAL = {
    "n2g_recall": "share of the interval's tokens on which N2G predicts an activation",
    "token_recall": "share on whose token the unit fires in most cases on validation",
    "embedding_auc": "AUC of the interval's tokens against tokens on which the unit does not fire",
}


@dataclass(frozen=True)
class SplitRows:
    """One split of the text, row by row."""

    tokens: Integer[np.ndarray, " n"]
    """Token of each row."""
    backwards: Backwards
    hidden: Float[np.ndarray, "n d_judge"]
    """The judge's hidden state."""


@dataclass(frozen=True)
class Material:
    """All that units are scored with."""

    validation: SplitRows
    test: SplitRows
    vectors: TokenVectors
    hidden_mean: Float[np.ndarray, " d_judge"]
    """Over validation."""
    seed: int

    @property
    def vocab(self) -> int:
        """Size of the vocabulary."""
        return len(self.vectors.usual)


@dataclass(frozen=True)
class Prediction:
    """An activation predicted on some rows, 0 on the others."""

    rows: Integer[np.ndarray, " k"]
    values: Float[np.ndarray, " k"]

    def at(self, rows: Integer[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """Predicted activation of other rows."""
        if not len(self.rows):
            return np.zeros(len(rows))
        place = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return np.where(self.rows[place] == rows, self.values[place], 0.0)


@dataclass(frozen=True)
class TokenTable:
    """The token-unigram predictor of a unit, counted on validation."""

    mean: Float[np.ndarray, " vocab"]
    """E[activation | token]."""
    fires: Float[np.ndarray, " vocab"]
    """P(fires | token)."""

    @classmethod
    def of(cls, rows: Integer[np.ndarray, " k"], values: Float[np.ndarray, " k"], split: SplitRows, vocab: int):
        """Means over the split's rows; 0 for a token that it does not have."""
        seen = np.maximum(np.bincount(split.tokens, minlength=vocab), 1)
        tokens = split.tokens[rows]
        return cls(np.bincount(tokens, values, vocab) / seen, np.bincount(tokens, minlength=vocab) / seen)


def n2g_scores(
    prediction: Prediction, rows: Integer[np.ndarray, " k"], values: Float[np.ndarray, " k"], n: int
) -> dict[str, float | None]:
    """Predicted against true activation over all n rows."""
    pair = (prediction.rows, prediction.values, rows, values.astype(np.float64), n)
    hits = int((prediction.at(rows) > 0).sum())
    return {
        "n2g_pearson": rank.pearson_sparse_columns(*pair),
        "n2g_spearman": rank.spearman_sparse(*pair),
        "n2g_precision": ratio(hits, len(prediction.rows)),
        "n2g_recall": ratio(hits, len(rows)),
        "n2g_f1": ratio(2 * hits, len(prediction.rows) + len(rows)),
    }


def token_scores(
    table: TokenTable, rows: Integer[np.ndarray, " k"], values: Float[np.ndarray, " k"], test: SplitRows
) -> dict[str, float | None]:
    """The token table's prediction against the true activation, from sums by token."""
    seen, tokens = np.bincount(test.tokens, minlength=len(table.mean)), test.tokens[rows]
    values = values.astype(np.float64)
    sums = (seen @ table.mean, values.sum(), seen @ table.mean**2, values @ values, values @ table.mean[tokens])
    fires = table.fires > 0.5
    hits = int(fires[tokens].sum())
    return {
        "token_pearson": float(pearson_from_sums(len(test.tokens), *sums)),
        "token_f1": ratio(2 * hits, int(seen[fires].sum()) + len(rows)),
    }


def interval_of(values: Float[np.ndarray, " k"], largest: float) -> Integer[np.ndarray, " k"]:
    """Number of the interval of each activation, of INTERVALS even ones from 0 to the largest; above it, the last."""
    return np.minimum((values / largest * INTERVALS).astype(np.int64), INTERVALS - 1)


def spearman(x: Float[np.ndarray, " m"], y: Float[np.ndarray, " m"]) -> float:
    """Spearman correlation; 0 where a column is constant."""
    return float(spearmanr(x, y).statistic) if np.ptp(x) > 0 and np.ptp(y) > 0 else 0.0


def is_single_token(
    rows: Integer[np.ndarray, " k"], values: Float[np.ndarray, " k"], tokens: Integer[np.ndarray, " n"]
) -> bool | None:
    """True if the largest activations are all on one token; None for a unit that fires too rarely to say."""
    if len(rows) < TOP:
        return None
    top = tokens[rows[np.argsort(-values, kind="stable")[:TOP]]]
    return bool((top == top[0]).all())


def score_unit(
    sample: Sample, place: int, pattern: Node, weights: Float[np.ndarray, " vocab"] | None, material: Material
) -> tuple[dict[str, float | None], dict[str, list[float | None]]]:
    """Scores of one unit, and those by interval. None where a score needs more activating tokens than there are."""
    random = np.random.default_rng(derive_seed(material.seed, "unit", int(sample.index[place])))
    fitted, (rows, values) = sample.column("validation", place), sample.column("test", place)
    test, n = material.test, len(material.test.tokens)
    prediction = Prediction(*trie.predict(pattern, test.backwards))
    table = TokenTable.of(*fitted, material.validation, material.vocab)
    scores = {"density": len(rows) / n, "logit_accuracy": None, "embedding_auc": None}
    if weights is not None:
        scores["logit_accuracy"] = logit_test.score(weights, material.vectors, random)
    by_interval = {name: [None] * INTERVALS for name in BY_INTERVAL}
    if len(rows) == 0 or len(fitted[0]) == 0:
        return scores, by_interval
    scores |= n2g_scores(prediction, rows, values, n) | token_scores(table, rows, values, test)
    scores["n2g_above_token"] = scores["n2g_pearson"] - scores["token_pearson"]

    interval = interval_of(values, float(fitted[1].max()))
    members = [rows[interval == number] for number in range(INTERVALS)]
    chosen = [random.permutation(each)[:PER_INTERVAL] for each in members]
    shown = np.concatenate([*chosen, random.choice(n, 2 * PER_INTERVAL, replace=False)])
    truth = Prediction(rows, values.astype(np.float64)).at(shown)
    scores["n2g_interval_spearman"] = spearman(prediction.at(shown), truth)
    scores["token_interval_spearman"] = spearman(table.mean[test.tokens[shown]], truth)
    for number, inside in enumerate(members):
        if len(inside):
            by_interval["n2g_recall"][number] = float((prediction.at(inside) > 0).mean())
            by_interval["token_recall"][number] = float((table.fires[test.tokens[inside]] > 0.5).mean())

    if min(len(rows), len(fitted[0])) >= example_embedding.FEWEST:
        references = material.validation.hidden[random.permutation(fitted[0])[: example_embedding.REFERENCES]]
        silent = random.choice(n, 2 * example_embedding.QUERIES, replace=False)
        silent = silent[~np.isin(silent, rows)][: example_embedding.QUERIES]
        if len(silent):
            queries = [random.permutation(rows)[: example_embedding.QUERIES], *chosen]
            read = test.hidden[np.concatenate([*queries, silent])]
            alike = example_embedding.similarity(references, read, material.hidden_mean)
            auc = example_embedding.score(alike, [len(each) for each in queries])
            scores["embedding_auc"], by_interval["embedding_auc"] = auc[0], auc[1:]
    single = is_single_token(*fitted, material.validation.tokens)
    if single is not None:
        scores["single_token"] = float(single)
        scores |= {f"{name}_others": None if single else scores[name] for name in SPLIT}
    return scores, by_interval


def weights_of(sample: Sample, vectors: TokenVectors) -> Float[np.ndarray, "sampled vocab"] | None:
    """Logit weights of the sample's units; None where the site has none."""
    population = sample.population
    if reason_unavailable(population.site) is not None:
        return None
    directions = population.directions[torch.from_numpy(sample.index).to(population.directions.device)]
    return logit_weights(population.model, population.site, directions, vectors.usual).cpu().numpy()
