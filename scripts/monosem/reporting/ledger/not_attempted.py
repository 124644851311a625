"""Claims that this reproduction does not attempt, and why."""

from scripts.monosem.reporting.ledger.claim import Claim, Published, printed


def _not_attempted(id: str, sentence: str, section: str, published: tuple[Published, ...], reason: str) -> Claim:
    return Claim(id, sentence, "Bricken et al. 2023", section, "one_layer", published, reason=reason)


human_rating = _not_attempted(
    "human-rating",
    "Human raters find features far more interpretable than neurons.",
    "How interpretable is the typical feature? (manual)",
    (
        printed("median score of feature intervals", 12, note="of at most fourteen"),
        printed("of neurons", 0),
    ),
    "needs blinded human raters; precision, recall and correlation are given instead",
)
widest_dictionary = _not_attempted(
    "widest-dictionary",
    "The widest dictionary, A/5, recovers still more of the loss.",
    "How much of the model does our interpretation explain?",
    (printed("loss recovered", 0.945, "percent", "131,072 features, 8 billion vectors"),),
    "needs billions of vectors; the frontier shows the direction at our widths",
)
