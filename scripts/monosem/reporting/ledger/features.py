"""Claims of chapter 2 on single features: contexts, tokens, interventions."""

from scripts.monosem.reporting.ledger.claim import (
    Claim,
    Control,
    Measured,
    Part,
    Published,
    Subject,
    claim,
    in_words,
    printed,
)
from scripts.monosem.reporting.ledger.estimates import above, at_least, below, minus, ratio
from scripts.monosem.reporting.ledger.one_layer import BRICKEN

CORRELATION = "correlation with the label"
BEYOND = "the same less that of the best neuron"


def _context(name: str, label: str, published: tuple[Published, ...]) -> Claim:
    """There is a latent for a planted context that no neuron matches."""
    at = f"{{contexts}}:contexts/{name}"

    def predicate(of: Measured) -> list[Part]:
        correlation = of("test/pearson")
        neuron = of.at(f"{at}/neuron/test/pearson")
        return [
            Part(CORRELATION, correlation, at_least(0.5), "fixed"),
            Part(BEYOND, minus(correlation, neuron), at_least(0.2), "fixed"),
        ]

    return Claim(
        **BRICKEN,
        id=f"{name}-feature",
        sentence=f"There is a feature for {label} that no single neuron matches.",
        section=f"{label} Feature",
        optional=f"planted {label}",
        published=published,
        subject=Subject("best latent", f"{at}/latent"),
        controls=(
            Control(Subject("best neuron", f"{at}/neuron"), (BEYOND,)),
            Control(
                Subject("latent chosen on permuted labels", f"{at}/controls/shuffled_labels"), (CORRELATION, BEYOND)
            ),
            Control(Subject("random latent", f"{at}/controls/random_latent"), (CORRELATION, BEYOND)),
        ),
        predicate=predicate,
    )


PROXY = "correlation of feature and proxy"
arabic_feature = _context(
    "arabic", "Arabic", (printed(PROXY, 0.74), printed("firing tokens in context", 0.81, "percent"))
)
dna_feature = _context("dna", "DNA", (printed(PROXY, 0.8),))
base64_feature = _context(
    "base64", "base64", (printed(PROXY, 0.38, note="the proxy is too broad"), printed("of the best neuron", 0.18))
)
hebrew_feature = _context("hebrew", "Hebrew", (printed(PROXY, 0.55), printed("of the best neuron", 0.1)))

UPPER_HALF = "in context, weakest of all contexts, upper half of the range"


@claim(
    **BRICKEN,
    sentence="The stronger a feature fires, the more surely its token is in context.",
    section="Arabic Script Feature (specificity)",
    optional="planted contexts",
    published=(
        printed("in context, barely active", 0.25, "percent"),
        printed("in context, above activation five", 0.98, "percent"),
    ),
    subject=Subject("best latents", "{contexts}:summary/latent"),
    controls=(Control(Subject("best neurons", "{contexts}:summary/neuron"), (UPPER_HALF,)),),
)
def specificity_rises(of: Measured) -> list[Part]:
    return [
        Part(UPPER_HALF, of("upper_half_specificity"), at_least(0.9), "percent"),
        Part("rise from lowest bin to upper half", of("specificity_rise"), above(0), "percent"),
    ]


IN_SCRIPT = "share of sampled characters in Arabic script"


@claim(
    **BRICKEN,
    sentence="Text sampled with a feature pinned to its maximum is text of the feature's context.",
    section="Arabic Script Feature (downstream effect)",
    optional="interventions on the headline autoencoder, with planted Arabic",
    published=(in_words("with the Arabic feature at its maximum the model writes Arabic"),),
    subject=Subject("Arabic latent at its maximum", {"share": "{interventions}:pinned/arabic/at_maximum"}),
    controls=(
        Control(
            Subject(
                "random latents at their maximum, the most Arabic of them",
                {"share": "{interventions}:pinned/arabic/random_largest"},
            ),
            (IN_SCRIPT,),
        ),
        Control(Subject("no latent pinned", {"share": "{interventions}:pinned/arabic/unpinned"}), (IN_SCRIPT,)),
    ),
    explanation="The planted documents begin in Arabic and stay there, so that the model rarely switches to Arabic in "
    "the middle of English, and several latents share the context. Above its maximum the latent alone suffices (see "
    "the doses).",
)
def pinned_sampling(of: Measured) -> list[Part]:
    return [Part(IN_SCRIPT, of("share"), at_least(0.5), "percent")]


ON_CONTEXT = "nats added per Arabic token"


@claim(
    **BRICKEN,
    sentence="Ablating a context's feature adds loss on its context and hardly any elsewhere.",
    section="Arabic Script Feature (downstream effect; ablation)",
    optional="interventions on the headline autoencoder, with planted Arabic",
    published=(in_words("ablation lowers the probability of Arabic tokens in Arabic text"),),
    subject=Subject("Arabic latent ablated", "{interventions}:pinned/arabic/ablation"),
    controls=(
        Control(
            Subject(
                "random latents ablated, the costliest of them",
                {"in_context_nats": "{interventions}:pinned/arabic/ablation/random/largest_in_context_nats"},
            ),
            (ON_CONTEXT,),
        ),
    ),
)
def ablated_context(of: Measured) -> list[Part]:
    inside = of("in_context_nats")
    return [
        Part(ON_CONTEXT, inside, above(0.01), "nats"),
        Part("nats added per other token over that", ratio(of("elsewhere_nats"), inside), below(0.1), "fixed"),
    ]
