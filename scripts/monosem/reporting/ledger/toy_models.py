"""Claims of chapter 1 on models in superposition. Bars are the experiments' own, from their acceptance rules."""

from collections.abc import Callable

from scripts.monosem.reporting.ledger.claim import Claim, Control, Measured, Part, Subject, claim, in_words
from scripts.monosem.reporting.ledger.estimates import Bar, above, at_least, at_most, below

ELHAGE = {"work": "Elhage et al. 2022", "chapter": "toy"}


def bound(of: Measured, rule: str, bar: Callable[..., Bar], label: str = "") -> Bar:
    """The bar of an experiment's acceptance rule, given as `{experiment}:acceptance/rule`."""
    return bar(of.constant(f"{rule}/bound"), label)


IMPORTANT, IGNORED = "most important features with norms above 0.9", "other features with norms below 0.1"
SPARSEST, DENSEST = "features represented, sparsest", "features represented, densest"


@claim(
    **ELHAGE,
    sentence="A ReLU model with fewer dimensions than features represents only the most important ones when features "
    "are dense, and more and more of them in superposition as features become sparse; a linear model never does.",
    section="Demonstrating Superposition",
    published=(in_words("all features at the sparsest level, as many as dimensions at the densest"),),
    optional="the experiment superposition",
    subject=Subject(
        "ReLU models",
        {
            "sparsest": "{superposition}:acceptance/sparsest_norms_above_0_5",
            "densest": "{superposition}:models/relu/{densest}/n_represented",
        },
    ),
    controls=(
        Control(
            Subject(
                "linear models",
                {
                    "sparsest": "{superposition}:models/linear/{sparsest}/n_represented",
                    "densest": "{superposition}:models/linear/{densest}/n_represented",
                },
            ),
            (SPARSEST,),
        ),
        Control(
            Subject(
                "the sparsest ReLU model in the densest one's place",
                {
                    "sparsest": "{superposition}:models/relu/{sparsest}/n_represented",
                    "densest": "{superposition}:models/relu/{sparsest}/n_represented",
                },
            ),
            (DENSEST,),
        ),
    ),
    explanation="The least important features carry next to no loss, and the models of least loss leave them out; more "
    "restarts and other learning rates did not change that. Trained in the same run with equal importances, the model "
    "represents more of them (models/relu_equal_importance in results/toy/superposition/result.json).",
)
def superposition_with_sparsity(of: Measured) -> list[Part]:
    return [
        Part(DENSEST, of("densest"), at_most(of.constant("{superposition}:parameters/m"), "dimensions"), "count"),
        Part(SPARSEST, of("sparsest"), at_least(of.constant("{superposition}:parameters/n"), "all features"), "count"),
    ]


@claim(
    **ELHAGE,
    sentence="With dense features the ReLU model gives the most important features a dimension each, nearly "
    "orthogonal, and ignores the rest.",
    section="Demonstrating Superposition",
    published=(in_words("an identity on the first features, zero on the others"),),
    optional="the experiment superposition",
    subject=Subject(
        "the densest ReLU model",
        {
            "important": "{superposition}:acceptance/dense_most_important_above_0_9",
            "ignored": "{superposition}:acceptance/dense_norms_below_0_1",
            "overlap": "{superposition}:acceptance/dense_max_off_diagonal",
        },
    ),
    controls=(
        Control(
            Subject(
                "the sparsest ReLU model",
                {
                    "important": "{superposition}:models/relu/{sparsest}/n_most_important_above_0_9",
                    "ignored": "{superposition}:models/relu/{sparsest}/n_norm_below_0_1",
                    "overlap": "{superposition}:models/relu/{sparsest}/max_off_diagonal",
                },
            ),
            (IGNORED, "largest overlap of two features"),
        ),
        Control(
            Subject(
                "random features of the densest model",
                {"important": "{superposition}:acceptance/random_features_above_0_9"},
            ),
            (IMPORTANT,),
        ),
    ),
)
def dense_regime_is_pca(of: Measured) -> list[Part]:
    m, n = of.constant("{superposition}:parameters/m"), of.constant("{superposition}:parameters/n")
    rest = None if m is None or n is None else n - m
    rule = "{superposition}:acceptance/dense_max_off_diagonal"
    return [
        Part(IMPORTANT, of("important"), at_least(m, "dimensions"), "count"),
        Part(IGNORED, of("ignored"), at_least(rest, "all others"), "count"),
        Part("largest overlap of two features", of("overlap"), bound(of, rule, below), "fixed"),
    ]


@claim(
    **ELHAGE,
    sentence="Larger models behave in the same way. Dense features get dimensions of their own, sparse ones share "
    "them.",
    section="Demonstrating Superposition",
    published=(in_words("the same progression with 80 features in 20 dimensions"),),
    optional="the experiment superposition-80",
    subject=Subject("ReLU models", "{superposition-80}:models/relu"),
    controls=(
        Control(
            Subject("linear models", "{superposition-80}:models/linear"),
            ("features represented, most at any sparsity",),
        ),
        Control(
            Subject(
                "the sparsest ReLU model of equally important features",
                "{superposition-80}:models/relu_equal_importance",
            ),
            ("features represented, densest",),
        ),
    ),
)
def superposition_in_larger_models(of: Measured) -> list[Part]:
    m = of.constant("{superposition-80}:parameters/m")
    return [
        Part("features represented, densest", of("0/n_represented"), at_most(m, "dimensions"), "count"),
        Part(
            "features represented, most at any sparsity", of.largest("*/n_represented"),
            above(None if m is None else 2 * m, "two per dimension"), "count",
        ),
    ]  # fmt: skip


AGREE = "cells whose fate is theory's there or one step of the grid away"
SUPERPOSED = "cells in superposition, as a share of theory's"


def _phase_diagram(experiment: str, claim_id: str, sentence: str) -> Claim:
    rules = f"{{{experiment}}}:acceptance"

    def predicate(of: Measured) -> list[Part]:
        return [
            Part(AGREE, of("agreement"), bound(of, f"{rules}/agreement_within_one_step", at_least), "percent"),
            Part(SUPERPOSED, of("superposed"), bound(of, f"{rules}/superposed_over_theory", at_least), "percent"),
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
                "agreement": f"{rules}/agreement_within_one_step",
                "superposed": f"{rules}/superposed_over_theory",
            },
        ),
        controls=(
            Control(
                Subject(
                    "linear models",
                    {
                        "agreement": f"{rules}/linear_agreement_fails",
                        "superposed": f"{rules}/linear_superposed_over_theory",
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
                Subject(
                    "the two solutions of linear models",
                    {
                        "crosses": f"{rules}/linear_loss_curves_do_not_cross",
                        "coexist": f"{rules}/linear_branches_do_not_coexist",
                    },
                ),
                (crossing, both),
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


def _end_of_superposition(experiment: str, claim_id: str, sentence: str) -> Claim:
    rules, apart = f"{{{experiment}}}:acceptance", "steps of the grid between trained models and theory"

    def predicate(of: Measured) -> list[Part]:
        rule = f"{rules}/end_of_superposition_steps_apart"
        return [Part(apart, of("apart"), bound(of, rule, at_most), "count")]

    return Claim(
        **ELHAGE,
        id=claim_id,
        sentence=sentence,
        section="Superposition as a Phase Change",
        published=(in_words("the three phases meet in a point"),),
        optional=f"the experiment {experiment}",
        subject=Subject("ReLU models", {"apart": f"{rules}/end_of_superposition_steps_apart"}),
        controls=(Control(Subject("linear models", {"apart": f"{rules}/linear_end_of_superposition"}), (apart,)),),
        predicate=predicate,
    )


end_of_superposition = _end_of_superposition(
    "phase-diagram",
    "end-of-superposition",
    "Towards dense features superposition ends between the other two phases, at the density that theory has for a pair "
    "of free lengths and biases (an extra feature a little less important than the other).",
)
end_of_superposition_of_three = _end_of_superposition(
    "phase-diagram-3", "end-of-superposition-of-three", "The same for three features in two dimensions."
)
