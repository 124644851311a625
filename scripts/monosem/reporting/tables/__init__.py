"""Tables of the report: results in, Markdown out. Templates write `tables.<name>(...)`."""

from scripts.monosem.reporting.tables.fidelity import baselines, by_layer, saes, sweep
from scripts.monosem.reporting.tables.language_models import models
from scripts.monosem.reporting.tables.latents import cards, contexts, entropies
from scripts.monosem.reporting.tables.ledger import acceptance, claims, counts, disagreements
from scripts.monosem.reporting.tables.run_record import environment, facts, left_out, sources, splits, times

__all__ = [
    "acceptance",
    "baselines",
    "by_layer",
    "cards",
    "claims",
    "contexts",
    "counts",
    "disagreements",
    "entropies",
    "environment",
    "facts",
    "left_out",
    "models",
    "saes",
    "sources",
    "splits",
    "sweep",
    "times",
]
