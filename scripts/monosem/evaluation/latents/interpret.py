"""Interpret one autoencoder: choose units on the validation split, read and score them on the test split."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Integer
from tokenizers import Tokenizer

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.latents import contexts, examples
from scripts.monosem.evaluation.latents.cards import Units, Vocabulary, cards
from scripts.monosem.evaluation.latents.document import BothKinds, Context, Contexts, Interpretation, SplitCounts
from scripts.monosem.evaluation.latents.encode_text import text_of
from scripts.monosem.evaluation.latents.logit_weights import reason_unavailable
from scripts.monosem.evaluation.latents.unit_activations import (
    Block,
    Subject,
    Text,
    kept_labels,
    open_subject,
    read_blocks,
)
from scripts.monosem.text import corpus
from scripts.monosem.text.bpe import load_tokenizer
from scripts.monosem.text.tokens import TokenStream, load_tokens

SUMMARY_UNITS = 512
"""Latents, and neurons, over which entropy and single-token shares are taken."""
RAREST = 10
"""Occurrences in the training text below which a token's logit weight is not listed."""
N_LABELS = len(corpus.LABELS)


@dataclass(frozen=True)
class Inputs:
    """Everything that is read."""

    subject: Subject
    tokenizer: Tokenizer
    train: TokenStream
    """For the frequency of tokens alone."""
    validation: Text
    test: Text
    labels: contexts.Halves
    """Label of every kept position."""
    shuffled: contexts.Halves
    """The same, permuted."""


@dataclass(frozen=True)
class Choice:
    """Units that were chosen on the validation split."""

    latents: dict[str, int]
    """Context -> the latent of highest correlation."""
    neurons: dict[str, int]
    """Context -> the neuron of highest correlation."""
    shuffled_latents: dict[str, int]
    """The same for permuted labels."""
    random_latent: int | None
    """A live latent that is no context's best."""
    sampled: dict[str, Integer[np.ndarray, " sampled"]]
    """"latents", "neurons" -> random live ones, for cards and statistics."""
    n_live: dict[str, int]
    """"latents", "neurons" -> how many fire."""


Columns = Mapping[int, contexts.Column]
"""Activations of chosen latents, or neurons, by their number."""


def correlations(
    subject: Subject, text: Text, labels: Integer[np.ndarray, " n"], shuffled: Integer[np.ndarray, " n"]
) -> tuple[contexts.LabelSums, contexts.LabelSums, contexts.LabelSums]:
    """Sums of every latent with the labels, of every neuron with them, and of every latent with permuted ones."""
    done, sums = 0, None
    for block in read_blocks(subject, text.stream, text.starts):
        here = slice(done, done + len(block.neurons))
        parts = (
            contexts.latent_sums(block, labels[here], N_LABELS, subject.sae.d_sae),
            contexts.neuron_sums(block, labels[here], N_LABELS),
            contexts.latent_sums(block, shuffled[here], N_LABELS, subject.sae.d_sae),
        )
        sums = parts if sums is None else tuple(a + b for a, b in zip(sums, parts, strict=True))
        done = here.stop
    return sums


def read_columns(
    subject: Subject,
    text: Text,
    latents: Integer[np.ndarray, " n_latents"],
    neurons: Integer[np.ndarray, " n_neurons"],
    also: Callable[[Block], None] | None = None,
) -> tuple[Float[np.ndarray, "n n_latents"], Float[np.ndarray, "n n_neurons"]]:
    """Activations of chosen units at all kept positions; `also` sees every block on the way."""
    latent_parts, neuron_parts = [], []
    progress, done = job.Progress(len(text.starts) * subject.context, "tokens"), 0
    for block in read_blocks(subject, text.stream, text.starts):
        latent_parts.append(block.latent_columns(latents, subject.sae.d_sae))
        neuron_parts.append(block.neuron_columns(neurons))
        if also is not None:
            also(block)
        done += block.tokens.size
        progress.update(done)
    return np.concatenate(latent_parts), np.concatenate(neuron_parts)


def sample_live(fired: Integer[np.ndarray, " units"], n: int, seed: int) -> Integer[np.ndarray, " sampled"]:
    """At most n units, uniformly and in random order, among those that fired."""
    return np.random.default_rng(seed).permutation(np.flatnonzero(fired > 0))[:n]


def open_inputs(
    model_folder: Path, tokens_folder: Path, tokenizer_path: Path, sae_folder: Path, n_tokens: int, seed: int,
    device: str,
) -> Inputs:  # fmt: skip
    """Open model, autoencoder and text; `n_tokens` of each of the two splits are read.

    Raises: ArtefactError for files that do not belong together.
    """
    subject = open_subject(model_folder, sae_folder, device)
    texts = {split: text_of(tokens_folder, split, subject.context, n_tokens, seed) for split in ("validation", "test")}
    labels = contexts.Halves(**{split: kept_labels(subject, text.stream, text.starts) for split, text in texts.items()})
    shuffled = labels.permuted(derive_seed(seed, "shuffled labels"))
    tokenizer, train = load_tokenizer(tokenizer_path), load_tokens(tokens_folder, "train")
    return Inputs(subject, tokenizer, train, **texts, labels=labels, shuffled=shuffled)


def choose(inputs: Inputs, seed: int) -> Choice:
    """Choose units by their activations on the validation split."""
    labels, shuffled = inputs.labels, inputs.shuffled
    job.say(f"validation: {len(labels.validation):,} tokens, every latent and neuron against every label")
    latent, neuron, latent_shuffled = correlations(
        inputs.subject, inputs.validation, labels.validation, shuffled.validation
    )
    both = np.bincount(labels.validation, minlength=N_LABELS) * np.bincount(labels.test, minlength=N_LABELS) > 0
    names = [name for number, name in enumerate(corpus.LABELS) if number > 0 and both[number]]

    def best(sums: contexts.LabelSums) -> dict[str, int]:
        r = sums.pearson()
        return {name: int(r[:, corpus.LABELS.index(name)].argmax()) for name in names}

    latents = best(latent)
    unchosen = np.where(np.isin(np.arange(len(latent.fired)), list(latents.values())), 0, latent.fired)
    random_latent = sample_live(unchosen, 1, derive_seed(seed, "random latent"))
    fired = {"latents": latent.fired, "neurons": neuron.fired}
    return Choice(
        latents=latents,
        neurons=best(neuron),
        shuffled_latents=best(latent_shuffled),
        random_latent=int(random_latent[0]) if len(random_latent) else None,
        sampled={kind: sample_live(counts, SUMMARY_UNITS, derive_seed(seed, kind)) for kind, counts in fired.items()},
        n_live={kind: int((counts > 0).sum()) for kind, counts in fired.items()},
    )


def read(inputs: Inputs, choice: Choice) -> tuple[Columns, Columns, dict[str, examples.UnitTally]]:
    """Columns of the chosen latents and neurons on both splits, and tallies of the sampled ones on the test split."""
    subject, vocab = inputs.subject, inputs.subject.model.config.vocab_size
    random_latent = [] if choice.random_latent is None else [choice.random_latent]
    latents = np.unique([*choice.latents.values(), *choice.shuffled_latents.values(), *random_latent]).astype(np.int64)
    neurons = np.unique([*choice.neurons.values()]).astype(np.int64)
    job.say("validation: thresholds of the chosen units")
    on_validation = read_columns(subject, inputs.validation, latents, neurons)
    job.say(f"test: {len(inputs.labels.test):,} tokens")
    tallies = {kind: examples.UnitTally.empty(index, vocab) for kind, index in choice.sampled.items()}

    def tally_block(block: Block) -> None:
        where = (block.kept, block.tokens, block.starts)
        tallies["latents"].add(block.latent_columns(choice.sampled["latents"], subject.sae.d_sae), *where)
        tallies["neurons"].add(block.neuron_columns(choice.sampled["neurons"]), *where)

    on_test = read_columns(subject, inputs.test, latents, neurons, also=tally_block)
    by_number = (
        {int(unit): contexts.Column(int(unit), a[:, place], b[:, place]) for place, unit in enumerate(index)}
        for index, a, b in zip((latents, neurons), on_validation, on_test, strict=True)
    )
    return *by_number, tallies


def score(
    inputs: Inputs, choice: Choice, latents: Columns, neurons: Columns
) -> tuple[dict[str, Context], dict[str, np.ndarray]]:
    """Scores of every context, and the histograms of its best latent and neuron."""
    chosen = {
        "latent": {name: latents[unit] for name, unit in choice.latents.items()},
        "neuron": {name: neurons[unit] for name, unit in choice.neurons.items()},
    }
    scored = contexts.score_contexts(
        corpus.LABELS,
        inputs.labels,
        inputs.shuffled,
        chosen["latent"],
        chosen["neuron"],
        {name: latents[unit] for name, unit in choice.shuffled_latents.items()},
        None if choice.random_latent is None else latents[choice.random_latent],
    )
    histograms = {
        f"{name}.{kind}.{part}": array
        for kind, columns in chosen.items()
        for name, column in columns.items()
        for part, array in contexts.histogram(column.test, inputs.labels.test, N_LABELS).items()
    }
    return scored, histograms


def vocabulary_of(inputs: Inputs, tokens_folder: Path) -> Vocabulary:
    """Frequencies of the tokens in the text read, and those frequent enough in training.

    Raises: ArtefactError if no token is.
    """
    vocab, test = inputs.subject.model.config.vocab_size, inputs.test
    tokens = test.stream.tokens[test.starts[:, None] + np.arange(inputs.subject.context)]
    usual = np.bincount(inputs.train.tokens, minlength=vocab) >= RAREST
    if not usual.any():
        raise artefacts.ArtefactError(
            f"{tokens_folder}: no token occurs {RAREST} times in the train split; give more text"
        )
    usual[test.stream.eos_token_id] = False

    def decode(token: int | np.integer) -> str:
        return inputs.tokenizer.decode([int(token)], skip_special_tokens=False)

    return Vocabulary(decode, np.bincount(tokens.ravel(), minlength=vocab), usual)


def interpret(
    model_folder: Path,
    tokens_folder: Path,
    tokenizer_path: Path,
    sae_folder: Path,
    interpretation: dict[str, Any],
    seed: int,
    device: str,
) -> tuple[Interpretation, Contexts, dict[str, np.ndarray]]:
    """Interpret one SAE.

    Args:
        interpretation: {"units": cards per kind, "examples": per card, "tokens": read of each of the two splits}.
    Returns: contents of interpretation.json, contexts.json and contexts.npz.
    Raises: ArtefactError for files that do not belong together.
    """
    inputs = open_inputs(
        model_folder, tokens_folder, tokenizer_path, sae_folder, interpretation["tokens"], seed, device
    )
    choice = choose(inputs, seed)
    latents, neurons, tallies = read(inputs, choice)
    scored, histograms = score(inputs, choice, latents, neurons)
    vocabulary, test = vocabulary_of(inputs, tokens_folder), inputs.test
    units = {
        kind: Units(kind, tally, interpretation["units"], interpretation["examples"]) for kind, tally in tallies.items()
    }
    for name, result in scored.items():
        job.say(
            f"{name}: F1 {result.latent.test.scores.f1 or 0.0:.2f} of the best latent, "
            f"{result.neuron.test.scores.f1 or 0.0:.2f} of the best neuron"
        )
    identity = {
        "model": model_folder.name,
        "site": inputs.subject.site.name,
        "run": sae_folder.name,
        "n_tokens": SplitCounts(len(inputs.labels.validation), len(inputs.labels.test)),
    }
    interpreted = Interpretation(
        **identity,
        conventions=examples.CONVENTIONS,
        logit_weights=reason_unavailable(inputs.subject.site),
        summary=BothKinds(
            **{
                kind: examples.summary(tally, test.stream.tokens, choice.n_live[kind])
                for kind, tally in tallies.items()
            }
        ),
        **{kind: cards(inputs.subject, test, each, vocabulary) for kind, each in units.items()},
    )
    return interpreted, Contexts(**identity, conventions=contexts.CONVENTIONS, contexts=scored), histograms
