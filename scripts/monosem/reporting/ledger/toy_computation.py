"""Claims of chapter 1 on attacks, privileged bases, computation in superposition and polysemantic neurons."""

from scripts.monosem.reporting.ledger.claim import Control, Measured, Part, Subject, claim, derived, in_words, printed
from scripts.monosem.reporting.ledger.estimates import above, at_least, at_most, below, proportion, ratio
from scripts.monosem.reporting.ledger.toy_models import ELHAGE, bound

SPARSEST_OVER_DENSEST = "vulnerability, sparsest over densest"
PROPORTION = "vulnerability per feature per dimension, largest over smallest"
ATTACKS = "The Connection to Adversarial Examples"


@claim(
    **ELHAGE,
    sentence="Models in superposition are more vulnerable to adversarial examples.",
    section=ATTACKS,
    optional="the experiment adversarial",
    published=(printed(SPARSEST_OVER_DENSEST, 3, "number", "more than"),),
    subject=Subject(
        "models in superposition",
        {
            "ratio": "{adversarial}:acceptance/sparsest_over_densest",
        },
    ),
    controls=(
        Control(
            Subject(
                "models without superposition", {"vulnerability": "{adversarial}:models/orthogonal/*/vulnerability"}
            ),
            (SPARSEST_OVER_DENSEST,),
        ),
    ),
)
def superposition_is_vulnerable(of: Measured) -> list[Part]:
    rules = "{adversarial}:acceptance"
    if of.lists("vulnerability"):  # the experiment has no such number for its control
        largest, smallest = of.largest("vulnerability"), of.smallest("vulnerability")
        grown = ratio(largest, smallest)
    else:
        grown = of("ratio")
    return [Part(SPARSEST_OVER_DENSEST, grown, bound(of, f"{rules}/sparsest_over_densest", above))]


@claim(
    **ELHAGE,
    sentence="Vulnerability is in proportion to the number of features per dimension.",
    section=ATTACKS,
    optional="the experiment adversarial",
    published=(in_words("both curves lie on each other over sparsity"),),
    subject=Subject(
        "models in superposition", {"proportion": "{adversarial}:acceptance/proportional_to_features_per_dimension"}
    ),
    controls=(
        Control(
            Subject(
                "models without superposition, against the same features per dimension",
                {"proportion": "{adversarial}:acceptance/orthogonal_model_is_not_proportional"},
            ),
            (PROPORTION,),
        ),
    ),
    explanation="Both grow with sparsity, in the same order. In the sparsest models negative biases take up part of an "
    "attack of this length, and vulnerability stays behind.",
)
def vulnerability_in_proportion(of: Measured) -> list[Part]:
    rule = "{adversarial}:acceptance/proportional_to_features_per_dimension"
    return [Part(PROPORTION, of("proportion"), bound(of, rule, at_most), "fixed")]


@claim(
    **ELHAGE,
    sentence="Adversarial training removes superposition.",
    section=ATTACKS,
    optional="the experiment adversarial",
    published=(in_words("adversarially trained models have less superposition"),),
    subject=Subject(
        "adversarially trained models",
        {"features": "{adversarial}:acceptance/adversarial_training_removes_superposition"},
    ),
    controls=(
        Control(
            Subject(
                "models trained without attacks", {"every level": "{adversarial}:models/plain/*/features_per_dimension"}
            ),
            ("features per dimension, most",),
        ),
    ),
)
def adversarial_training_removes_superposition(of: Measured) -> list[Part]:
    estimate = of.largest("every level") if of.lists("every level") else of("features")
    rule = "{adversarial}:acceptance/adversarial_training_removes_superposition"
    return [Part("features per dimension, most", estimate, bound(of, rule, at_most), "fixed")]


SEQUENCE = "levels with the published solution"
DENSE_NEURONS, SPARSE_NEURONS = "monosemantic neurons, densest", "monosemantic neurons, sparsest"


@claim(
    **ELHAGE,
    sentence="With a ReLU on the hidden layer neurons are monosemantic while features are dense; with sparsity, "
    "features share neurons in a definite sequence of solutions, 3 features in 2 neurons, then 5 in 3, 6 in 4 and 8 "
    "in 5.",
    section="Superposition in a Privileged Basis",
    optional="the experiment privileged-basis",
    published=(in_words("the sequence of solutions of the figure"),),
    subject=Subject(
        "a ReLU on the hidden layer",
        {
            "solutions": "{privileged-basis}:acceptance/solutions_as_published",
            "densest": "{privileged-basis}:acceptance/dense_monosemantic_neurons",
            "sparsest": "{privileged-basis}:acceptance/sparsest_monosemantic_neurons",
        },
    ),
    controls=(
        Control(
            Subject(
                "no ReLU on the hidden layer", {"densest": "{privileged-basis}:acceptance/linear_hidden_is_not_aligned"}
            ),
            (DENSE_NEURONS,),
        ),
        Control(
            Subject(
                "the same models in reverse order",
                {
                    "solutions": "{privileged-basis}:acceptance/reversed_solutions_as_published",
                    "sparsest": "{privileged-basis}:acceptance/dense_monosemantic_neurons",
                },
            ),
            (SEQUENCE, SPARSE_NEURONS),
        ),
    ),
)
def privileged_basis_sequence(of: Measured) -> list[Part]:
    m = of.constant("{privileged-basis}:parameters/m")
    rule = "{privileged-basis}:acceptance/solutions_as_published"
    return [
        Part(SEQUENCE, of("solutions"), bound(of, rule, at_least, "all that the paper names"), "count"),
        Part(DENSE_NEURONS, of("densest"), at_least(m, "all neurons"), "count"),
        Part(SPARSE_NEURONS, of("sparsest"), at_most(0), "count"),
    ]


UNEXPLAINED, MONOSEMANTIC = "loss / loss of the best constant, worst level", "monosemantic neurons, worst level"


@claim(
    **ELHAGE,
    sentence="With two neurons per feature a model computes the absolute value exactly, one neuron for each side.",
    section="Computation in Superposition",
    optional="the experiment absolute-value-exact",
    published=(in_words("the absolute value from two neurons"),),
    subject=Subject(
        "a ReLU hidden layer",
        {
            "unexplained": "{absolute-value-exact}:acceptance/unexplained",
            "monosemantic": "{absolute-value-exact}:acceptance/monosemantic_share",
        },
    ),
    controls=(
        Control(
            Subject(
                "a linear hidden layer",
                {
                    "unexplained": "{absolute-value-exact}:acceptance/linear_hidden_fails",
                    "shares": "{absolute-value-exact}:models/linear/*/monosemantic_share",
                },
            ),
            (UNEXPLAINED, MONOSEMANTIC),
        ),
    ),
)
def absolute_value_exact(of: Measured) -> list[Part]:
    rules = "{absolute-value-exact}:acceptance"
    share = of.smallest("shares") if of.lists("shares") else of("monosemantic")
    return [
        Part(UNEXPLAINED, of("unexplained"), bound(of, f"{rules}/unexplained", below)),
        Part(MONOSEMANTIC, share, bound(of, f"{rules}/monosemantic_share", at_least), "percent"),
    ]


LOSS = "loss / least loss without superposition, sparsest"


@claim(
    **ELHAGE,
    sentence="With fewer neurons than that, sparse features are computed in superposition. Neurons go from "
    "monosemantic to polysemantic as features become sparse, and the loss falls below what neurons of one feature "
    "each can reach.",
    section="Computation in Superposition",
    optional="the experiment absolute-value",
    published=(in_words("monosemantic neurons while features are dense, polysemantic ones when they are sparse"),),
    subject=Subject(
        "a ReLU hidden layer",
        {
            "densest": "{absolute-value}:acceptance/dense_monosemantic_share",
            "sparsest": "{absolute-value}:acceptance/sparsest_monosemantic_share",
            "loss": "{absolute-value}:acceptance/sparsest_loss_over_bound",
        },
    ),
    controls=(
        Control(
            Subject(
                "a linear hidden layer",
                {
                    "loss": "{absolute-value}:acceptance/linear_hidden_fails_bound",
                    "densest": "{absolute-value}:models/linear/0/monosemantic_share",
                },
            ),
            (LOSS, DENSE_NEURONS),
        ),
        Control(
            Subject(
                "the densest model in the sparsest one's place",
                {"sparsest": "{absolute-value}:acceptance/dense_monosemantic_share"},
            ),
            (SPARSE_NEURONS,),
        ),
    ),
    explanation="In the dense regime the neurons of the least important features that are computed at all are still "
    "converging when training ends; longer training brings the share closer to one.",
)
def computing_in_superposition(of: Measured) -> list[Part]:
    rules = "{absolute-value}:acceptance"
    return [
        Part(DENSE_NEURONS, of("densest"), bound(of, f"{rules}/dense_monosemantic_share", at_least), "percent"),
        Part(SPARSE_NEURONS, of("sparsest"), bound(of, f"{rules}/sparsest_monosemantic_share", at_most), "percent"),
        Part(LOSS, of("loss"), bound(of, f"{rules}/sparsest_loss_over_bound", below)),
    ]


SHARE = "trained neurons that represent half of the features"


@claim(
    work="Bricken et al. 2023",
    chapter="toy",
    sentence="Cross-entropy prefers a polysemantic neuron even where there is no superposition. Squared error does "
    "not.",
    section="Problem Setup",
    optional="the experiment polysemantic-neuron",
    published=(
        derived("cross-entropy, neuron of one feature", 0.824, "nats", "four equally likely features, one at a time"),
        derived("cross-entropy, neuron of two features", 0.693, "nats", "likewise"),
    ),
    subject=Subject(
        "cross-entropy",
        {
            "share": "{polysemantic-neuron}:trained/cross_entropy/share_half",
        },
    ),
    controls=(
        Control(
            Subject(
                "squared error",
                {
                    "share": "{polysemantic-neuron}:trained/squared_error/share_half",
                },
            ),
            (SHARE,),
        ),
        Control(
            Subject(
                "neurons of random groups of features", {"share": "{polysemantic-neuron}:controls/random_share_half"}
            ),
            (SHARE,),
        ),
    ),
)
def polysemantic_without_superposition(of: Measured) -> list[Part]:
    restarts = of.constant("{polysemantic-neuron}:parameters/restarts")
    return [Part(SHARE, proportion(of("share"), restarts, "units"), above(0.5), "percent")]
