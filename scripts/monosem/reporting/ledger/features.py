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
from scripts.monosem.reporting.ledger.estimates import above, at_least, below, minus, scaled
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

OVER_TOKEN = "the same less that of P(context | token)"


def _beyond_the_token(name: str, label: str) -> Claim:
    """A context's best latent tells more of it than the current token does."""
    at = f"{{cases}}:cases/{name}/subjects"

    def predicate(of: Measured) -> list[Part]:
        return [
            Part(CORRELATION, of("pearson", "documents"), at_least(0.5), "fixed"),
            Part(OVER_TOKEN, of("gain", "documents"), above(0), "fixed"),
        ]

    return Claim(
        **BRICKEN,
        id=f"{name}-beyond-the-token",
        sentence=f"A feature for {label} fires on its context and not just on its tokens.",
        section="Detailed Investigations of Individual Features",
        optional=f"enough documents that hold {label}",
        published=(in_words("a feature responds to a hypothesised context, and a proxy of it is computed from text"),),
        subject=Subject("best latent", f"{at}/latent"),
        controls=(
            Control(Subject("best neuron", f"{at}/neuron"), (CORRELATION,)),
            Control(Subject("best of a random dictionary", f"{at}/random_dictionary"), (CORRELATION, OVER_TOKEN)),
            Control(Subject("best latent, permuted model", f"{at}/permuted_model"), (CORRELATION, OVER_TOKEN)),
            Control(Subject("the token alone", f"{at}/lookup"), (OVER_TOKEN,)),
        ),
        predicate=predicate,
    )


doctest_beyond_the_token = _beyond_the_token("doctest", "code in documentation")
url_beyond_the_token = _beyond_the_token("url", "web addresses")
numbers_beyond_the_token = _beyond_the_token("numbers", "rows of numbers")
latex_beyond_the_token = _beyond_the_token("latex", "formulas")
directive_beyond_the_token = _beyond_the_token("directive", "directives")
citation_beyond_the_token = _beyond_the_token("citation", "references")
hexadecimal_beyond_the_token = _beyond_the_token("hexadecimal", "hexadecimal numbers")
arabic_beyond_the_token = _beyond_the_token("arabic", "labelled Arabic")
hebrew_beyond_the_token = _beyond_the_token("hebrew", "labelled Hebrew")
dna_beyond_the_token = _beyond_the_token("dna", "labelled DNA")
base64_beyond_the_token = _beyond_the_token("base64", "labelled base64")

RISE = "rise from lowest bin to upper half"
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
    controls=(
        Control(Subject("best neurons", "{contexts}:summary/neuron"), (UPPER_HALF,)),
        Control(Subject("latents chosen on permuted labels", "{contexts}:summary/shuffled_labels"), (UPPER_HALF, RISE)),
    ),
)
def specificity_rises(of: Measured) -> list[Part]:
    return [
        Part(UPPER_HALF, of("upper_half_specificity"), at_least(0.9), "percent"),
        Part(RISE, of("specificity_rise"), above(0), "percent"),
    ]


WRITTEN = "share of the sampled characters that look like the context"
PINNED = {"optional": "interventions on the headline autoencoder, with this planted context"}
DOWNSTREAM = "Arabic Script Feature (downstream effect)"


def _pinned(name: str, label: str) -> Claim:
    """Text that is written with the context's latent pinned to its maximum."""
    at = f"{{interventions}}:pinned/{name}"

    def predicate(of: Measured) -> list[Part]:
        return [Part(WRITTEN, of("share", "samples"), at_least(0.5), "percent")]

    return Claim(
        **BRICKEN,
        **PINNED,
        id=f"pinned-sampling-{name}",
        sentence=f"Text sampled with the {label} feature pinned to its maximum is {label}.",
        section=DOWNSTREAM,
        published=(in_words("sampled text changes to that of the feature's context"),),
        subject=Subject("its latent at its maximum", {"share": f"{at}/at_maximum"}),
        controls=(
            Control(
                Subject(
                    "of random latents at their maxima, the one with the largest share",
                    {"share": f"{at}/random_largest"},
                ),
                (WRITTEN,),
            ),
            Control(Subject("no latent pinned", {"share": f"{at}/unpinned"}), (WRITTEN,)),
        ),
        explanation="The planted documents begin in their context and stay in it, so that the model rarely switches to "
        "it in the middle of other text, and several latents share the context. Above its maximum the latent alone may "
        "suffice (see the doses).",
        predicate=predicate,
    )


pinned_sampling_arabic = _pinned("arabic", "Arabic")
pinned_sampling_hebrew = _pinned("hebrew", "Hebrew")
pinned_sampling_dna = _pinned("dna", "DNA")
pinned_sampling_base64 = _pinned("base64", "base64")

ON_CONTEXT = "nats added per token of the context"
ELSEWHERE = "nats added per other token, less a tenth of that"


def _ablated(name: str, label: str) -> Claim:
    """Loss that ablating the context's latent adds."""
    at = f"{{interventions}}:pinned/{name}/ablation"

    def predicate(of: Measured) -> list[Part]:
        inside = of("in_context_nats", "windows")
        return [
            Part(ON_CONTEXT, inside, above(0.01), "nats"),
            Part(ELSEWHERE, minus(of("elsewhere_nats", "windows"), scaled(inside, 0.1)), below(0), "nats"),
        ]

    return Claim(
        **BRICKEN,
        **PINNED,
        id=f"ablated-{name}",
        sentence=f"Ablating the {label} feature adds loss on {label} and hardly any elsewhere.",
        section=f"{DOWNSTREAM}; ablation",
        published=(in_words("ablation lowers the probability of tokens of the context, and of no others"),),
        subject=Subject("its latent ablated", f"{at}/context"),
        controls=(
            Control(Subject("the costliest of random latents ablated", f"{at}/random_largest"), (ON_CONTEXT,)),
            Control(
                Subject(
                    "the context and the rest exchanged",
                    {
                        "in_context_nats": f"{at}/context/elsewhere_nats",
                        "elsewhere_nats": f"{at}/context/in_context_nats",
                    },
                ),
                (ELSEWHERE,),
            ),
        ),
        predicate=predicate,
    )


ablated_arabic = _ablated("arabic", "Arabic")
ablated_hebrew = _ablated("hebrew", "Hebrew")
ablated_dna = _ablated("dna", "DNA")
ablated_base64 = _ablated("base64", "base64")
