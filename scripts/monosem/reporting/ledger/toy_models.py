"""Claims of chapter 1 on models in superposition. Bars are the experiments' own, from their acceptance rules."""

from collections.abc import Callable

from scripts.monosem.reporting.ledger.claim import Claim, Control, Measured, Part, Subject, claim, in_words, printed
from scripts.monosem.reporting.ledger.estimates import Bar, Estimate, above, at_least, at_most, below, map_value

ELHAGE = {"work": "Elhage et al. 2022", "chapter": "toy"}


def bound(of: Measured, rule: str, bar: Callable[..., Bar], label: str = "") -> Bar:
    """The bar of an experiment's acceptance rule, given as `{experiment}:acceptance/rule`."""
    return bar(of.constant(f"{rule}/bound"), label)


SURPLUS = "norms above 0.9, difference from the number of dimensions"
SPARSEST, DENSEST = "features represented, sparsest", "features represented, densest"


@claim(
    **ELHAGE,
    sentence="A ReLU model with fewer dimensions than features represents only the most important ones when features are "
    "dense, and more and more of them in superposition as features become sparse; a linear model never does.",
    section="Demonstrating Superposition",
    published=(in_words("all features at the sparsest level, as many as dimensions at the densest"),),
    optional="the experiment superposition",
    subject=Subject("ReLU models", {"sparsest": "{superposition}:acceptance/sparsest_norms_above_0_5",
                                    "densest": "{superposition}:models/relu/{densest}/n_represented"}),
    controls=(
        Control(Subject("linear models", {"sparsest": "{superposition}:models/linear/{sparsest}/n_represented",
                                          "densest": "{superposition}:models/linear/{densest}/n_represented"}), (SPARSEST,)),
        Control(Subject("the sparsest ReLU model in the densest one's place",
                        {"sparsest": "{superposition}:models/relu/{sparsest}/n_represented",
                         "densest": "{superposition}:models/relu/{sparsest}/n_represented"}), (DENSEST,)),
    ),
    explanation="The least important features carry next to no loss, and the models of least loss leave them out; more "
    "restarts and other learning rates did not change that. Trained in the same run with equal importances, the model "
    "represents more of them (models/relu_equal_importance in results/toy/superposition/result.json).",
)  # fmt: skip
def superposition_with_sparsity(of: Measured) -> list[Part]:
    return [
        Part(DENSEST, of("densest"), at_most(of.constant("{superposition}:parameters/m"), "dimensions"), "count"),
        Part(SPARSEST, of("sparsest"), at_least(of.constant("{superposition}:parameters/n"), "all features"), "count"),
    ]


@claim(
    **ELHAGE,
    sentence="With dense features the ReLU model gives the most important features a dimension each, nearly orthogonal, "
    "and ignores the rest.",
    section="Demonstrating Superposition",
    published=(in_words("an identity on the first features, zero on the others"),),
    optional="the experiment superposition",
    subject=Subject("the densest ReLU model", {
        "above": "{superposition}:acceptance/dense_norms_above_0_9",
        "ignored": "{superposition}:acceptance/dense_norms_below_0_1",
        "overlap": "{superposition}:acceptance/dense_max_off_diagonal",
    }),
    controls=(
        Control(Subject("the sparsest ReLU model", {
            "above": "{superposition}:models/relu/{sparsest}/n_norm_above_0_9",
            "ignored": "{superposition}:models/relu/{sparsest}/n_norm_below_0_1",
            "overlap": "{superposition}:models/relu/{sparsest}/max_off_diagonal",
        }), ("norms below 0.1", "largest overlap of two features", SURPLUS)),
    ),
)  # fmt: skip
def dense_regime_is_pca(of: Measured) -> list[Part]:
    m, n = of.constant("{superposition}:parameters/m"), of.constant("{superposition}:parameters/n")
    rest = None if m is None or n is None else n - m
    rule = "{superposition}:acceptance/dense_max_off_diagonal"
    return [
        Part(SURPLUS, map_value(of("above"), lambda n: abs(n - (m or 0))), at_most(0), "count"),
        Part("norms below 0.1", of("ignored"), at_least(rest, "all others"), "count"),
        Part("largest overlap of two features", of("overlap"), bound(of, rule, below), "fixed"),
    ]


@claim(
    **ELHAGE,
    sentence="Larger models behave in the same way. Dense features get dimensions of their own, sparse ones share them.",
    section="Demonstrating Superposition",
    published=(in_words("the same progression with 80 features in 20 dimensions"),),
    optional="the experiment superposition-80",
    subject=Subject("ReLU models", "{superposition-80}:models/relu"),
    controls=(
        Control(Subject("linear models", "{superposition-80}:models/linear"),
                ("features represented, most at any sparsity",)),
        Control(Subject("the sparsest ReLU model of equally important features", "{superposition-80}:models/relu_equal_importance"),
                ("features represented, densest",)),
    ),
)  # fmt: skip
def superposition_in_larger_models(of: Measured) -> list[Part]:
    m = of.constant("{superposition-80}:parameters/m")
    return [
        Part("features represented, densest", of("0/n_represented"), at_most(m, "dimensions"), "count"),
        Part(
            "features represented, most at any sparsity", of.largest("*/n_represented"),
            above(None if m is None else 2 * m, "two per dimension"), "count",
        ),
    ]  # fmt: skip


AGREE, SUPERPOSED = "cells off the boundary that agree with theory", "cells in superposition"


def _phase_diagram(experiment: str, claim_id: str, sentence: str) -> Claim:
    rules = f"{{{experiment}}}:acceptance"

    def predicate(of: Measured) -> list[Part]:
        return [
            Part(AGREE, of("agreement"), bound(of, f"{rules}/agreement_off_boundary", at_least), "percent"),
            Part(SUPERPOSED, of("superposed"), above(0), "percent"),
        ]

    return Claim(
        **ELHAGE,
        id=claim_id,
        sentence=sentence,
        section="Superposition as a Phase Change",
        published=(in_words("the empirical diagram agrees with the theoretical one"),),
        optional=f"the experiment {experiment}",
        subject=Subject(
            "ReLU models",
            {
                "agreement": f"{rules}/agreement_off_boundary",
                "superposed": f"{{{experiment}}}:cells/relu/superposed_share",
            },
        ),
        controls=(
            Control(
                Subject(
                    "linear models",
                    {
                        "agreement": f"{rules}/linear_agreement_fails",
                        "superposed": f"{rules}/linear_has_no_superposition",
                    },
                ),
                (AGREE, SUPERPOSED),
            ),
        ),
        predicate=predicate,
    )


phase_diagram = _phase_diagram(
    "phase-diagram",
    "phase-diagram",
    "A feature is ignored, shares a dimension or gets one of its own, as between phases, along boundaries that theory "
    "predicts (two features in one dimension).",
)
phase_diagram_of_three = _phase_diagram(
    "phase-diagram-3", "phase-diagram-of-three", "The same for three features in two dimensions."
)


def _first_order(experiment: str, claim_id: str, sentence: str) -> Claim:
    rules, crossing = f"{{{experiment}}}:acceptance", "loss curves cross"
    both = "decades of importance over which both are stable"

    def predicate(of: Measured) -> list[Part]:
        return [
            Part(crossing, of("crosses"), at_least(1), "count"),
            Part(both, of("coexist"), bound(of, f"{rules}/branches_coexist_decades", above), "fixed"),
        ]

    return Claim(
        **ELHAGE,
        id=claim_id,
        sentence=sentence,
        section="Superposition as a Phase Change",
        published=(in_words("a first-order transition: the losses of two arrangements cross"),),
        optional=f"the experiment {experiment}",
        subject=Subject(
            "the two arrangements of ReLU models",
            {"crosses": f"{rules}/loss_curves_cross", "coexist": f"{rules}/branches_coexist_decades"},
        ),
        controls=(
            Control(
                Subject("the two solutions of linear models", {"coexist": f"{rules}/linear_branches_do_not_coexist"}),
                (both,),
            ),
        ),
        predicate=predicate,
    )


first_order_transition = _first_order(
    "phase-diagram",
    "first-order-transition",
    "The transition is discontinuous. Two arrangements are both stable, and their losses cross.",
)
first_order_transition_of_three = _first_order(
    "phase-diagram-3", "first-order-transition-of-three", "The same for three features in two dimensions."
)


def _triple_point(experiment: str, claim_id: str, sentence: str) -> Claim:
    rule = f"{{{experiment}}}:acceptance/triple_point_error"

    def predicate(of: Measured) -> list[Part]:
        return [Part("fitted triple point, distance from theory", of("error"), bound(of, rule, at_most), "fixed")]

    return Claim(
        **ELHAGE,
        id=claim_id,
        sentence=sentence,
        section="Superposition as a Phase Change",
        published=(in_words("the boundaries of the three phases meet in a point"),),
        optional=f"the experiment {experiment}",
        subject=Subject("ReLU models", {"error": rule}),
        predicate=predicate,
    )


triple_point = _triple_point(
    "phase-diagram", "triple-point", "The three phases meet where the theory of ideal weights has it."
)
triple_point_of_three = _triple_point(
    "phase-diagram-3", "triple-point-of-three", "The same for three features in two dimensions."
)


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
        Control(Subject("linear models", {"agreement": "{non-uniform}:acceptance/linear_pentagons"}),
                ("ratios at which the best free model is the better arrangement",)),
    ),
)  # fmt: skip
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
    "correlated-orthogonal", "Correlated features prefer to be orthogonal.",
    "models whose correlated pairs are orthogonal", "correlated_orthogonal", "independent_orthogonal", at_least, "percent",
)  # fmt: skip
anticorrelated_antipodal = _correlated(
    "anticorrelated-antipodal", "Anticorrelated features prefer to be antipodal.",
    "models whose anticorrelated pairs are antipodal", "anticorrelated_antipodal", "independent_antipodal", at_least, "percent",
)  # fmt: skip
correlated_side_by_side = _correlated(
    "correlated-side-by-side", "Where orthogonality is not possible, correlated features are side by side.",
    "models whose three correlated pairs are side by side", "hexagon_side_by_side", "independent_side_by_side", at_least, "percent",
)  # fmt: skip
local_bases = _correlated(
    "local-bases", "Large sets of correlated features get orthogonal bases of their own.",
    "interference within sets over across sets", "local_bases_within_over_across", "independent_within_over_across",
    at_most, "fixed",
)  # fmt: skip


ORDER = "three, two, one and no collapsed pairs, in this order"


@claim(
    **ELHAGE,
    sentence="Where there is no room, correlated pairs collapse into their first principal component, fewer of them the "
    "sparser they are. Three, two, one, none.",
    section="Correlated and Anticorrelated Features (PCA)",
    published=(in_words("three, two, one and no pair collapse as the features grow sparser"),),
    optional="the experiment correlated",
    subject=Subject("correlated pairs", {"collapsed": "{correlated}:collapsed_by_density/*/correlated",
                                         "rule": "{correlated}:acceptance/collapse_in_the_order_3_2_1_0"}),
    controls=(Control(Subject("independent features", {"collapsed": "{correlated}:collapsed_by_density/*/independent",
                                                       "rule": "{correlated}:acceptance/independent_collapsed_pairs"}),
                      (ORDER,)),),
)  # fmt: skip
def collapse_to_pca(of: Measured) -> list[Part]:
    counts = of.series("collapsed")
    defined = None not in counts
    in_order = defined and counts == sorted(counts, reverse=True) and {0, 1, 2, 3} <= set(counts)
    number = float(in_order) if defined else None
    estimate = Estimate(number, number, number, "one run", len(counts), of.source("rule"))
    return [Part(ORDER, estimate, at_least(1), "count")]


@claim(
    **ELHAGE,
    sentence="While a model trains, its features jump between discrete dimensionalities, and the loss falls as they do.",
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
        Control(Subject("the same before training", {"levels": "{dynamics}:acceptance/untrained_features_at_one_half"}),
                ("represented features that end at one half",)),
        Control(Subject("shuffled intervals", {"jumps": "{dynamics}:acceptance/shuffled_intervals"}),
                ("rank correlation of movement and fall of the loss",)),
    ),
)  # fmt: skip
def energy_levels(of: Measured) -> list[Part]:
    rules = "{dynamics}:acceptance"
    levels, jumps = f"{rules}/features_end_at_one_half", f"{rules}/loss_falls_when_features_move"
    return [
        Part("represented features that end at one half", of("levels"), bound(of, levels, at_least), "percent"),
        Part("rank correlation of movement and fall of the loss", of("jumps"), bound(of, jumps, at_least), "fixed"),
    ]


@claim(
    **ELHAGE,
    sentence="A geometry forms in stages. Two sets of three correlated features in three dimensions end as an octahedron "
    "with antipodes in different sets.",
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
