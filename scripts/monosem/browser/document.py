"""Contents of the page: its texts, models and dictionaries. No torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TextEntry:
    """A tokenizer, and the windows of text from which examples are shown."""

    name: str
    file: str
    context: int
    """Tokens of a window."""
    split: str
    """Of the corpus."""
    n_tokens: int
    eos: int
    """Id of the token before each document."""
    labels: tuple[str, ...]
    """Of tokens; the first means none."""
    label_counts: tuple[int, ...]
    """Tokens of each label."""


@dataclass(frozen=True)
class ModelEntry:
    """A language model."""

    name: str
    file: str | None
    """Weights; None for a model that does not run in the page."""
    summary: str
    """Its shape, in words."""


@dataclass(frozen=True)
class Related:
    """Another dictionary that units have partners in."""

    model: str
    site: str
    run: str
    arrays: str
    """Beginning of the names of the arrays with indices and values."""
    kind: str
    """"wider" or "narrower" (cosine of decoder directions), or "seed" (correlation of activations)."""


@dataclass(frozen=True)
class DictionaryEntry:
    """The latents of an autoencoder, or the neurons of its site."""

    model: str
    site: str
    run: str
    """`neurons` for those of the site."""
    kind: str
    """"latents" or "neurons"."""
    file: str
    text: str
    """Name of its text."""
    runs: bool
    """Weights are in the file."""
    layer: int
    n_units: int
    n_live: int
    """Units that fire on the text."""
    l0: float
    """Mean number of active units per token of the text."""
    summary: str
    """Architecture and widths, in words."""
    relations: tuple[Related, ...]
    pages: dict[str, int]
    """Page of one latent in `results/features` -> that latent."""


@dataclass(frozen=True)
class Manifest:
    """Everything that the page has, in the order in which it is offered."""

    texts: tuple[TextEntry, ...]
    models: tuple[ModelEntry, ...]
    dictionaries: tuple[DictionaryEntry, ...]
    conventions: dict[str, str]
