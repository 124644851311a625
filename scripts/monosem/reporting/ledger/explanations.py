"""Claims of chapter 2 on how well text explains units: features against neurons, and what should be no easier."""

from scripts.monosem.reporting.ledger.claim import Control, Measured, Part, Subject, claim, in_words, printed
from scripts.monosem.reporting.ledger.estimates import above, at_most
from scripts.monosem.reporting.ledger.one_layer import BRICKEN

SECTION = "How interpretable is the typical feature?"
NOT_SCORED = "scores of the headline's latents"
LATENTS, NEURONS, ROTATED, RANDOM, PERMUTED = (
    Subject(words, f"{{scores}}:populations/{name}")
    for words, name in (
        ("latents", "latents"),
        ("neurons", "neurons"),
        ("neurons of a random rotation", "rotated"),
        ("latents of a random dictionary", "random"),
        ("latents of the permuted model", "permuted"),
    )
)


def _above(of: Measured, other: str, score: str, variant: str):
    return of(f"{variant}/above/{other}/{score}", "units")


ACTIVATION, ACTIVATION_RAW = "correlation above neurons', at equal density", "the same, units as they are"
RANKS = "rank correlation by interval above neurons', at equal density"


@claim(
    **BRICKEN,
    sentence="The activations of features are easier to predict from an explanation than those of neurons.",
    section=f"{SECTION} (automated: activations)",
    optional=NOT_SCORED,
    published=(in_words("Spearman correlation clearly above that of neurons (a figure)"),),
    subject=LATENTS,
    controls=tuple(Control(each, (ACTIVATION, ACTIVATION_RAW, RANKS)) for each in (ROTATED, RANDOM)),
)
def features_are_easier_to_predict(of: Measured) -> list[Part]:
    return [
        Part(ACTIVATION, _above(of, "neurons", "n2g_pearson", "equal_density"), above(0), "fixed"),
        Part(ACTIVATION_RAW, _above(of, "neurons", "n2g_pearson", "raw"), above(0), "fixed"),
        Part(RANKS, _above(of, "neurons", "n2g_interval_spearman", "equal_density"), above(0), "fixed"),
    ]


LOGITS, LOGITS_RAW = "right answers above neurons', at equal density", "the same, units as they are"


@claim(
    **BRICKEN,
    sentence="The logit weights of features are easier to predict from an explanation than those of neurons.",
    section=f"{SECTION} (automated: logit weights)",
    optional=NOT_SCORED,
    published=(
        printed("right answers, features", 0.74, "percent"),
        printed("right answers, neurons", 0.58, "percent"),
    ),
    subject=LATENTS,
    controls=tuple(Control(each, (LOGITS, LOGITS_RAW)) for each in (ROTATED, RANDOM, PERMUTED)),
    explanation="The tokens that any direction at the site raises through the trained weights have much in common, so "
    "that random directions are far above chance, and may be as predictable as neurons.",
)
def logit_weights_of_features(of: Measured) -> list[Part]:
    return [
        Part(LOGITS, _above(of, "neurons", "logit_accuracy", "equal_density"), above(0), "percent"),
        Part(LOGITS_RAW, _above(of, "neurons", "logit_accuracy", "raw"), above(0), "percent"),
    ]


EXAMPLES = "AUC above neurons', at equal density"


@claim(
    **BRICKEN,
    sentence="Examples of a feature are more consistent than those of a neuron (here: more alike in the hidden states "
    "of another model, after Paulo and Belrose 2025).",
    section=f"{SECTION} (manual)",
    optional=NOT_SCORED,
    published=(in_words("raters find high activations of features consistent, of neurons hardly ever"),),
    subject=LATENTS,
    controls=tuple(Control(each, (EXAMPLES,)) for each in (ROTATED, RANDOM)),
    explanation="Neurons as they are fire on a large part of all tokens, which have little in common; but so would "
    "random directions beat them. The largest activations of a neuron, as many as of a latent, are nearly as "
    "much alike as the latent's.",
)
def examples_of_latents_are_alike(of: Measured) -> list[Part]:
    return [Part(EXAMPLES, _above(of, "neurons", "embedding_auc", "equal_density"), above(0), "fixed")]


AT_MOST = "right answers, chance at most"


@claim(
    **BRICKEN,
    sentence="For the random transformer, logit weights are predicted at chance.",
    section="Do features tell us about the model or the data?",
    optional=NOT_SCORED,
    published=(printed("right answers", 0.5, "percent"),),
    subject=PERMUTED,
    controls=(Control(LATENTS, (AT_MOST,)),),
)
def logit_weights_of_the_random_model(of: Measured) -> list[Part]:
    return [Part(AT_MOST, of("raw/scores/logit_accuracy", "units"), at_most(0.52), "percent")]


RANDOM_MODEL = "rank correlation by interval above the latents'"


@claim(
    **BRICKEN,
    sentence="The activations of the random transformer's features are even easier to predict than those of the "
    "trained one's, because more of them are single tokens.",
    section="Do features tell us about the model or the data?",
    optional=NOT_SCORED,
    published=(in_words("the median of the random transformer's features is higher (a figure)"),),
    subject=PERMUTED,
    controls=tuple(Control(each, (RANDOM_MODEL,)) for each in (NEURONS, ROTATED, RANDOM)),
    explanation="Means are compared here, medians in the paper, which the units that nothing predicts move less; the "
    "table of published values has both medians.",
)
def random_model_is_easier_to_predict(of: Measured) -> list[Part]:
    return [Part(RANDOM_MODEL, _above(of, "latents", "n2g_interval_spearman", "raw"), above(0), "fixed")]
