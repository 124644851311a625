"""Claims of chapter 2 on whole dictionaries: universality, feature splitting, automata."""

from scripts.monosem.reporting.ledger.claim import Control, Measured, Part, Subject, claim, in_words, printed
from scripts.monosem.reporting.ledger.estimates import at_least
from scripts.monosem.reporting.ledger.one_layer import BRICKEN

FEATURES_LESS_NEURONS = "median best correlation, features less neurons"


def _seeds(name: str, ending: str) -> Subject:
    """Another seed, or a substitute in a control."""
    at = "{universality}:"
    return Subject(
        name,
        {
            "activation": f"{at}advantage/{ending or 'true'}",
            "attribution": f"{at}attribution_advantage/{ending or 'true'}",
            "together": f"{at}subjects/latents{'_' * bool(ending)}{ending}/attribution_follows_activation",
        },
    )


PERMUTED_TOKENS = _seeds("the other seed on permuted tokens", "permuted_tokens")
PERMUTED_MODEL = _seeds("the model with permuted weights", "permuted_model")


@claim(
    **BRICKEN,
    sentence="Features of two models match each other better than their neurons do.",
    section="Universality",
    optional="the dictionary of a second seed",
    published=(printed("median best correlation, features", 0.72), printed("neurons", 0.46)),
    subject=_seeds("the other seed", ""),
    controls=(Control(PERMUTED_TOKENS, (FEATURES_LESS_NEURONS,)), Control(PERMUTED_MODEL, (FEATURES_LESS_NEURONS,))),
    explanation="Latents match better than neurons, but so do those of a model with permuted weights: many fire "
    "on single tokens, which any model that reads tokens can tell apart. Activations alone do not show that two models "
    "learned the same; attributions do, in the next claim.",
)
def universality(of: Measured) -> list[Part]:
    return [Part(FEATURES_LESS_NEURONS, of("activation", "documents"), at_least(0.1), "fixed")]


ATTRIBUTIONS_LESS_NEURONS = "median correlation of attributions, features less neurons"
TOGETHER = "correlation over features of both similarities"


@claim(
    **BRICKEN,
    sentence="Features of two models that fire alike also have like effects: the similarity of attributions follows "
    "that of activations.",
    section="Universality",
    optional="the dictionary of a second seed",
    published=(in_words("attribution similarity is closely related to activation similarity"),),
    subject=_seeds("the other seed", ""),
    controls=(
        Control(PERMUTED_TOKENS, (ATTRIBUTIONS_LESS_NEURONS,)),
        Control(PERMUTED_MODEL, (ATTRIBUTIONS_LESS_NEURONS, TOGETHER)),
    ),
)
def universality_of_effects(of: Measured) -> list[Part]:
    return [
        Part(ATTRIBUTIONS_LESS_NEURONS, of("attribution", "documents"), at_least(0.1), "fixed"),
        Part(TOGETHER, of("together", "documents"), at_least(0.5), "fixed"),
    ]


SPLIT = "latents of the narrowest dictionary that split"
GROWTH = "latents for the labelled contexts, widest less narrowest dictionary"


@claim(
    **BRICKEN,
    sentence="Wider dictionaries split features: where a narrow one has one, a wide one has several that share its "
    "tokens, and more for each context.",
    section="Feature Splitting",
    optional="narrower dictionaries and labelled contexts",
    published=(in_words("one base64 feature in A/0, three in A/1, many in A/2"),),
    subject=Subject("wider", {"split": "{splitting}:subjects/widest/split_share", "growth": "{splitting}:growth/true"}),
    controls=(
        Control(
            Subject("children of another latent", {"split": "{splitting}:subjects/random_pairing/split_share"}),
            (SPLIT,),
        ),
        Control(
            Subject("dictionary of the permuted model", {"split": "{splitting}:subjects/permuted_model/split_share"}),
            (SPLIT,),
        ),
        Control(Subject("permuted labels", {"growth": "{splitting}:growth/permuted_labels"}), (GROWTH,)),
    ),
    explanation="A latent counts as split if several latents of the widest dictionary together fire on its tokens, "
    "with a Jaccard index above a half, and better than any one of them alone.",
)
def feature_splitting(of: Measured) -> list[Part]:
    return [
        Part(SPLIT, of("split", "documents"), at_least(0.05), "percent"),
        Part(GROWTH, of("growth", "documents"), at_least(4), "count"),
    ]


LIFT = "lift of the transitions that logit weights choose"
RAISED = "probability of the target's tokens, over that with the source ablated"


@claim(
    **BRICKEN,
    sentence="Features form finite-state automata: one raises the probability of tokens on which another fires next.",
    section='"Finite State Automata"',
    optional="a site with logit weights",
    published=(in_words("automata of base64, DNA, snake case and HTML"),),
    subject=Subject("latents", "{automata}:subjects/latents"),
    controls=(
        Control(Subject("shuffled next tokens", {"lift": "{automata}:subjects/shuffled_next/lift"}), (LIFT,)),
        Control(Subject("targets of another latent", "{automata}:subjects/permuted_targets"), (LIFT, RAISED)),
        Control(Subject("dictionary of the permuted model", "{automata}:subjects/permuted_model"), (LIFT,)),
    ),
)
def automata(of: Measured) -> list[Part]:
    return [
        Part(LIFT, of("lift", "documents"), at_least(2), "number"),
        Part(RAISED, of("probability_ratio", "documents"), at_least(1.1), "number"),
    ]
