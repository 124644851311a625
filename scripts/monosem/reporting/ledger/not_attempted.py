"""Claims that this reproduction does not attempt, and why."""

from scripts.monosem.reporting.ledger.claim import Claim, Published, in_words, printed


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
universality = _not_attempted(
    "universality",
    "Features of two models match each other better than their neurons do.",
    "Universality",
    (printed("median best correlation, features", 0.72), printed("neurons", 0.46)),
    "both models and dictionaries are trained here, but they are not compared yet",
)
feature_splitting = _not_attempted(
    "feature-splitting",
    "Wider dictionaries split features; base64 has one feature in A/0 and three in A/1.",
    "Feature Splitting",
    (in_words("one base64 feature becomes three"),),
    "the dictionaries of several widths are trained here, but not yet compared feature by feature",
)
automata = _not_attempted(
    "automata",
    "Features form finite-state automata.",
    '"Finite State Automata"',
    (in_words("base64, DNA and HTML automata"),),
    "transitions between features are not measured in this version",
)
