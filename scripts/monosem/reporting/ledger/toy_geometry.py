"""Claims of chapter 1 on the geometry of superposition: lines, polytopes, correlated features, learning."""

from collections.abc import Callable

from scripts.monosem.reporting.ledger.claim import Claim, Control, Measured, Part, Subject, claim, in_words, printed
from scripts.monosem.reporting.ledger.estimates import Estimate, at_least, at_most
from scripts.monosem.reporting.ledger.toy_models import ELHAGE, bound

LINES = "line at one half (1: at least ten features, and twice as many as beside it)"
LEVELS = "levels with two features per dimension"


@claim(
    **ELHAGE,
    sentence="Equally important features in superposition share dimensions at preferred fractions. Over a range of "
    "sparsities the model keeps two features per dimension.",
    section="The Geometry of Superposition",
    published=(in_words("a plateau at one half over a range of sparsities"),),
    optional="the experiment uniform-geometry",
    subject=Subject(
        "trained models",
        {
            "levels": "{uniform-geometry}:acceptance/levels_at_one_half",
            "line": "{uniform-geometry}:lines/1/2/found",
            "features": "{uniform-geometry}:acceptance/line_at_one_half",
        },
    ),
    controls=tuple(
        Control(
            Subject(
                name,
                {
                    "line": f"{{uniform-geometry}}:controls/{key}/lines/1/2/found",
                    "features": f"{{uniform-geometry}}:controls/{key}/lines/1/2/at",
                },
            ),
            (LINES,),
        )
        for name, key in (
            ("untrained weights", "untrained"),
            ("jittered dimensionalities", "jittered"),
            ("uniform dimensionalities", "uniform"),
        )
    ),
)
def geometry(of: Measured) -> list[Part]:
    rules = "{uniform-geometry}:acceptance"
    return [
        Part(LEVELS, of("levels"), bound(of, f"{rules}/levels_at_one_half", at_least), "count"),
        Part("features on that line", of("features"), bound(of, f"{rules}/line_at_one_half", at_least), "count"),
        Part(LINES, of("line"), at_least(1), "count"),
    ]


@claim(
    **ELHAGE,
    sentence="There are lines at other fractions too, those of triangle, tetrahedron, pentagon and square antiprism.",
    section="The Geometry of Superposition",
    published=(in_words("lines at the fractions of these polytopes"),),
    optional="the experiment uniform-geometry",
    subject=Subject("trained models", {"lines": "{uniform-geometry}:acceptance/lines_at_other_fractions"}),
    controls=tuple(
        Control(
            Subject(name, {"lines": f"{{uniform-geometry}}:acceptance/{key}_has_no_lines"}),
            ("lines at other fractions",),
        )
        for name, key in (
            ("untrained weights", "untrained"),
            ("jittered dimensionalities", "jittered"),
            ("uniform dimensionalities", "uniform"),
        )
    ),
    explanation="The polytopes are there (see the claim on polytopes), but few, and in models that are denser than the "
    "tegum product of pentagons and digons has room for, digons lose some of their half and spread over the "
    "neighbourhood of the pentagon's fraction.",
)
def geometry_other_lines(of: Measured) -> list[Part]:
    rule = "{uniform-geometry}:acceptance/lines_at_other_fractions"
    return [Part("lines at other fractions", of("lines"), bound(of, rule, at_least), "count")]


POLYTOPES = "features in polytopes of three vertices or more"


@claim(
    **ELHAGE,
    sentence="Features in superposition arrange themselves as uniform polytopes in orthogonal subspaces (tegum "
    "products).",
    section="The Geometry of Superposition",
    published=(in_words("digons, triangles, tetrahedra, pentagons and square antiprisms"),),
    optional="the experiment uniform-geometry",
    subject=Subject(
        "trained models",
        {
            "digons": "{uniform-geometry}:features_in/digon",
            "larger": "{uniform-geometry}:features_in_larger",
        },
    ),
    controls=(
        Control(
            Subject(
                "untrained weights of unit length",
                {
                    "digons": "{uniform-geometry}:controls/untrained/features_in_polytopes",
                    "larger": "{uniform-geometry}:controls/untrained/features_in_polytopes",
                },
            ),
            ("features in digons", POLYTOPES),
        ),
    ),
)
def polytopes(of: Measured) -> list[Part]:
    return [
        Part("features in digons", of("digons"), at_least(10), "count"),
        Part(POLYTOPES, of("larger"), at_least(10), "count"),
    ]


ANGLES = "angles of the even pentagon, largest deviation in degrees"


@claim(
    **ELHAGE,
    sentence="Five equal features in two dimensions form a pentagon. As one grows rarer it deforms, then snaps to two "
    "digons without it, because the loss curves of the two arrangements cross.",
    section="Non-Uniform Superposition (perturbing a single feature)",
    published=(in_words("a sudden collapse into digons, where the losses cross"),),
    optional="the experiment non-uniform",
    subject=Subject(
        "ReLU models",
        {
            "angles": "{non-uniform}:acceptance/pentagon_angle_error_degrees",
            "crosses": "{non-uniform}:acceptance/loss_curves_cross",
            "agreement": "{non-uniform}:acceptance/free_models_follow_the_better_branch",
        },
    ),
    controls=(
        Control(Subject("untrained weights", {"angles": "{non-uniform}:acceptance/untrained_angles_fail"}), (ANGLES,)),
        Control(
            Subject("linear models", {"agreement": "{non-uniform}:acceptance/linear_pentagons"}),
            ("ratios at which the best free model is the better arrangement",),
        ),
    ),
)
def pentagon_snaps(of: Measured) -> list[Part]:
    rules = "{non-uniform}:acceptance"
    free = "ratios at which the best free model is the better arrangement"
    return [
        Part(ANGLES, of("angles"), bound(of, f"{rules}/pentagon_angle_error_degrees", at_most)),
        Part("loss curves cross", of("crosses"), at_least(1), "count"),
        Part(free, of("agreement"), bound(of, f"{rules}/free_models_follow_the_better_branch", at_least), "percent"),
    ]


@claim(
    **ELHAGE,
    sentence="The pentagon gives way when the feature is about two and a half times rarer than the others.",
    section="Non-Uniform Superposition (perturbing a single feature)",
    published=(printed("times rarer", 2.5, "number", "approximately"),),
    optional="the experiment non-uniform",
    subject=Subject("ReLU models", {"ratio": "{non-uniform}:acceptance/times_rarer_at_crossing"}),
    explanation="Ours is where the exact expectations of the two losses are equal, and both arrangements stay stable "
    "far to either side of it. Training on samples may leave the pentagon elsewhere.",
)
def pentagon_snaps_where(of: Measured) -> list[Part]:
    return [
        Part("times rarer at the crossing, at most", of("ratio"), at_most(3.2)),
        Part("times rarer at the crossing, at least", of("ratio"), at_least(2)),
    ]


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


ORDER = "three, two, one and no collapsed pairs, in this order"


@claim(
    **ELHAGE,
    sentence="Where there is no room, correlated pairs collapse into their first principal component, fewer of them "
    "the sparser they are. Three, two, one, none.",
    section="Correlated and Anticorrelated Features (PCA)",
    published=(in_words("three, two, one and no pair collapse as the features grow sparser"),),
    optional="the experiment correlated",
    subject=Subject(
        "correlated pairs",
        {
            "collapsed": "{correlated}:collapsed_by_density/*/correlated",
            "rule": "{correlated}:acceptance/collapse_in_the_order_3_2_1_0",
        },
    ),
    controls=(
        Control(
            Subject(
                "independent features",
                {
                    "collapsed": "{correlated}:collapsed_by_density/*/independent",
                    "rule": "{correlated}:acceptance/independent_collapsed_pairs",
                },
            ),
            (ORDER,),
        ),
    ),
)
def collapse_to_pca(of: Measured) -> list[Part]:
    counts = of.series("collapsed")
    defined = None not in counts
    in_order = defined and counts == sorted(counts, reverse=True) and {0, 1, 2, 3} <= set(counts)
    number = float(in_order) if defined else None
    estimate = Estimate(number, number, number, "one run", len(counts), of.source("rule"))
    return [Part(ORDER, estimate, at_least(1), "count")]


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
            "octahedra": "{dynamics}:octahedra_share",
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
            ("octahedra whose antipodes are in different sets",),
        ),
    ),
)
def geometric_transitions(of: Measured) -> list[Part]:
    rules = "{dynamics}:acceptance"
    across, stages = f"{rules}/octahedra_with_antipodes_across_sets", f"{rules}/median_stages"
    return [
        Part("octahedra among the models", of("octahedra"), at_least(0.5), "percent"),
        Part("octahedra whose antipodes are in different sets", of("across"), bound(of, across, at_least), "percent"),
        Part("stages of the loss (median)", of("stages"), bound(of, stages, at_least)),
    ]
