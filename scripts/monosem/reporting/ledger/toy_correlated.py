"""Claims of chapter 1 on correlated features and on learning: arrangements, collapse, jumps and stages."""

from collections.abc import Callable

from scripts.monosem.reporting.ledger.claim import Claim, Control, Measured, Part, Subject, claim, in_words, printed
from scripts.monosem.reporting.ledger.estimates import at_least, at_most
from scripts.monosem.reporting.ledger.toy_models import ELHAGE, bound


def _correlated(
    claim_id: str, sentence: str, quantity: str, rule: str, control: str, bar: Callable, form: str
) -> Claim:
    rules = "{correlated}:acceptance"

    def predicate(of: Measured) -> list[Part]:
        return [Part(quantity, of("value"), bound(of, f"{rules}/{rule}", bar), form)]

    return Claim(
        **ELHAGE,
        id=claim_id,
        sentence=sentence,
        section="Correlated and Anticorrelated Features",
        published=(in_words(sentence),),
        optional="the experiment correlated",
        subject=Subject("models of correlated or anticorrelated features", {"value": f"{rules}/{rule}"}),
        controls=(Control(Subject("independent features", {"value": f"{rules}/{control}"}), (quantity,)),),
        predicate=predicate,
    )


correlated_orthogonal = _correlated(
    "correlated-orthogonal",
    "Correlated features prefer to be orthogonal.",
    "models whose correlated pairs are orthogonal",
    "correlated_orthogonal",
    "independent_orthogonal",
    at_least,
    "percent",
)
anticorrelated_antipodal = _correlated(
    "anticorrelated-antipodal",
    "Anticorrelated features prefer to be antipodal.",
    "models whose anticorrelated pairs are antipodal",
    "anticorrelated_antipodal",
    "independent_antipodal",
    at_least,
    "percent",
)
correlated_side_by_side = _correlated(
    "correlated-side-by-side",
    "Where orthogonality is not possible, correlated features are side by side.",
    "models whose three correlated pairs are side by side",
    "hexagon_side_by_side",
    "independent_side_by_side",
    at_least,
    "percent",
)
local_bases = _correlated(
    "local-bases",
    "Large sets of correlated features get orthogonal bases of their own.",
    "interference within sets over across sets",
    "local_bases_within_over_across",
    "independent_within_over_across",
    at_most,
    "fixed",
)


ORDER = "three, two, one and no collapsed pairs, in this order (1: yes)"


@claim(
    **ELHAGE,
    sentence="Where there is no room, correlated pairs collapse into their first principal component, fewer of them "
    "the sparser they are. Three, two, one, none.",
    section="Correlated and Anticorrelated Features (PCA)",
    published=(in_words("three, two, one and no pair collapse as the features grow sparser"),),
    optional="the experiment correlated",
    subject=Subject("correlated pairs", {"in order": "{correlated}:acceptance/collapse_in_the_order_3_2_1_0"}),
    controls=(
        Control(
            Subject("independent features", {"in order": "{correlated}:acceptance/independent_in_the_order_3_2_1_0"}),
            (ORDER,),
        ),
    ),
)
def collapse_to_pca(of: Measured) -> list[Part]:
    return [Part(ORDER, of("in order"), at_least(1), "count")]


NAMED = "densities with as many collapsed pairs as published"


@claim(
    **ELHAGE,
    sentence="They do so at the published densities.",
    section="Correlated and Anticorrelated Features (PCA)",
    published=(
        printed("three pairs, densities from 0.25 to", 0.5),
        printed("two pairs, densities from 0.15 to", 0.2),
        printed("one pair, densities from 0.05 to", 0.15),
        printed("no pair, densities below", 0.05),
    ),
    optional="the experiment correlated",
    subject=Subject("correlated pairs", {"named": "{correlated}:acceptance/collapse_at_published_densities"}),
    controls=(
        Control(
            Subject("independent features", {"named": "{correlated}:acceptance/independent_at_published_densities"}),
            (NAMED,),
        ),
    ),
    explanation="The order is the published one, the borders are not. Near some of them another number of pairs has "
    "collapsed in the best of our models than the paper names.",
)
def collapse_at_published_densities(of: Measured) -> list[Part]:
    rule = "{correlated}:acceptance/collapse_at_published_densities"
    return [Part(NAMED, of("named"), bound(of, rule, at_least, "all that the paper names"), "count")]


@claim(
    **ELHAGE,
    sentence="While a model trains, its features jump between discrete dimensionalities, and the loss falls as they "
    "do.",
    section="Superposition and Learning Dynamics (discrete energy level jumps)",
    published=(in_words("abrupt jumps of features between levels, with the loss"),),
    optional="the experiment dynamics",
    subject=Subject(
        "the trained model",
        {
            "levels": "{dynamics}:acceptance/features_end_at_one_half",
            "jumps": "{dynamics}:acceptance/loss_falls_when_features_move",
        },
    ),
    controls=(
        Control(
            Subject("the same before training", {"levels": "{dynamics}:acceptance/untrained_features_at_one_half"}),
            ("represented features that end at one half",),
        ),
        Control(
            Subject("shuffled intervals", {"jumps": "{dynamics}:acceptance/shuffled_intervals"}),
            ("rank correlation of movement and fall of the loss",),
        ),
    ),
)
def energy_levels(of: Measured) -> list[Part]:
    rules = "{dynamics}:acceptance"
    levels, jumps = f"{rules}/features_end_at_one_half", f"{rules}/loss_falls_when_features_move"
    return [
        Part("represented features that end at one half", of("levels"), bound(of, levels, at_least), "percent"),
        Part("rank correlation of movement and fall of the loss", of("jumps"), bound(of, jumps, at_least), "fixed"),
    ]


OCTAHEDRA, STAGES = "octahedra among the models", "stages of the loss (median)"
ACROSS = "octahedra whose antipodes are in different sets"


@claim(
    **ELHAGE,
    sentence="A geometry forms in stages. Two sets of three correlated features in three dimensions end as an "
    "octahedron with antipodes in different sets.",
    section="Superposition and Learning Dynamics (learning as geometric transformations)",
    published=(in_words("the loss falls in stages, the final solution is an octahedron"),),
    optional="the experiment dynamics",
    subject=Subject(
        "correlated features",
        {
            "octahedra": "{dynamics}:acceptance/octahedra_share",
            "across": "{dynamics}:acceptance/octahedra_with_antipodes_across_sets",
            "stages": "{dynamics}:acceptance/median_stages",
        },
    ),
    controls=(
        Control(
            Subject(
                "independent features",
                {
                    "octahedra": "{dynamics}:controls/independent_octahedra_share",
                    "across": "{dynamics}:acceptance/independent_antipodes_across_sets",
                },
            ),
            (ACROSS,),
        ),
        Control(
            Subject("the models before training", {"octahedra": "{dynamics}:acceptance/octahedra_before_training"}),
            (OCTAHEDRA,),
        ),
        Control(Subject("a loss that falls once", {"stages": "{dynamics}:acceptance/one_fall_stages"}), (STAGES,)),
    ),
    explanation="Those that are octahedra at the end have antipodes in different sets, and are a minority: most models "
    "still hold another arrangement when training ends.",
)
def geometric_transitions(of: Measured) -> list[Part]:
    rules = "{dynamics}:acceptance"
    across, stages = f"{rules}/octahedra_with_antipodes_across_sets", f"{rules}/median_stages"
    return [
        Part(OCTAHEDRA, of("octahedra"), bound(of, f"{rules}/octahedra_share", at_least), "percent"),
        Part(ACROSS, of("across"), bound(of, across, at_least), "percent"),
        Part(STAGES, of("stages"), bound(of, stages, at_least)),
    ]
