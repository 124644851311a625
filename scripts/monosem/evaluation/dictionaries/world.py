"""Everything that the comparisons of dictionaries read, once: models, their units, and the tokens they share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer
from scipy import sparse

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.dictionaries.codes import Side, Tokens, Units, join, tokens_at
from scripts.monosem.evaluation.dictionaries.passages import Reader
from scripts.monosem.evaluation.latents import stored_codes
from scripts.monosem.evaluation.latents.logit_weights import logit_weights
from scripts.monosem.evaluation.latents.stored_codes import SPLITS, CodesOfText
from scripts.monosem.evaluation.latents.unit_activations import Subject, open_subject
from scripts.monosem.metrics.bootstrap import document_weights
from scripts.monosem.models import sites
from scripts.monosem.sae.model import open_sae, silenced
from scripts.monosem.text import corpus
from scripts.monosem.text.bpe import load_tokenizer
from scripts.monosem.text.tokens import TokenStream, kept_positions, load_tokens
from scripts.monosem.text.visible import visible

BATCH_TOKENS = 2048
"""Of one forward pass."""
RESAMPLINGS = 200
"""Of the documents, behind every standard error."""
RAREST = 10
"""Occurrences in the training text below which the logit weight of a token does not count."""


@dataclass(frozen=True)
class Place:
    """Files of a model with one dictionary."""

    model: Path
    """Folder."""
    sae: Path
    """Folder."""
    codes: Path
    """codes.npz."""


@dataclass(frozen=True)
class Text:
    """Validation and test split, one after the other, and the windows and places that all models read."""

    stream: TokenStream
    starts: Integer[np.ndarray, " windows"]
    place: Integer[np.ndarray, " n"]
    scored: Bool[np.ndarray, " n"]
    """True for places of the test split."""
    rows: Bool[np.ndarray, " stored"]
    """True for the rows of codes.npz, both splits, that are these places."""


@dataclass(frozen=True)
class Dictionary:
    """Latents on the text, and what they write."""

    units: Units
    directions: Float[np.ndarray, "latents d"]
    """Rows of the decoder."""


@dataclass(frozen=True)
class Model:
    """A model, one dictionary of it, and what both do on the tokens."""

    name: str
    subject: Subject
    neurons: Side
    latents: Side


@dataclass(frozen=True)
class World:
    """The models and the text."""

    text: Text
    tokens: Tokens
    reader: Reader
    usual: Bool[np.ndarray, " vocab"]
    """Tokens frequent enough in training for their logit weights to mean something."""
    weights: Float[np.ndarray, "samples documents"]
    """Ones, then resamplings of the documents that score; the others weigh nothing."""
    model: Model
    second: Model | None
    """Another seed."""
    control: Model | None
    """Permuted weights."""

    def identity(self) -> dict[str, Any]:
        """Keys that every document begins with."""
        return {
            "model": self.model.name,
            "site": self.model.subject.site.name,
            "n_tokens": len(self.tokens.place),
            "n_documents": self.tokens.n_documents,
        }

    def contexts(self) -> dict[str, int]:
        """Contexts with tokens on both splits -> their label."""
        counts = [np.bincount(self.tokens.label[split], minlength=len(corpus.LABELS)) for split in self.tokens.splits()]
        return {name: label for label, name in enumerate(corpus.LABELS) if label and min(c[label] for c in counts)}


@torch.inference_mode()
def neurons(subject: Subject, stream: TokenStream, starts: Integer[np.ndarray, " windows"]) -> Float[np.ndarray, "n d"]:
    """Activations of the subject's site at the kept positions of some windows, 0 where its SAE does not read."""
    at_once, parts = max(1, BATCH_TOKENS // subject.context), []
    for begin in range(0, len(starts), at_once):
        tokens = stream.tokens[starts[begin : begin + at_once, None] + np.arange(subject.context)].astype(np.int64)
        kept = torch.from_numpy(kept_positions(tokens, stream.eos_token_id, subject.drop_first_position))
        ids = torch.from_numpy(tokens).to(subject.model.device)
        x = sites.capture(subject.model, subject.site, ids, stream.eos_token_id)
        parts.append(silenced(subject.sae, x[kept.to(x.device)].float()).cpu().numpy())
    return np.concatenate(parts)


def narrower_dictionary(world: World, codes: Path, sae_folder: Path) -> Dictionary:
    """Another dictionary of the same model and site.

    Raises: ArtefactError if it is of another site, or its codes of other text.
    """
    site = world.model.subject.site
    sae = open_sae(sae_folder, site.name, site.d, "cpu")
    return Dictionary(latents_of(codes, world.text), sae.W_dec.numpy())


def read_text(tokens_folder: Path, codes: CodesOfText, n_tokens: int, seed: int) -> Text:
    """Some windows of either split among those that a dictionary was read on.

    Args: n_tokens: of each split, at most.
    """
    streams = [load_tokens(tokens_folder, split) for split in SPLITS]
    starts, places, rows, end = [], [], [], 0
    for split, stream in zip(SPLITS, streams, strict=True):
        stored = codes.splits[split]
        order = np.random.default_rng(derive_seed(seed, "dictionary windows", split)).permutation(len(stored.starts))
        chosen = np.sort(stored.starts[order[: -(-n_tokens // codes.context)]])
        window = stored.starts[np.searchsorted(stored.starts, stored.places, side="right") - 1]
        rows.append(np.isin(window, chosen))
        starts.append(chosen + end)
        places.append(stored.places[rows[-1]] + end)
        end += len(stream.tokens)
    scored = np.repeat([False, True], [len(each) for each in places])
    return Text(join(streams), np.concatenate(starts), np.concatenate(places), scored, np.concatenate(rows))


def latents_of(path: Path, text: Text) -> Units:
    """Codes of one dictionary on the text.

    Raises: ArtefactError if they are of other text.
    """
    codes = stored_codes.load(path)
    places = np.concatenate([codes.splits[split].places for split in SPLITS])
    n_validation = int((~text.scored).sum())
    if len(places) != len(text.rows) or (places[text.rows][:n_validation] != text.place[:n_validation]).any():
        raise artefacts.ArtefactError(
            f"{path}: codes of other text than the other dictionaries'; {artefacts.remedy(path)}"
        )
    matrix = sparse.vstack([codes.matrix(split) for split in SPLITS], format="csr")[text.rows]
    return Units(path.parent.name, matrix.astype(np.float64))


def _read_model(place: Place, text: Text, usual: Bool[np.ndarray, " vocab"], device: str) -> Model:
    subject = open_subject(place.model, place.sae, device)
    job.say(f"{place.model.name}: {len(text.place):,} tokens")

    def side(units: Units, directions: Float[torch.Tensor, "units d"]) -> Side:
        return Side(units, logit_weights(subject.model, subject.site, directions, usual).cpu().numpy())

    basis = torch.eye(subject.site.d, device=subject.sae.W_dec.device)
    of_site = Units("neurons", neurons(subject, text.stream, text.starts))
    return Model(
        place.model.name, subject, side(of_site, basis), side(latents_of(place.codes, text), subject.sae.W_dec)
    )


def read_world(
    model: Place, second: Place | None, control: Place | None, tokens_folder: Path, tokenizer_path: Path,
    n_tokens: int, seed: int, device: str,
) -> World:  # fmt: skip
    """Read models and dictionaries on text of their codes.

    Args: second: another seed; control: permuted weights; n_tokens: of each split.
    Raises: ArtefactError for files that do not belong together.
    """
    text = read_text(tokens_folder, stored_codes.load(model.codes), n_tokens, seed)
    train, stream = load_tokens(tokens_folder, "train"), text.stream
    usual = np.bincount(train.tokens, minlength=stream.vocab_size) >= RAREST
    usual[stream.eos_token_id] = False
    if not usual.any():
        raise artefacts.ArtefactError(
            f"{tokens_folder}: no token occurs {RAREST} times in the train split; give more text"
        )
    tokens = tokens_at(stream, text.place, text.scored)
    scored = np.unique(tokens.document[tokens.scored])
    weights = np.zeros((RESAMPLINGS + 1, tokens.n_documents))
    weights[:, scored] = document_weights(len(scored), RESAMPLINGS, derive_seed(seed, "dictionary documents"))
    tokenizer = load_tokenizer(tokenizer_path)

    def decode(token: int) -> str:
        return visible(tokenizer.decode([token], skip_special_tokens=False), space="·")

    models = [place and _read_model(place, text, usual, device) for place in (model, second, control)]
    return World(text, tokens, Reader(stream, tokens, decode), usual, weights, *models)
