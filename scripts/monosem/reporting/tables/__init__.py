"""Tables of the report: results in, Markdown out. Templates write `tables.<name>(...)`."""

from scripts.monosem.reporting.tables.cases import case_tokens, cases
from scripts.monosem.reporting.tables.dictionaries import matched_cases, matches, splits_of_latents, transitions
from scripts.monosem.reporting.tables.fidelity import baselines, by_layer, norms, saes, sweep
from scripts.monosem.reporting.tables.language_models import models
from scripts.monosem.reporting.tables.latents import cards, contexts, entropies
from scripts.monosem.reporting.tables.ledger import acceptance, claims, counts, disagreements
from scripts.monosem.reporting.tables.run_record import environment, facts, left_out, sources, splits, times
from scripts.monosem.reporting.tables.scores import published_scores, score_differences, scores, single_token_scores

__all__ = [
    "acceptance",
    "baselines",
    "by_layer",
    "cards",
    "case_tokens",
    "cases",
    "claims",
    "contexts",
    "counts",
    "disagreements",
    "entropies",
    "environment",
    "facts",
    "left_out",
    "matched_cases",
    "matches",
    "models",
    "norms",
    "published_scores",
    "saes",
    "score_differences",
    "scores",
    "single_token_scores",
    "sources",
    "splits",
    "splits_of_latents",
    "sweep",
    "times",
    "transitions",
]
