"""Values that several sections of a configuration have."""

from dataclasses import dataclass
from typing import Literal

Device = Literal["auto", "cpu", "cuda", "mps"]


@dataclass(frozen=True, kw_only=True)
class TrainedSae:
    """One trained autoencoder."""

    model: str
    """A name under models; or chapters.language_model."""
    site: str
    """A TransformerLens hook name, e.g. blocks.0.mlp.hook_post."""
    run: str
    """A name under sae.runs."""
