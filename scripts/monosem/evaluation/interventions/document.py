"""Contents of interventions.json (latents of the planted contexts) and intervention.json (one unit). No torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NextToken:
    """A probable next token."""

    text: str
    probability: float


@dataclass(frozen=True)
class Bounded:
    """A mean with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float
    n: int
    """Texts or windows that it is over."""


@dataclass(frozen=True)
class Dose:
    """A value to which a latent was pinned, and its effect on the sampled text."""

    dose: float
    """Multiple of the latent's largest activation."""
    share: float
    """Of the sampled characters, those that look like the context."""


@dataclass(frozen=True)
class AblatedLatent:
    """Loss added by ablating one latent, nats per token; intervals are over windows."""

    latent: int
    in_context_nats: Bounded
    """On the tokens of the context."""
    elsewhere_nats: Bounded
    """On all other tokens."""


@dataclass(frozen=True)
class Ablation:
    """The latent of a context ablated, and random latents."""

    n_tokens_in_context: int
    context: AblatedLatent
    """The context's own latent."""
    random_mean_in_context_nats: float
    """Mean over random latents."""
    random_largest: AblatedLatent
    """The random latent that costs the context most."""


@dataclass(frozen=True)
class PinnedExamples:
    """Text written with the latent at its maximum."""

    pinned: tuple[str, ...]
    next_tokens: tuple[NextToken, ...]


@dataclass(frozen=True)
class PinnedLatent:
    """The latent of one context, pinned and ablated; shares are those of `Dose`."""

    latent: int
    max_activation: float
    doses: tuple[Dose, ...]
    at_maximum: Bounded
    """Share at dose 1; intervals are over samples."""
    unpinned: Bounded
    """Share with nothing pinned."""
    random_mean: float | None
    """Mean share with a random latent at its maximum; None without random latents."""
    random_largest: Bounded | None
    """With the random latent that writes most of the context."""
    ablation: Ablation | None
    """None if the text has no token of the context, or there are no random latents."""
    examples: PinnedExamples


@dataclass(frozen=True)
class TextAblation:
    """A text token by token, its strongest latent ablated."""

    latent: int
    tokens: tuple[str, ...]
    loss_nats: tuple[float, ...]
    """Of each token, with nothing changed."""
    change_nats: tuple[float, ...]
    """Added by ablating the latent."""
    random_change_nats: tuple[float, ...]
    """Added by ablating a random latent, mean over these."""


@dataclass(frozen=True)
class FreeExamples:
    """Text written with nothing pinned, and with random latents pinned; texts read with a latent ablated."""

    free: tuple[str, ...]
    random: tuple[str, ...]
    next_tokens: tuple[NextToken, ...]
    texts: dict[str, TextAblation]


@dataclass(frozen=True)
class ContextInterventions:
    """interventions.json: the latents of the planted contexts, pinned and ablated."""

    model: str
    site: str
    run: str
    conventions: dict[str, str]
    prompt: str
    samples: int
    """Continuations per latent and dose."""
    sample_tokens: int
    """Tokens per continuation."""
    n_random: int
    """Random latents of the control."""
    pinned: dict[str, PinnedLatent]
    examples: FreeExamples


@dataclass(frozen=True)
class ReadLevel:
    """One value of the unit while the model reads the text; changes are nats per token, pinned less free."""

    dose: float | None
    """Multiple of the unit's largest activation; None if values were given."""
    value: float
    change_nats: tuple[float, ...]
    """One per token."""
    mean_change_nats: float
    random_mean_change_nats: float | None
    """Mean over random units; None without them, as in the next two."""
    random_largest_change_nats: float | None
    random_change_nats: tuple[float, ...] | None
    most_changed: int
    """Place of the token with the largest |change|."""
    free_next: tuple[NextToken, ...]
    """Expected there with nothing changed."""
    pinned_next: tuple[NextToken, ...]
    """Expected there with the unit pinned."""


@dataclass(frozen=True)
class TextReading:
    """The model reads a text with the unit pinned."""

    text: str
    cut: bool
    """True if the text was cut to the context."""
    tokens: tuple[str, ...]
    activations: tuple[float, ...]
    """Of the unit, with nothing changed."""
    loss_nats: tuple[float, ...]
    levels: tuple[ReadLevel, ...]


@dataclass(frozen=True)
class WriteLevel:
    """One value of the unit while the model continues the prompt."""

    dose: float | None
    value: float
    kl_nats: float
    """KL(free || pinned) of the first token after the prompt."""
    random_mean_kl_nats: float | None
    random_largest_kl_nats: float | None
    next: tuple[NextToken, ...]
    continuations: tuple[str, ...]
    random_continuation: str | None
    """With one random unit at the same level."""


@dataclass(frozen=True)
class Writing:
    """The model continues a prompt, with nothing changed and with the unit pinned."""

    prompt: str
    n_tokens: int
    """Per continuation."""
    next: tuple[NextToken, ...]
    continuations: tuple[str, ...]
    levels: tuple[WriteLevel, ...]


@dataclass(frozen=True)
class UnitIntervention:
    """intervention.json: one latent or neuron, pinned while the model reads and writes."""

    model: str
    site: str
    run: str | None
    """Autoencoder of a latent; None for a neuron."""
    kind: str
    """"latent" or "neuron"."""
    unit: int
    n_units: int
    largest_activation: float
    """On the validation text."""
    density: float
    """Share of the validation tokens with activation > 0."""
    n_tokens: int
    """Tokens of the validation text."""
    random_units: tuple[int, ...]
    conventions: dict[str, str]
    reading: TextReading | None
    """None if no text was given."""
    writing: Writing | None
    """None if no prompt was given."""
