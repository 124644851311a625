"""Claims of chapter 3, on the language model of that chapter."""

from scripts.monosem.reporting.ledger.claim import Claim, Control, Measured, Part, Subject, claim, in_words, printed
from scripts.monosem.reporting.ledger.estimates import above, at_least, at_most, extreme, map_value, minus
from scripts.monosem.reporting.ledger.one_layer import ADDED, RECOVERED, baselines

CHAPTER = {"chapter": "language_model"}
ANALYSED = {"optional": "an analysis of the chapter's model", "chapter": "language_model"}


@claim(
    **CHAPTER,
    work="K. Lekan",
    sentence="Dictionaries also explain an MLP layer of a deeper model.",
    section="DistilGPT-2 MLP, site kasralekan.com",
    optional="an MLP site of the chapter's model",
    published=(printed("loss recovered", 0.77, "percent", "approximately"),),
    subject=Subject("our dictionary", "{language_model_fidelity}:runs/{language_model_run}"),
    controls=baselines("language_model_fidelity", (RECOVERED, ADDED)),
)
def deep_mlp(of: Measured) -> list[Part]:
    return [
        Part(RECOVERED, of("ce_loss_score", "documents"), at_least(0.77), "percent"),
        Part(ADDED, of("ce_increase_nats", "documents"), at_most(0.1), "nats"),
    ]


LEAST = "loss recovered, least of all layers"
LAYERS = "evaluation/{language_model}/blocks.*.mlp.hook_post/fidelity"


@claim(
    **CHAPTER,
    work="Rajamanoharan et al. 2024a",
    sentence="Dictionaries explain MLP layers early and late in a model.",
    section="Improving Dictionary Learning with Gated SAEs, tables 5 and 6 (ReLU baseline, MLP outputs of Pythia-2.8B)",
    optional="MLP autoencoders at two layers of the chapter's model",
    published=(printed("loss recovered, least of five layers", 0.711, "percent"),),
    subject=Subject("its own dictionary", {"score": f"{LAYERS}:runs/{{language_model_run}}/ce_loss_score"}),
    controls=(
        Control(Subject("the dictionary of another layer", {
            "score": f"{LAYERS}:baselines/other_layer_sae/ce_loss_score"}), (LEAST,)),
        Control(Subject("random dictionary", {
            "score": f"{LAYERS}:baselines/random_dictionary/ce_loss_score"}), (LEAST,)),
        Control(Subject("largest neurons", {
            "score": f"{LAYERS}:baselines/top_neurons/ce_loss_score"}), (LEAST,)),
    ),
    explanation="A share is of its layer's gap. Where the gap is large, as at the first layer, a random dictionary "
    "recovers such a share too; where it is small, so may anything. The table by layer has the nats.",
)  # fmt: skip
def deep_mlp_by_layer(of: Measured) -> list[Part]:
    return [Part(LEAST, of.smallest("score", "documents"), at_least(0.711), "percent")]


KURTOSIS = "excess kurtosis, largest of all layers"


@claim(
    **ANALYSED,
    work="Elhage et al. 2023",
    sentence="The axes of the residual stream are not like other directions. Activations along them have heavy tails.",
    section="Privileged Bases in the Transformer Residual Stream",
    published=(in_words("kurtosis far above that of a random basis"),),
    subject=Subject("the axes", {"kurtosis": "{language_model_analysis}/tokens:summary/greatest_kurtosis"}),
    controls=(
        Control(Subject("the same vectors in a random basis", {
            "kurtosis": "{language_model_analysis}/tokens:summary/greatest_kurtosis_rotated"}), (KURTOSIS,)),
    ),
)  # fmt: skip
def privileged_basis(of: Measured) -> list[Part]:
    return [Part(KURTOSIS, of("kurtosis"), at_least(1), "fixed")]


NORM = "norm over the median, largest of all layers"


@claim(
    **ANALYSED,
    work="Sun et al. 2024",
    sentence="The first token of a window is an outlier. Its vector is many times as long as any other.",
    section="Massive Activations in Large Language Models",
    published=(in_words("activations of the starting token thousands of times the median"),),
    subject=Subject("the first position", {"norm": "{language_model_analysis}/tokens:summary/first_norm_over_median"}),
    controls=(
        Control(Subject("the second position", {
            "norm": "{language_model_analysis}/tokens:summary/second_norm_over_median"}), (NORM,)),
    ),
    explanation="In large models, after long training, attention without a relevant token goes to the first token of "
    "the window (an attention sink). A stand-in is trained on too little text for that, and its windows begin "
    "anywhere in a document.",
)  # fmt: skip
def first_token_outlier(of: Measured) -> list[Part]:
    return [Part(NORM, of("norm"), at_least(5), "fixed")]


MASSIVE, FEW = "tokens with massive activations", "variance held by 0.1 % of the tokens"


@claim(
    chapter="language_model",
    work="Sun et al. 2024",
    sentence="A few activations are massive. They are above 100 and a thousand times the median, at few tokens.",
    section="Massive Activations in Large Language Models, which layers, dimensions and tokens have them",
    optional="an autoencoder of the residual stream of the chapter's model",
    published=(in_words("above 100 and a thousand times the median of the hidden state"),),
    subject=Subject("the residual stream", "{language_model_stream_fidelity}:norms"),
    controls=(Control(Subject("the MLP of the one-layer transformer", "{fidelity}:norms"), (MASSIVE, FEW)),),
    explanation="Massive activations come with long training and depth; a stand-in has neither.",
)
def massive_activations(of: Measured) -> list[Part]:
    return [
        Part(MASSIVE, of("massive/n_tokens"), at_least(1), "count"),
        Part(FEW, of("top_variance_share_of_all"), at_least(0.5), "percent"),
    ]


WITHIN = "cosine within groups less the mean of permuted groups of equal frequency, last layer"


@claim(
    chapter="language_model",
    work="Mikolov et al. 2013",
    sentence="Words of similar meaning have similar vectors.",
    section="Efficient Estimation of Word Representations in Vector Space",
    optional="an analysis of the chapter's model whose tokenizer keeps words whole",
    published=(in_words("neighbours in the vector space are related in meaning"),),
    subject=Subject(
        "groups of similar words", {"similar": "{language_model_analysis}/similarity:words/last_layer/similar"}
    ),
    controls=(
        Control(
            Subject(
                "words permuted among the groups, the one of forty permutations with the largest cosine",
                {"similar": "{language_model_analysis}/similarity:words/last_layer/control_high"},
            ),
            (WITHIN,),
        ),
    ),
)
def similar_words(of: Measured) -> list[Part]:
    mean = of.at("{language_model_analysis}/similarity:words/last_layer/control")
    return [Part(WITHIN, minus(of("similar"), mean), at_least(0.05), "fixed")]


MATCHED = "{language_model_analysis}/layers:matched_summary"
PARTNER = "correlation of a latent with its best partner at the other site, held out, least of the medians"


@claim(
    **CHAPTER,
    work="Lindsey et al. 2024",
    sentence="Many features are shared by neighbouring places of a model.",
    section="Sparse Crosscoders for Cross-Layer Features and Model Diffing",
    optional="autoencoders at two sites of the chapter's model",
    published=(in_words("features that span layers"),),
    subject=Subject("latents of two sites", {
        "correlation": f"{MATCHED}/least_median_correlation"}),
    controls=(
        Control(Subject("tokens of the other site permuted, largest of the medians", {
            "correlation": f"{MATCHED}/greatest_median_correlation_permuted"}), (PARTNER,)),
        Control(Subject("random dictionaries of their width and L0, largest of the medians", {
            "correlation": f"{MATCHED}/greatest_median_correlation_random_dictionary"}),
            (PARTNER,)),
    ),
)  # fmt: skip
def latents_across_sites(of: Measured) -> list[Part]:
    return [Part(PARTNER, of("correlation"), at_least(0.3), "fixed")]


CONFIRMED = "latents confirmed on held-out prompts, better pooling"
SHUFFLED = Control(
    Subject(
        "labels of the sets shuffled, one shuffle in twenty",
        {"any": "{language_model_prompts}:summary/greatest_share_of_shuffles"},
    ),
    (CONFIRMED,),
)


def _confirmed(of: Measured, *sets: str) -> list[Part]:
    """Confirmed latents of the weakest of some sets."""
    if of.lists("any"):
        at_five_percent = map_value(of("any"), lambda share: float(share > 0.05))  # that many confirm one or more
        return [Part(CONFIRMED, at_five_percent, at_least(1), "count")]
    best = [
        extreme([of(f"{name}/poolings/{pooling}/n_confirmed") for pooling in ("mean", "max")], "largest")
        for name in sets
    ]
    return [Part(CONFIRMED, extreme(best, "smallest"), at_least(1), "count")]


@claim(
    **CHAPTER,
    work="Templeton et al. 2024",
    sentence="There are features for the mood of a text.",
    section="Scaling Monosemanticity (abstract features), tested here on prompts",
    optional="the sets happy and angry on an autoencoder of the chapter's model",
    published=(in_words("features for emotional expressions"),),
    subject=Subject("the sets happy and angry", "{language_model_prompts}:sets"),
    controls=(SHUFFLED,),
    explanation='A stand-in is trained on documentation alone. It splits "happy" and "angry" into pieces and has no '
    "mood to represent; latents that rank first by correlation do so by chance, as the second half shows.",
)
def mood_features(of: Measured) -> list[Part]:
    return _confirmed(of, "happy", "angry")


@claim(
    **CHAPTER,
    work="Bricken et al. 2023",
    sentence="There are features for the kind of text. They separate documentation from everyday sentences.",
    section="Context features (tested here on prompts)",
    optional="the set documentation on an autoencoder of the chapter's model",
    published=(in_words("features that fire on one kind of text"),),
    subject=Subject("the set documentation", "{language_model_prompts}:sets"),
    controls=(SHUFFLED,),
)
def register_features(of: Measured) -> list[Part]:
    return _confirmed(of, "documentation")


OVER_WORDS = "area under the curve less that of word counts, weakest set"
OVER_EMBEDDINGS = "the same less that of mean token embeddings"


def _on_sets(name: str, kind: str, sets: tuple[str, ...]) -> Subject:
    """A latent or classifier on the second half of the prompts of some sets."""
    at = "{language_model_prompts}:sets"
    quantities = [f"{each}/beside_words/{kind}/{over}" for each in sets for over in ("over_words", "over_embeddings")]
    return Subject(name, {each.replace(f"beside_words/{kind}/", ""): f"{at}/{each}" for each in quantities})


def _beyond_words(claim_id: str, sets: tuple[str, ...], **fields) -> Claim:
    """The latent that ranks first on one half of the prompts tells more of the other half than their words do."""

    def predicate(of: Measured) -> list[Part]:
        parts = ((OVER_WORDS, "over_words"), (OVER_EMBEDDINGS, "over_embeddings"))
        return [
            Part(text, extreme([of(f"{each}/{over}", "prompts") for each in sets], "smallest"), above(0), "fixed")
            for text, over in parts
        ]

    return Claim(
        **CHAPTER,
        id=claim_id,
        subject=_on_sets("the latent that ranks first", "latent", sets),
        controls=(
            Control(_on_sets("classifier of word counts", "words", sets), (OVER_WORDS,)),
            Control(_on_sets("classifier of mean embeddings", "embeddings", sets), (OVER_EMBEDDINGS,)),
            Control(
                _on_sets("the latent that ranks first with permuted labels", "permuted_labels", sets),
                (OVER_WORDS, OVER_EMBEDDINGS),
            ),
        ),
        explanation="The classifiers see the prompts on which the latent was chosen and no others: words that they "
        "have not seen tell them nothing, embeddings what the model knows of single tokens.",
        predicate=predicate,
        **fields,
    )


mood_beyond_words = _beyond_words(
    "mood-beyond-words",
    ("happy", "angry"),
    work="Templeton et al. 2024",
    sentence="A feature for the mood of a text tells more of it than the words do.",
    section="Scaling Monosemanticity (abstract features), tested here on prompts",
    optional="the sets happy and angry on an autoencoder of the chapter's model",
    published=(in_words("features that fire on a concept, not on single words"),),
)
register_beyond_words = _beyond_words(
    "register-beyond-words",
    ("documentation",),
    work="Bricken et al. 2023",
    sentence="A feature for the kind of text tells more of it than the words do.",
    section="Context features (tested here on prompts)",
    optional="the set documentation on an autoencoder of the chapter's model",
    published=(in_words("features that fire on one kind of text"),),
)
