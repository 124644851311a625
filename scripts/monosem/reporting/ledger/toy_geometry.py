"""Claims of chapter 1 on the geometry of superposition: lines, polytopes, a pentagon."""

from scripts.monosem.reporting.ledger.claim import Control, Measured, Part, Subject, claim, in_words, printed
from scripts.monosem.reporting.ledger.estimates import at_least, at_most
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
            "line": "{uniform-geometry}:acceptance/line_at_one_half",
        },
    ),
    controls=(
        *(
            Control(Subject(name, {"line": f"{{uniform-geometry}}:controls/{key}/lines/1/2/found"}), (LINES,))
            for name, key in (
                ("untrained weights", "untrained"),
                ("jittered dimensionalities", "jittered"),
                ("uniform dimensionalities", "uniform"),
            )
        ),
        Control(
            Subject(
                "dimensions per feature that fall by equal factors",
                {"levels": "{uniform-geometry}:controls/even/levels_at_one_half"},
            ),
            (LEVELS,),
        ),
    ),
)
def geometry(of: Measured) -> list[Part]:
    rule = "{uniform-geometry}:acceptance/levels_at_one_half"
    return [
        Part(LEVELS, of("levels"), bound(of, rule, at_least, "three, and twice as many as without a plateau"), "count"),
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


IN_POLYTOPES = "features in superposition that are in polytopes"
LARGER = "of those in components of three or more, in polytopes"


@claim(
    **ELHAGE,
    sentence="Features in superposition arrange themselves as uniform polytopes in orthogonal subspaces (tegum "
    "products), digons and larger ones.",
    section="The Geometry of Superposition",
    published=(in_words("digons, triangles, tetrahedra, pentagons and square antiprisms"),),
    optional="the experiment uniform-geometry",
    subject=Subject(
        "trained models",
        {
            "all": "{uniform-geometry}:acceptance/share_in_polytopes",
            "larger": "{uniform-geometry}:acceptance/share_of_larger_in_polytopes",
        },
    ),
    controls=(
        Control(
            Subject(
                "as many random directions",
                {
                    "all": "{uniform-geometry}:acceptance/random_share_in_polytopes",
                    "larger": "{uniform-geometry}:acceptance/random_share_of_larger_in_polytopes",
                },
            ),
            (IN_POLYTOPES, LARGER),
        ),
    ),
    explanation="Digons are most of what there is. Few larger components are a polytope within the tolerance: several "
    "touch one another, or cosines are further off.",
)
def polytopes(of: Measured) -> list[Part]:
    rules = "{uniform-geometry}:acceptance"
    return [
        Part(IN_POLYTOPES, of("all"), bound(of, f"{rules}/share_in_polytopes", at_least), "percent"),
        Part(LARGER, of("larger"), bound(of, f"{rules}/share_of_larger_in_polytopes", at_least), "percent"),
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
            Subject(
                "linear models",
                {
                    "agreement": "{non-uniform}:acceptance/linear_pentagons",
                    "crosses": "{non-uniform}:acceptance/linear_loss_curves_do_not_cross",
                },
            ),
            ("ratios at which the best free model is the better arrangement", "loss curves cross"),
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


AT_MOST, AT_LEAST = "times rarer at the crossing, at most", "times rarer at the crossing, at least"


@claim(
    **ELHAGE,
    sentence="The pentagon gives way when the feature is about two and a half times rarer than the others.",
    section="Non-Uniform Superposition (perturbing a single feature)",
    published=(printed("times rarer", 2.5, "number", "approximately"),),
    optional="the experiment non-uniform",
    subject=Subject("ReLU models", {"ratio": "{non-uniform}:acceptance/times_rarer_at_crossing"}),
    controls=(
        Control(
            Subject("all features sparser", {"ratio": "{non-uniform}:acceptance/sparser_crossing_is_elsewhere"}),
            (AT_MOST,),
        ),
        Control(
            Subject("all features denser", {"ratio": "{non-uniform}:acceptance/denser_crossing_is_elsewhere"}),
            (AT_LEAST,),
        ),
    ),
    explanation="Ours is where the expectations of the two losses are equal, and both arrangements are stable far to "
    "either side. Training on samples is not the reason: the best of models that are trained so become digons at about "
    "the same ratio. The density of the other features would be one: where they are twice as dense the losses cross "
    "close to the published ratio. We do not know by which density the published figure is labelled.",
)
def pentagon_snaps_where(of: Measured) -> list[Part]:
    return [Part(AT_MOST, of("ratio"), at_most(3.2)), Part(AT_LEAST, of("ratio"), at_least(2))]
