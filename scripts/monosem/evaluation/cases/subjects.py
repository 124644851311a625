"""Units that are read: the best of each kind is chosen for every context on validation, and read on other text."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer
from scipy import sparse

from scripts.monosem.core import job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.dictionaries.world import neurons
from scripts.monosem.evaluation.latents.contexts import LabelSums
from scripts.monosem.evaluation.latents.unit_activations import Subject, Text, read_blocks
from scripts.monosem.metrics import classification
from scripts.monosem.sae import model as sae_model
from scripts.monosem.sae.csr import csr_of
from scripts.monosem.text.tokens import kept_positions

AT_ONCE = 256
"""Windows whose neurons are in memory together."""


@dataclass(frozen=True)
class Labelled:
    """Text, and the contexts of the tokens that are read."""

    text: Text
    place: Integer[np.ndarray, " n"]
    """Offset of each kept token in the stream."""
    labels: Bool[np.ndarray, "n contexts"]
    """Contexts of each kept token."""


@dataclass(frozen=True)
class Chosen:
    """The best units of one kind, one for each context."""

    subject: Subject
    are_neurons: bool
    index: Integer[np.ndarray, " contexts"]
    thresholds: tuple[float | None, ...]
    """Of the highest F1 on validation."""


def kept_places(subject: Subject, text: Text) -> Integer[np.ndarray, " n"]:
    """Offsets in the stream of the tokens that are read, in reading order."""
    places = text.starts[:, None] + np.arange(subject.context)
    kept = kept_positions(text.stream.tokens[places], text.stream.eos_token_id, subject.drop_first_position)
    return places[kept]


def label_sums(
    x: sparse.csr_matrix | Float[np.ndarray, "n units"], labels: Bool[np.ndarray, "n contexts"]
) -> LabelSums:
    """Sums of all units with all contexts; a token may be in several."""
    x, y = x.astype(np.float64), labels.astype(np.float64)

    def total(values) -> np.ndarray:
        return np.asarray(values.sum(0), np.float64).ravel()

    square = x.multiply(x) if sparse.issparse(x) else x * x
    return LabelSums(len(y), y.sum(0), total(x), total(square), total(x > 0).astype(np.int64), np.asarray(x.T @ y))


def read_validation(subject: Subject, validation: Labelled) -> tuple[sparse.csr_matrix, LabelSums]:
    """All latents on the validation text, and the sums of all neurons with the contexts."""
    codes, sums, done = [], None, 0
    for block in read_blocks(subject, validation.text.stream, validation.text.starts):
        codes.append(csr_of(block.codes, (len(block.neurons), subject.sae.d_sae)))
        part = label_sums(block.neurons.cpu().numpy(), validation.labels[done : done + len(block.neurons)])
        sums = part if sums is None else sums + part
        done += len(block.neurons)
    return sparse.vstack(codes, format="csr"), sums


def thresholds(
    columns: Float[np.ndarray, "n contexts"], labels: Bool[np.ndarray, "n contexts"]
) -> tuple[float | None, ...]:
    """The threshold of the highest F1, of each column for its context."""
    return tuple(
        classification.best_threshold(column, label) for column, label in zip(columns.T, labels.T, strict=True)
    )


def best_latents(subject: Subject, codes: sparse.csr_matrix, validation: Labelled) -> Chosen:
    """For every context the latent that correlates most with its label."""
    index = label_sums(codes, validation.labels).pearson().argmax(0)
    columns = codes.tocsc()[:, index].toarray()
    return Chosen(subject, False, index, thresholds(columns, validation.labels))


def best_neurons(subject: Subject, sums: LabelSums, validation: Labelled) -> Chosen:
    """For every context the neuron that correlates most with its label."""
    index, starts = sums.pearson().argmax(0), validation.text.starts
    parts = [starts[first : first + AT_ONCE] for first in range(0, len(starts), AT_ONCE)]
    columns = np.concatenate([neurons(subject, validation.text.stream, part)[:, index] for part in parts])
    return Chosen(subject, True, index, thresholds(columns, validation.labels))


def random_dictionary(subject: Subject, centre: Float[np.ndarray, " d"], k: int, seed: int) -> Subject:
    """The same place with a TopK dictionary that was never trained: random unit directions about the mean."""
    mean = torch.from_numpy(centre.astype(np.float32)).to(subject.sae.W_dec.device)
    sae = sae_model.untrained(
        mean, subject.sae.d_sae, k, derive_seed(seed, "random dictionary"), subject.sae.norm_limit
    )
    return replace(subject, sae=sae)


def read_chosen(kinds: dict[str, Chosen], text: Text) -> dict[str, Float[np.ndarray, "n contexts"]]:
    """Activations of the chosen units on all kept tokens of a text; kinds of one subject are read in one pass."""
    columns: dict[str, list[np.ndarray]] = {name: [] for name in kinds}
    for subject in {id(chosen.subject): chosen.subject for chosen in kinds.values()}.values():
        here = {name: chosen for name, chosen in kinds.items() if chosen.subject is subject}
        progress, done = job.Progress(len(text.starts) * subject.context, "tokens"), 0
        for block in read_blocks(subject, text.stream, text.starts):
            for name, chosen in here.items():
                if chosen.are_neurons:
                    columns[name].append(block.neuron_columns(chosen.index))
                else:
                    known, place = np.unique(chosen.index, return_inverse=True)
                    columns[name].append(block.latent_columns(known, subject.sae.d_sae)[:, place])
            done += block.tokens.size
            progress.update(done)
    return {name: np.concatenate(parts) for name, parts in columns.items()}
