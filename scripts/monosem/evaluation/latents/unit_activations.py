"""Read units (latents and neurons) over held-out text: windows in, activations and labels out, batch by batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor, nn

from scripts.monosem.core import artefacts
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.models.model_folder import weights_sha256
from scripts.monosem.models.sites import Site
from scripts.monosem.sae.kernels.sparse import Codes
from scripts.monosem.sae.model import Sae, encode_active, open_sae, silenced
from scripts.monosem.text.tokens import TokenStream, kept_positions

DENSE_NUMBERS = 2**23  # pre-activations in flight: 32 MB of float32


@dataclass(frozen=True)
class Subject:
    """One autoencoder on one site of one model."""

    model: nn.Module
    """In eval mode."""
    site: Site
    """Where the autoencoder reads."""
    sae: Sae
    """The autoencoder."""
    context: int
    """Window length, tokens."""
    drop_first_position: bool
    """As in the extraction."""


@dataclass(frozen=True)
class Text:
    """One half of the held-out text."""

    stream: TokenStream
    """The split."""
    starts: Integer[np.ndarray, " windows"]
    """Windows read, in order."""


@dataclass(frozen=True)
class Block:
    """Some windows of text with the units' activations at their kept positions."""

    starts: Integer[np.ndarray, " windows"]
    """Offset of each window in the stream."""
    tokens: Integer[np.ndarray, "windows context"]
    """Token ids."""
    labels: Integer[np.ndarray, "windows context"]
    """Index into corpus.LABELS."""
    kept: Bool[np.ndarray, "windows context"]
    """Positions that are read."""
    neurons: Float[Tensor, "n d"]
    """Activations at kept positions; 0 where the autoencoder does not read, so that both kinds are silent there."""
    codes: Codes
    """Latents at kept positions, sparse."""

    def rows(self) -> Integer[np.ndarray, " nnz"]:
        """Kept position of each entry of `codes`."""
        return np.repeat(np.arange(len(self.neurons)), self.codes.offsets.diff().cpu().numpy())

    def latent_columns(self, chosen: Integer[np.ndarray, " units"], d_sae: int) -> Float[np.ndarray, "n units"]:
        """Activations of some latents, dense."""
        place = np.full(d_sae, -1)
        place[chosen] = np.arange(len(chosen))
        columns = place[self.codes.latents.cpu().numpy()]
        wanted = columns >= 0
        dense = np.zeros((len(self.neurons), len(chosen)), np.float32)
        dense[self.rows()[wanted], columns[wanted]] = self.codes.values.cpu().numpy()[wanted]
        return dense

    def neuron_columns(self, chosen: Integer[np.ndarray, " units"]) -> Float[np.ndarray, "n units"]:
        """Activations of some neurons."""
        return self.neurons[:, torch.from_numpy(chosen)].cpu().numpy()


def open_subject(model_folder: Path, sae_folder: Path, device: str) -> Subject:
    """Open model and SAE; site, context and positions are those that the SAE was trained on.

    Raises: ArtefactError if the SAE was trained on another model.
    """
    model = load_model(model_folder, device)
    digest = weights_sha256(model_folder)
    metadata = artefacts.read_json(sae_folder / "cfg.json")["metadata"]
    site = sites.resolve(model, metadata["hook_name"])
    sae = open_sae(sae_folder, site.name, site.d, device, digest)
    return Subject(model, site, sae, metadata["context_size"], metadata["drop_first_position"])


@torch.inference_mode()
def read_blocks(subject: Subject, stream: TokenStream, starts: Integer[np.ndarray, " windows"]) -> Iterator[Block]:
    """Read windows in the order given, a few at a time."""
    at_once = max(1, DENSE_NUMBERS // (subject.context * subject.sae.d_sae))
    for begin in range(0, len(starts), at_once):
        chosen = starts[begin : begin + at_once]
        places = chosen[:, None] + np.arange(subject.context)
        tokens = stream.tokens[places].astype(np.int64)
        kept = kept_positions(tokens, stream.eos_token_id, subject.drop_first_position)
        if not kept.any():
            continue
        on_device = torch.from_numpy(tokens).to(subject.model.device)
        x = sites.capture(subject.model, subject.site, on_device, stream.eos_token_id)[torch.from_numpy(kept)].float()
        codes = encode_active(subject.sae, x)
        yield Block(chosen, tokens, stream.labels[places], kept, silenced(subject.sae, x), codes)


def kept_labels(
    subject: Subject, stream: TokenStream, starts: Integer[np.ndarray, " windows"]
) -> Integer[np.ndarray, " n"]:
    """Labels of all kept positions, in reading order; the model is not run."""
    places = starts[:, None] + np.arange(subject.context)
    kept = kept_positions(stream.tokens[places], stream.eos_token_id, subject.drop_first_position)
    return stream.labels[places][kept]
