"""Interpret one autoencoder: choose units on the validation split, read them on the test split, write numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.latents import contexts, examples
from scripts.monosem.evaluation.latents.cards import cards
from scripts.monosem.evaluation.latents.logit_weights import reason_unavailable
from scripts.monosem.evaluation.latents.unit_activations import Block, Subject, Text, kept_labels, read_blocks
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.models.model_folder import weights_sha256
from scripts.monosem.sae.model import open_sae
from scripts.monosem.text import corpus
from scripts.monosem.text.bpe import load_tokenizer
from scripts.monosem.text.tokens import load_tokens, windows

SUMMARY_UNITS = 512  # latents, and neurons, over which entropy and single-token shares are taken
RAREST = 10  # occurrences in the training text below which a token's logit weight is not listed
N_LABELS = len(corpus.LABELS)


def subject_from(model_folder: Path, sae_folder: Path, device: str) -> Subject:
    """Open model and SAE; site, context and positions are those that the SAE was trained on.

    Raises: ArtefactError if the SAE was trained on another model.
    """
    model = load_model(model_folder, device)
    digest = weights_sha256(model_folder)
    metadata = artefacts.read_json(sae_folder / "cfg.json")["metadata"]
    site = sites.resolve(model, metadata["hook_name"])
    sae = open_sae(sae_folder, site.name, site.d, device, digest)
    return Subject(model, site, sae, metadata["context_size"], metadata["drop_first_position"])


def correlations(
    subject: Subject, text: Text, labels: np.ndarray, shuffled: np.ndarray
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
    latents: Int[np.ndarray, " n_latents"],
    neurons: Int[np.ndarray, " n_neurons"],
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


def sample_live(fired: Int[np.ndarray, " units"], n: int, seed: int) -> Int[np.ndarray, " sampled"]:
    """At most n units, uniformly and in random order, among those that fired."""
    return np.random.default_rng(seed).permutation(np.flatnonzero(fired > 0))[:n]


def interpret(
    model_folder: Path,
    tokens_folder: Path,
    tokenizer_path: Path,
    sae_folder: Path,
    interpretation: dict[str, Any],
    seed: int,
    device: str,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, np.ndarray]]:
    """Interpret one SAE.

    Args:
        interpretation: {"units": cards per kind, "examples": per card, "tokens": read of each of the two splits}.
    Returns: contents of interpretation.json, contexts.json and contexts.npz.
    Raises: ArtefactError for files that do not belong together.
    """
    subject = subject_from(model_folder, sae_folder, device)
    tokenizer = load_tokenizer(tokenizer_path)
    streams = {split: load_tokens(tokens_folder, split) for split in ("train", "validation", "test")}
    halves = {}
    for split in ("validation", "test"):
        seed_of_split = derive_seed(seed, "interpretation windows", split)
        stream = streams[split]
        # in the order of the stream, so that what is read lies together on disk
        starts = np.sort(windows(stream, subject.context, interpretation["tokens"], seed_of_split))
        halves[split] = Text(stream, starts)
    labels = contexts.Halves(*(kept_labels(subject, text.stream, text.starts) for text in halves.values()))
    shuffled = labels.permuted(derive_seed(seed, "shuffled labels"))

    job.say(f"validation: {len(labels.validation):,} tokens, every latent and neuron against every label")
    latent, neuron, latent_shuffled = correlations(
        subject, halves["validation"], labels.validation, shuffled.validation
    )
    both = np.bincount(labels.validation, minlength=N_LABELS) * np.bincount(labels.test, minlength=N_LABELS) > 0
    names = [name for number, name in enumerate(corpus.LABELS) if number > 0 and both[number]]

    def best(sums: contexts.LabelSums) -> dict[str, int]:
        r = sums.pearson()
        return {name: int(r[:, corpus.LABELS.index(name)].argmax()) for name in names}

    latent_best, neuron_best, shuffled_best = best(latent), best(neuron), best(latent_shuffled)
    live_latents = sample_live(latent.fired, SUMMARY_UNITS, derive_seed(seed, "latents"))
    live_neurons = sample_live(neuron.fired, SUMMARY_UNITS, derive_seed(seed, "neurons"))
    unchosen = np.where(np.isin(np.arange(len(latent.fired)), list(latent_best.values())), 0, latent.fired)
    random_latent = sample_live(unchosen, 1, derive_seed(seed, "random latent"))
    wanted_latents = np.unique([*latent_best.values(), *shuffled_best.values(), *random_latent]).astype(np.int64)
    wanted_neurons = np.unique([*neuron_best.values()]).astype(np.int64)

    job.say("validation: thresholds of the chosen units")
    on_validation = read_columns(subject, halves["validation"], wanted_latents, wanted_neurons)
    job.say(f"test: {len(labels.test):,} tokens")
    vocab = subject.model.config.vocab_size
    tallies = {
        "latents": examples.UnitTally.empty(live_latents, vocab),
        "neurons": examples.UnitTally.empty(live_neurons, vocab),
    }

    def tally_block(block: Block) -> None:
        where = (block.kept, block.tokens, block.starts)
        tallies["latents"].add(block.latent_columns(live_latents, subject.sae.d_sae), *where)
        tallies["neurons"].add(block.neuron_columns(live_neurons), *where)

    on_test = read_columns(subject, halves["test"], wanted_latents, wanted_neurons, also=tally_block)

    def columns(chosen: dict[str, int], kind: int, wanted: np.ndarray) -> dict[str, contexts.Column]:
        places = {name: int(np.searchsorted(wanted, index)) for name, index in chosen.items()}
        return {
            name: contexts.Column(chosen[name], on_validation[kind][:, place], on_test[kind][:, place])
            for name, place in places.items()
        }

    latent_columns, neuron_columns = columns(latent_best, 0, wanted_latents), columns(neuron_best, 1, wanted_neurons)
    scored = {}
    if names:
        scored = contexts.score_contexts(
            corpus.LABELS,
            labels,
            shuffled,
            latent_columns,
            neuron_columns,
            columns(shuffled_best, 0, wanted_latents),
            columns({"": int(random_latent[0])}, 0, wanted_latents)[""] if len(random_latent) else None,
        )
    histograms = {
        f"{name}.{kind}.{part}": array
        for kind, chosen in (("latent", latent_columns), ("neuron", neuron_columns))
        for name, column in chosen.items()
        for part, array in contexts.histogram(column.test, labels.test, N_LABELS).items()
    }
    identity = {"model": model_folder.name, "site": subject.site.name, "run": sae_folder.name}
    n_tokens = {"validation": len(labels.validation), "test": len(labels.test)}
    test = halves["test"].stream
    read = test.tokens[halves["test"].starts[:, None] + np.arange(subject.context)]
    occurrences = np.bincount(read.ravel(), minlength=vocab)
    usual = np.bincount(streams["train"].tokens, minlength=vocab) >= RAREST
    if not usual.any():
        raise artefacts.ArtefactError(
            f"{tokens_folder}: no token occurs {RAREST} times in the train split; give more text"
        )
    usual[test.eos_token_id] = False

    def decode(token: int) -> str:
        return tokenizer.decode([int(token)], skip_special_tokens=False)

    card_lists = {
        kind: cards(
            subject, halves["test"], tally, interpretation["units"], interpretation["examples"], kind, decode,
            occurrences, usual, n_tokens["test"],
        )
        for kind, tally in tallies.items()
    }  # fmt: skip
    live = {"latents": int((latent.fired > 0).sum()), "neurons": int((neuron.fired > 0).sum())}
    interpreted = {
        **identity,
        "n_tokens": n_tokens,
        "conventions": examples.CONVENTIONS,
        "logit_weights": reason_unavailable(subject.site),
        "summary": {
            kind: examples.summary(tally, test.tokens, live[kind], n_tokens["test"]) for kind, tally in tallies.items()
        },
        **card_lists,
    }
    for name, result in scored.items():
        f1 = {unit: result[unit]["test"]["f1"] or 0.0 for unit in ("latent", "neuron")}
        job.say(f"{name}: F1 {f1['latent']:.2f} of the best latent, {f1['neuron']:.2f} of the best neuron")
    return (
        interpreted,
        {**identity, "conventions": contexts.CONVENTIONS, "n_tokens": n_tokens, "contexts": scored},
        histograms,
    )
