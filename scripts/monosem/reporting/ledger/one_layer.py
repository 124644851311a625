"""Claims of chapter 2 on the one-layer model and its dictionaries."""

import math

from scripts.monosem.reporting.ledger.claim import Control, Measured, Part, Subject, claim, derived, in_words, printed
from scripts.monosem.reporting.ledger.estimates import Estimate, above, at_least, at_most, between, minus, negative

BRICKEN = {"work": "Bricken et al. 2023", "chapter": "one_layer"}
HOW_MUCH = "How much of the model does our interpretation explain?"
DENSITIES = "Feature density histograms (appendix)"
OURS = Subject("our dictionary", "{fidelity}:runs/{run}")
BASELINES = {
    "top_neurons": "largest neurons",
    "top_neurons_about_mean": "neurons farthest from their mean",
    "pca": "principal components",
    "random_dictionary": "random dictionary",
}
"""Reconstructions from as many numbers per token as the headline's L0."""


def baselines(fidelity: str, breaks: tuple[str, ...]) -> tuple[Control, ...]:
    """The baselines of a site at equal L0, as controls."""
    return tuple(Control(Subject(name, f"{{{fidelity}}}:baselines/{key}"), breaks) for key, name in BASELINES.items())


BETTER_THAN_BIGRAM, ZEROING = "nats below the bigram model", "nats that zeroing the MLP costs"


@claim(
    **BRICKEN,
    sentence="The language model is one worth explaining. It predicts better than a bigram and a trigram model, and "
    "its MLP contributes.",
    section="Problem Setup",
    optional="a headline on a language model that is trained here, with and without MLPs",
    published=(in_words("an MLP layer that matters to the loss"),),
    subject=Subject("the model", "{training}:scores"),
    controls=(
        Control(
            Subject("the model with permuted weights", "{control_training}:scores"),
            (BETTER_THAN_BIGRAM, "nats below the trigram model"),
        ),
        Control(Subject("the same model trained without MLPs", "{without_mlp_training}:scores"), (ZEROING,)),
    ),
    explanation="A trigram model profits from phrases that the corpus repeats, and it is counted on all of the train "
    "split, of which the model sees a part.",
)
def mlp_matters(of: Measured) -> list[Part]:
    ours = of("model/nats_per_token")
    return [
        Part(BETTER_THAN_BIGRAM, minus(of("bigram/nats_per_token"), ours), at_least(0.4), "nats"),
        Part("nats below the trigram model", minus(of("trigram/nats_per_token"), ours), above(0), "nats"),
        Part(ZEROING, minus(of("mlp_zeroed/nats_per_token"), ours), at_least(0.1), "nats"),
    ]


RECOVERED, ADDED = "loss recovered, of that which zeroing costs", "loss added"
KEPT = "share of the MLP's worth that is kept"
BEYOND_TOKENS = "nats added less than by the mean of each token"
TWIN = "a model without MLPs"


@claim(
    **BRICKEN,
    sentence="A dictionary keeps most of what the MLP contributes: of the loss by which the same model trained "
    "without an MLP is worse, and at equal L0 no baseline does.",
    section=f"{HOW_MUCH} (another denominator)",
    optional=TWIN,
    published=(derived("share kept", 0.79, "percent", "the paper's share of the loss that zero ablation costs"),),
    subject=OURS,
    controls=baselines("fidelity", (KEPT,)),
)
def mlp_worth_kept(of: Measured) -> list[Part]:
    return [Part(KEPT, of("mlp_worth_kept", "documents"), at_least(0.79), "percent")]


@claim(
    **BRICKEN,
    sentence="A dictionary carries more than the current token: it adds less loss than the mean activation of each "
    "token does, with as many vectors.",
    section=f"{HOW_MUCH} (our control)",
    published=(in_words("features respond to contexts, not to single tokens alone"),),
    subject=OURS,
    controls=baselines("fidelity", (BEYOND_TOKENS,)),
    explanation="Where the table adds less, what a dictionary gets right may be the current token; where a control "
    "passes, more than the token is in other descriptions of the layer too.",
)
def beyond_the_token(of: Measured) -> list[Part]:
    table = of.at("{fidelity}:baselines/token_table/ce_increase_nats", "documents")
    return [Part(BEYOND_TOKENS, minus(table, of("ce_increase_nats", "documents")), above(0), "nats")]


@claim(
    **BRICKEN,
    sentence="A dictionary of the MLP's activations recovers most of the loss that zero-ablating the MLP costs, with "
    "few features active per token.",
    section=HOW_MUCH,
    published=(printed("loss recovered", 0.79, "percent", "A/1, 4,096 features, 8 billion vectors, on training data"),),
    subject=OURS,
    controls=baselines("fidelity", (RECOVERED,)),
    explanation="Zero ablation is a weak reference: whatever puts the activations near their mean recovers most of "
    "such a gap.",
)
def loss_recovered(of: Measured) -> list[Part]:
    return [Part(RECOVERED, of("ce_loss_score", "documents"), at_least(0.79), "percent")]


@claim(
    **BRICKEN,
    sentence="A dictionary adds little loss where baselines of as many numbers per token add much.",
    section=f"{HOW_MUCH} (our bar)",
    published=(in_words("the loss that remains, in nats, is not printed"),),
    subject=OURS,
    controls=baselines("fidelity", (ADDED,)),
)
def loss_added(of: Measured) -> list[Part]:
    return [Part(ADDED, of("ce_increase_nats", "documents"), at_most(0.20), "nats")]


@claim(
    **BRICKEN,
    sentence="The result does not depend on one seed. The same recipe on a second model, other seed and other data "
    "order, does as well.",
    section="Problem Setup (transformers A and B)",
    optional="a second model with the same run at this site",
    published=(in_words("dictionaries of A and of B are analysed alike"),),
    subject=Subject("the dictionary of the second model", "{second_fidelity}:runs/{run}"),
    controls=baselines("second_fidelity", (ADDED,)),
)
def second_seed(of: Measured) -> list[Part]:
    return [Part(ADDED, of("ce_increase_nats", "documents"), at_most(0.20), "nats")]


PUBLISHED = Subject(
    "ReLU with L1, interpolated to the baselines' L0",
    {"weak": "{fidelity}:runs/{published_weak}", "strong": "{fidelity}:runs/{published_strong}"},
)
METHOD = {
    "section": "Sparse Autoencoder Setup",
    "optional": "the paper's own method at two penalties",
    "explanation": "The paper trains on eight billion vectors, this run on a tiny part of that.",
}


def at_their_l0(of: Measured, quantity: str) -> Estimate:
    """A subject's quantity at the baselines' L0: its own, or between two runs, linear in log L0."""
    if not of.lists("weak"):
        return of(quantity, "documents")
    ends = [of.key(name) for name in ("weak", "strong")]
    l0 = [of.constant(f"{at}/l0") for at in (*ends, "{fidelity}:baselines/top_neurons")]
    logs = [math.log(number) if number else None for number in l0]
    return between(*(of.at(f"{at}/{quantity}", "documents") for at in ends), *logs)


@claim(
    **BRICKEN,
    **METHOD,
    sentence="The paper's own method (ReLU with an L1 penalty, Kaiming's start, resampling) keeps most of what the MLP "
    "contributes.",
    published=(derived("share kept", 0.79, "percent", "the paper's share of the loss that zero ablation costs"),),
    subject=PUBLISHED,
    controls=baselines("fidelity", (KEPT,)),
)
def published_method_keeps_worth(of: Measured) -> list[Part]:
    return [Part(KEPT, at_their_l0(of, "mlp_worth_kept"), at_least(0.79), "percent")]


BEYOND_NEURONS = "nats added less than by the largest neurons, at equal L0"


@claim(
    **BRICKEN,
    **METHOD,
    sentence="The paper's own method describes the MLP better than its largest neurons do.",
    published=(in_words("features in place of neurons"),),
    subject=PUBLISHED,
    controls=baselines("fidelity", (BEYOND_NEURONS,))[1:],
)
def published_method_beyond_neurons(of: Measured) -> list[Part]:
    neurons = of.at("{fidelity}:baselines/top_neurons/ce_increase_nats", "documents")
    return [Part(BEYOND_NEURONS, minus(neurons, at_their_l0(of, "ce_increase_nats")), above(0), "nats")]


BEYOND_NEURONS_BY_SEED = "nats added less than by the largest neurons, mean over seeds"


@claim(
    **BRICKEN,
    sentence="Dictionaries of other seeds, trained for shorter, describe the MLP better than its largest neurons do.",
    section="Sparse Autoencoder Setup",
    optional="a sweep of the headline's recipe over seeds",
    published=(in_words("several dictionaries were trained and agree"),),
    subject=Subject(
        "the headline's recipe, three seeds", {"mean": "{fidelity}:sweeps/seeds/headline/ce_increase_nats/mean"}
    ),
    controls=baselines("fidelity", (BEYOND_NEURONS_BY_SEED,))[1:],
)
def seeds_beyond_neurons(of: Measured) -> list[Part]:
    neurons = of.at("{fidelity}:baselines/top_neurons/ce_increase_nats", "documents")
    added = of("mean", "seeds") if of.lists("mean") else of("ce_increase_nats", "documents")
    return [Part(BEYOND_NEURONS_BY_SEED, minus(neurons, added), above(0), "nats")]


FIRING = "share of latents that fire on held-out text"


@claim(
    **BRICKEN,
    **METHOD,
    id="few-dead",
    sentence="Few dictionary elements never fire (here: of the paper's own method, which revives by resampling alone).",
    published=(printed("dead share", 0.041, "percent", "A/1, 168 of 4,096 silent over 100 million tokens"),),
    subject=Subject("ReLU with L1, weaker penalty", "{fidelity}:runs/{published_weak}"),
    controls=(Control(Subject("ReLU with L1, stronger penalty", "{fidelity}:runs/{published_strong}"), (FIRING,)),),
)
def few_dead(of: Measured) -> list[Part]:
    return [Part(FIRING, of("frac_alive"), at_least(1 - 0.041), "percent")]


GAIN = "gain in alive share, mean over seeds"


@claim(
    **BRICKEN,
    sentence="Resampling dead neurons lowers the number of dead ones.",
    section="Sparse Autoencoder Setup (neuron resampling)",
    optional="a sweep of the recipe with a variant without resampling",
    published=(in_words("resampling gives better loss and fewer dead neurons"),),
    subject=Subject(
        "with resampling against without",
        {"difference": "{fidelity}:sweeps/recipe/no-resampling/frac_alive/difference"},
    ),
    controls=(
        Control(
            Subject("one seed against another", {"spread": "{fidelity}:sweeps/recipe/published/frac_alive/spread"}),
            (GAIN,),
        ),
    ),
    explanation="Resampling can only help where latents die, and in runs this short few do (see the figure of dead "
    "latents over training). The paper's runs are longer by a factor of thousands.",
)
def resampling(of: Measured) -> list[Part]:
    return [_gain(of)]


@claim(
    work="Gao et al. 2024",
    chapter="one_layer",
    sentence="An auxiliary loss on dead latents keeps nearly all of them alive.",
    section="Preventing dead latents (section 2.4)",
    optional="a sweep of TopK with and without AuxK",
    published=(printed("dead share", 0.07, "percent", "16 million latents"),),
    subject=Subject(
        "with the loss against without", {"difference": "{fidelity}:sweeps/auxk/without/frac_alive/difference"}
    ),
    controls=(
        Control(
            Subject("one seed against another", {"spread": "{fidelity}:sweeps/auxk/with/frac_alive/spread"}), (GAIN,)
        ),
    ),
    explanation="An auxiliary loss can only help where latents die, and in runs this short few do (see the figure of "
    "dead latents over training).",
)
def auxk(of: Measured) -> list[Part]:
    return [_gain(of)]


def _gain(of: Measured) -> Part:
    return Part(
        GAIN, of("spread") if of.lists("spread") else negative(of("difference", "seeds")), above(0.01), "percent"
    )


DENSE = "latents that fire on over 1 % of tokens"


@claim(
    **BRICKEN,
    sentence="Features are sparse. Hardly any fires on more than one token in a hundred.",
    section=DENSITIES,
    published=(in_words("most features fire on fewer than one token in a hundred"),),
    subject=OURS,
    controls=(Control(Subject("random dictionary of its width and L0", "{fidelity}:baselines/random_dictionary"),
                      (DENSE,)),),
    explanation="A TopK dictionary spends the same number of latents on every token, and a short run leaves more of "
    "that budget with dense latents than billions of vectors would.",
)  # fmt: skip
def density_typical(of: Measured) -> list[Part]:
    return [Part(DENSE, of("freq_over_1_percent"), at_most(0.1), "percent")]


BY_SPARSITY = "permutation p, pairs of equal width in which more latents add less loss"
BY_WIDTH = "permutation p, pairs of equal k in which more width adds less loss"


@claim(
    **BRICKEN,
    sentence="Fidelity rises with the number of active features and with the number of features.",
    section="Appendix: L0 against reconstructed loss, by L1 coefficient and width",
    optional="at least two widths and two sparsities of one architecture",
    published=(in_words("more active features and wider dictionaries add less loss"),),
    subject=Subject(
        "runs that differ in one thing",
        {"sparsity": "{fidelity}:frontier/sparsity_p", "width": "{fidelity}:frontier/width_p"},
    ),
    controls=(
        Control(
            Subject(
                "the same losses permuted among the runs",
                {
                    "sparsity": "{fidelity}:frontier/sparsity_p_permuted",
                    "width": "{fidelity}:frontier/width_p_permuted",
                },
            ),
            (BY_SPARSITY, BY_WIDTH),
        ),
    ),
)
def frontier(of: Measured) -> list[Part]:
    return [
        Part(BY_SPARSITY, of("sparsity"), at_most(0.05), "fixed"),
        Part(BY_WIDTH, of("width"), at_most(0.05), "fixed"),
    ]


@claim(
    work="Kornblith et al. 2019",
    chapter="one_layer",
    sentence="Networks that differ in their seed represent data alike at corresponding layers.",
    section="Similarity of Neural Network Representations Revisited (different initialisations)",
    optional="an analysis of the one-layer model against a second seed and a control",
    published=(in_words("corresponding layers of differently initialised networks are most similar"),),
    subject=Subject("the second seed", "{analysis}/layers:peers/{second}"),
    controls=(
        Control(
            Subject("the model with permuted weights on the same tokens", "{analysis}/layers:peers/{control}"),
            ("linear CKA, least of all layers",),
        ),
    ),
)
def models_alike(of: Measured) -> list[Part]:
    return [Part("linear CKA, least of all layers", of("least_of_same_site"), at_least(0.5), "fixed")]
