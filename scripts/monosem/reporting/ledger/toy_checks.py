"""Checks of chapter 1: identities, known optima and orders that sound experiments keep."""

from collections.abc import Callable

from scripts.monosem.reporting.ledger.claim import Claim, Measured, Part, Subject
from scripts.monosem.reporting.ledger.estimates import above, at_least, at_most, below
from scripts.monosem.reporting.ledger.toy_models import bound


def _check(experiment: str, claim_id: str, sentence: str, rules: dict[str, tuple[str, Callable | None]]) -> Claim:
    """A check whose parts are acceptance rules; without a bar, the rule's own verdict counts (its value is a list)."""
    at = f"{{{experiment}}}:acceptance"

    def predicate(of: Measured) -> list[Part]:
        return [
            Part(text, of(rule), bound(of, f"{at}/{rule}", bar))
            if bar
            else Part(text, of(f"{rule}/pass"), at_least(1), "count")
            for rule, (text, bar) in rules.items()
        ]

    return Claim(
        id=claim_id,
        kind="check",
        sentence=sentence,
        work="this reproduction",
        section=experiment,
        chapter="toy",
        published=(),
        optional=f"the experiment {experiment}",
        subject=Subject("the experiment", at),
        predicate=predicate,
    )


SUPERPOSITION = {
    "dense_norms_above_0_9": ("as many norms above 0.9 as dimensions, densest", None),
    "linear_loss_relative_gap_to_optimum": ("loss of linear models above the exact optimum, relative", below),
    "linear_represented_everywhere": ("linear models represent as many features as dimensions, at every level", None),
    "sparsest_represented_above_m": ("features represented, sparsest", above),
    "sparsest_equal_importance_norms_above_0_5": ("the same of equally important features", at_least),
}
superposition_reaches_optima = _check(
    "superposition", "superposition-reaches-optima", "Training reaches known optima.", SUPERPOSITION
)
superposition_80_reaches_optima = _check(
    "superposition-80", "superposition-80-reaches-optima", "The same for larger models.", SUPERPOSITION | {
        "random_features_above_0_9": ("norms above 0.9 of random features, densest", below),
        "dense_most_important_above_0_9": ("norms above 0.9 of the most important features, densest", at_least),
        "dense_norms_below_0_1": ("norms below 0.1, densest", at_least),
        "dense_max_off_diagonal": ("largest overlap, densest", below),
        "sparsest_norms_above_0_5": ("norms above 0.5, sparsest", at_least),
    },
)  # fmt: skip
dimensionalities_add_up = _check(
    "uniform-geometry", "dimensionalities-add-up",
    "Dimensionalities add up to the number of dimensions, and those of ideal polytopes are the fractions.",
    {
        "sum_of_dimensionalities_relative_gap": ("sum against dimensions, relative gap", at_most),
        "ideal_polytopes_error": ("error of ideal polytopes", at_most),
    },
)  # fmt: skip
phases_are_exact = _check(
    "phase-diagram", "phases-are-exact", "Losses of trained models are those of a finer grid.",
    {"quadrature_error": ("largest relative error of a cell's loss", at_most)},
)  # fmt: skip
phases_of_three_are_exact = _check(
    "phase-diagram-3", "phases-of-three-are-exact", "The same for three features.",
    {"quadrature_error": ("largest relative error of a cell's loss", at_most)},
)  # fmt: skip
pentagon_losses_are_exact = _check(
    "non-uniform", "pentagon-losses-are-exact", "The same for the pentagon.",
    {"quadrature_error": ("largest relative error of a model's loss", at_most)},
)  # fmt: skip
vulnerability_without_superposition = _check(
    "adversarial", "vulnerability-without-superposition",
    "A model without superposition is as vulnerable at every sparsity, and the order of the others is that of features "
    "per dimension.",
    {
        "orthogonal_model_stays_at_one": ("vulnerability, largest deviation from one", below),
        "rank_correlation_with_features_per_dimension": ("rank correlation with features per dimension", above),
    },
)  # fmt: skip
privileged_basis_monotone = _check(
    "privileged-basis", "privileged-basis-monotone",
    "The number of features grows with sparsity and that of monosemantic neurons falls, level by level.",
    {
        "dense_features_represented": ("features represented, densest", at_most),
        "sparsest_features_represented": ("features represented, sparsest", above),
        "largest_rise_of_monosemantic_neurons": ("largest rise of monosemantic neurons", at_most),
        "largest_fall_of_features_represented": ("largest fall of features represented", at_most),
    },
)  # fmt: skip
absolute_value_monotone = _check(
    "absolute-value", "absolute-value-monotone",
    "The share of monosemantic neurons falls with sparsity, level by level.",
    {"largest_rise_of_share": ("largest rise from level to level", at_most)},
)  # fmt: skip
polysemantic_neuron_reaches_its_optimum = _check(
    "polysemantic-neuron", "polysemantic-neuron-reaches-its-optimum",
    "Training reaches the exact optimum, a neuron of half of the features.",
    {
        "gain_of_polysemantic_nats": ("nats that such a neuron saves, in closed form", above),
        "squared_error_has_no_gain": ("the same under squared error", at_most),
        "gap_to_exact_optimum": ("loss above the exact optimum, nats", below),
        "best_group": ("features of the best neuron", at_least),
    },
)  # fmt: skip
recovery_band = _check(
    "recovery", "recovery-band", "Both ends of the row of penalties recover less than its middle.",
    {"relu_band_ends_in_band": ("ends of the row that recover as well", at_most)},
)  # fmt: skip
sharkey_band = _check(
    "sharkey", "sharkey-band", "The same for sparse combinations.",
    {"relu_band_ends_in_band": ("ends of the row that recover as well", at_most)},
)  # fmt: skip
matryoshka_on_independent_features = _check(
    "absorption", "matryoshka-on-independent-features", "Independent features are not absorbed by Matryoshka either.",
    {"matryoshka_independent_does_not": ("parent's activation that goes missing", below)},
)  # fmt: skip
