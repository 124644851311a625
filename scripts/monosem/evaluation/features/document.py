"""Contents of features.json. No torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AblatedExample:
    """A piece of a window around one of the latent's largest activations."""

    tokens: tuple[str, ...]
    activations: tuple[float, ...]
    """Of the latent, one per token."""
    effects: tuple[float, ...]
    """Nats by which ablating the latent at every token lowers the log-likelihood of each token; 0 for the first."""
    peak: int
    """Place of the largest activation among the tokens."""


@dataclass(frozen=True)
class PinnedSamples:
    """Continuations of the paper's prefix, the same random numbers side by side."""

    prompt: str
    value: float
    """To which the latent is pinned: its largest activation on the text."""
    normal: tuple[str, ...]
    pinned: tuple[str, ...]


@dataclass(frozen=True)
class Feature:
    """One latent, as Bricken et al. 2023 show a feature; the histograms are in features.npz."""

    latent: int
    context: str | None
    """The planted or natural context whose best latent it is; None for a latent that the configuration names."""
    labels: tuple[str, ...]
    """Kinds of tokens that the histograms stack, in the order of their rows."""
    density: float
    """Share of the text's tokens on which it fires."""
    max_activation: float
    proxy_pearson: float | None
    """Correlation with the context's log-likelihood proxy, negative proxies as 0."""
    neuron: int
    """The neuron that is most correlated with it on validation."""
    neuron_pearson: float
    """Their correlation on the text shown."""
    logit_pearson: float | None
    """Correlation of their logit weights; None where the site has none."""
    n_large_coefficients: int
    """Neurons of absolute coefficient 0.1 or more in the dictionary vector."""
    examples: tuple[AblatedExample, ...]
    samples: PinnedSamples


@dataclass(frozen=True)
class Features:
    """features.json: latents of one autoencoder, one page each."""

    model: str
    site: str
    run: str
    n_tokens: int
    """Of the test split."""
    conventions: dict[str, str]
    features: dict[str, Feature]
    """By the name of the context, or by the name in the configuration."""
