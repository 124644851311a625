"""Case studies: for every context the best latent, beside the best neuron, controls, and what the token alone tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Integer
from tokenizers import Tokenizer

from scripts.monosem.core import job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.cases import scores
from scripts.monosem.evaluation.cases.document import Case, CaseStudies, UnseenText
from scripts.monosem.evaluation.cases.subjects import (
    Chosen,
    Labelled,
    best_latents,
    best_neurons,
    kept_places,
    random_dictionary,
    read_chosen,
    read_validation,
)
from scripts.monosem.evaluation.documents import Estimate
from scripts.monosem.evaluation.features import proxy as proxies
from scripts.monosem.evaluation.latents.contexts import predicted_at
from scripts.monosem.evaluation.latents.document import SplitCounts
from scripts.monosem.evaluation.latents.unit_activations import Subject, Text, open_subject
from scripts.monosem.metrics.bootstrap import document_weights
from scripts.monosem.metrics.classification import best_threshold
from scripts.monosem.text import corpus, docstrings, natural_contexts, natural_rules, tokens, unseen
from scripts.monosem.text.bpe import load_tokenizer
from scripts.monosem.text.tokens import TokenStream, load_tokens, windows

LOOKUP_TOKENS = 3_000_000
"""Of the train split, from its start, whose order is random."""
FEWEST_DOCUMENTS = 5
"""Documents of either split that must hold a context; an interval over fewer means nothing."""
UNSEEN_DOCUMENTS = 24
"""Of each text that is not of the corpus."""

CONVENTIONS = {
    "choice": "highest Pearson correlation of activation and label on the validation split; so the threshold of "
    "highest F1",
    "lookup": "P(context | token), counted on the train split, as if it were an activation; on the same test tokens",
    "random_dictionary": "best of as many random unit directions, as many active per token as in the autoencoder",
    "permuted_model": "best latent of the autoencoder that was trained on the model with permuted weights",
    "interval": "95 %, percentiles over resampled documents of the test split; n: documents that hold the context",
    "proxy": "Bricken et al. 2023: log P(s | context) / P(s), largest over stretches s that end at the token, not "
    "below 0; DNA: its sign",
    "unseen": "share of the tokens of a script (with a byte above 127), or of certificates, above the threshold",
}


@dataclass(frozen=True)
class Lookup:
    """The probability of every context given a token alone."""

    probability: Float[np.ndarray, "vocab contexts"]
    """P(context | token)."""
    count: Integer[np.ndarray, " vocab"]
    """Occurrences in the text counted."""
    inside: Integer[np.ndarray, "vocab contexts"]
    """Occurrences in context."""


NAMES = (*natural_rules.CONTEXTS, *corpus.LABELS[1:])
"""Every context, in the order of the label columns."""


def kind_of(label: Bool[np.ndarray, " n"], document: Integer[np.ndarray, " n"], stream: TokenStream) -> str:
    """In words, whether the tokens of a context are in documents that the project wrote, in others, or in both."""
    natural = stream.natural[np.unique(document[label])]
    return "natural" if natural.all() else "natural and planted" if natural.any() else "planted"


def labels_of(stream: TokenStream, pieces: list[bytes], n_documents: int) -> Bool[np.ndarray, "token contexts"]:
    """Contexts of the tokens of the first documents: natural by rule, planted as stored."""
    natural = natural_contexts.label(stream, pieces, n_documents)
    stored = np.asarray(stream.labels[: len(natural)])
    return np.concatenate([natural, stored[:, None] == np.arange(1, len(corpus.LABELS))], axis=1)


def lookup_of(train: TokenStream, pieces: list[bytes]) -> Lookup:
    """Frequencies of contexts by token; a token that does not occur has those of all text."""
    n_documents = max(1, int(np.searchsorted(train.documents, LOOKUP_TOKENS, side="right")) - 1)
    labels = labels_of(train, pieces, n_documents)
    read, vocab = np.asarray(train.tokens[: len(labels)]), len(pieces)
    count = np.bincount(read, minlength=vocab)
    inside = np.stack([np.bincount(read[column], minlength=vocab) for column in labels.T], axis=1)
    return Lookup((inside + inside.sum(0) / count.sum()) / (count + 1)[:, None], count, inside)


def labelled_text(subject: Subject, stream: TokenStream, pieces: list[bytes], n_tokens: int, seed: int) -> Labelled:
    """Windows of a split, all where `n_tokens` are as many as it has, with the contexts of what is read."""
    text = Text(stream, np.sort(windows(stream, subject.context, n_tokens, seed)))
    place = kept_places(subject, text)
    return Labelled(text, place, labels_of(stream, pieces, len(stream.characters))[place])


def document_of(stream: TokenStream, place: Integer[np.ndarray, " n"]) -> Integer[np.ndarray, " n"]:
    """Document of each token."""
    return np.searchsorted(stream.documents, place, side="right") - 1


def occurring(validation: Labelled, test: Labelled) -> Integer[np.ndarray, " contexts"]:
    """Contexts that enough documents of both splits hold."""

    def n_documents(part: Labelled) -> np.ndarray:
        document = document_of(part.text.stream, part.place)
        return np.array([len(np.unique(document[column])) for column in part.labels.T])

    return np.flatnonzero(np.minimum(n_documents(validation), n_documents(test)) >= FEWEST_DOCUMENTS)


def choose(subject: Subject, control: Subject | None, validation: Labelled, seed: int) -> dict[str, Chosen]:
    """The best units of every kind, one per context."""
    job.say(f"validation: {len(validation.place):,} tokens")
    codes, neuron_sums = read_validation(subject, validation)
    chosen = {
        "latent": best_latents(subject, codes, validation),
        "neuron": best_neurons(subject, neuron_sums, validation),
    }
    k = min(max(1, round(codes.nnz / codes.shape[0])), subject.sae.d_sae)
    random = random_dictionary(subject, neuron_sums.total / neuron_sums.n, k, seed)
    chosen["random_dictionary"] = best_latents(random, read_validation(random, validation)[0], validation)
    if control is not None:
        chosen["permuted_model"] = best_latents(control, read_validation(control, validation)[0], validation)
    return chosen


def reported_as(gain: Estimate) -> str:
    """A context feature tells more than the token; what the lookup reaches is a token feature."""
    if gain.low is None or gain.high is None:
        return "undecided"
    return "context feature" if gain.low > 0 else "token feature" if gain.high < 0 else "undecided"


def stream_of(tokenizer: Tokenizer, texts: Sequence[str], like: TokenStream) -> TokenStream:
    """Tokens of texts of other sources, packed as a split is."""
    documents = [corpus.Document("unseen", "test", text) for text in texts]
    ids = [encoded.ids for encoded in tokens.encode_documents(tokenizer, documents)]
    packed = np.array([token for row in ids for token in (like.eos_token_id, *row)], like.tokens.dtype)
    return TokenStream(
        tokens=packed,
        labels=np.zeros(len(packed), np.uint8),
        documents=np.cumsum([0, *(len(row) + 1 for row in ids)]),
        characters=np.array([len(text) for text in texts], np.int32),
        natural=np.ones(len(texts), bool),
        eos_token_id=like.eos_token_id,
        vocab_size=like.vocab_size,
    )


def unseen_text(
    name: str, texts: Sequence[str], tokenizer: Tokenizer, pieces: list[bytes], like: TokenStream,
    chosen: Mapping[str, Chosen], lookup: Float[np.ndarray, "vocab contexts"],
    lookup_thresholds: Sequence[float | None], contexts: Sequence[str], resamplings: int, seed: int,
) -> UnseenText | None:  # fmt: skip
    """On how many tokens of a text of another source the units of contexts fire; None if it fills no window."""
    stream = stream_of(tokenizer, texts[:UNSEEN_DOCUMENTS], like)
    subject = chosen["latent"].subject
    if len(stream.tokens) < subject.context:
        return None
    text = Text(stream, windows(stream, subject.context))
    place = kept_places(subject, text)
    read = np.asarray(stream.tokens)[place]
    in_script = np.array([name == "base64" or any(byte > 127 for byte in piece) for piece in pieces])[read]
    weights = document_weights(len(stream.characters), resamplings, derive_seed(seed, "unseen documents", name))
    truth = scores.Truth(in_script, np.zeros(len(read)), None, document_of(stream, place), weights)
    columns, firing = read_chosen(dict(chosen), text), {}
    for number, context in enumerate(contexts):
        fires = {kind: predicted_at(chosen[kind].thresholds[number], columns[kind][:, number]) for kind in chosen}
        fires["lookup"] = predicted_at(lookup_thresholds[number], lookup[read, number])
        firing[context] = {kind: truth.share(where, in_script) for kind, where in fires.items()}
    n_characters = int(stream.characters.sum())
    return UnseenText(int(in_script.sum()), truth.n_documents, n_characters / max(1, len(stream.tokens)), firing)


def study(
    model_folder: Path,
    sae_folder: Path,
    control: tuple[Path, Path] | None,
    tokens_folder: Path,
    tokenizer_path: Path,
    n_tokens: int,
    resamplings: int,
    seed: int,
    device: str,
) -> CaseStudies:
    """Contents of cases.json.

    Args:
        control: folders of the permuted model and of its autoencoder.
        n_tokens: of the test split at most, and a third as many of validation.
    Raises: ArtefactError for files that do not belong together, or a tokenizer that is not byte-level.
    """  # fmt: skip
    subject = open_subject(model_folder, sae_folder, device)
    permuted = open_subject(*control, device) if control else None
    tokenizer = load_tokenizer(tokenizer_path)
    pieces = natural_contexts.token_bytes(tokenizer)
    streams = {split: load_tokens(tokens_folder, split) for split in corpus.SPLITS}
    validation, test = (
        labelled_text(subject, streams[split], pieces, wanted, derive_seed(seed, "case studies", split))
        for split, wanted in (("validation", max(1, n_tokens // 3)), ("test", n_tokens))
    )
    columns = occurring(validation, test)
    contexts = [NAMES[column] for column in columns]
    validation = Labelled(validation.text, validation.place, validation.labels[:, columns])
    test = Labelled(test.text, test.place, test.labels[:, columns])
    counted = lookup_of(streams["train"], pieces)
    lookup = counted.probability[:, columns]
    identity = {
        "model": model_folder.name, "site": subject.site.name, "run": sae_folder.name,
        "n_tokens": SplitCounts(len(validation.place), len(test.place)),
        "n_lookup_tokens": int(counted.count.sum()), "conventions": CONVENTIONS,
        "sources": docstrings.versions(list(unseen.PACKAGES), False),
    }  # fmt: skip
    if not contexts:
        job.say(f"no context is in {FEWEST_DOCUMENTS} documents of validation and test: no case studies")
        return CaseStudies(**identity, cases={}, unseen={}, other_text={})
    chosen = choose(subject, permuted, validation, seed)
    job.say(f"test: {len(test.place):,} tokens")
    read = read_chosen(chosen, test.text)
    on_validation, on_test = (lookup[np.asarray(part.text.stream.tokens)[part.place]] for part in (validation, test))
    lookup_thresholds = [best_threshold(on_validation[:, n], validation.labels[:, n]) for n in range(len(contexts))]
    stream = test.text.stream
    document = document_of(stream, test.place)
    weights = document_weights(len(stream.characters), resamplings, derive_seed(seed, "case documents"))
    window = np.searchsorted(test.text.starts, test.place, side="right")
    starts = np.flatnonzero(np.append(True, document[1:] != document[:-1]))
    texts_of_tokens = [piece.decode("utf-8", "replace") for piece in pieces]
    cases, other_text = {}, {}
    for number, context in enumerate(contexts):
        label, proxy = test.labels[:, number], None
        if context in (*proxies.ALPHABETS, *proxies.SCRIPTS):
            ratios = proxies.token_ratios(texts_of_tokens, context, counted.count, counted.inside[:, columns[number]])
            proxy = np.maximum(proxies.proxy(ratios[np.asarray(stream.tokens)[test.place]], starts, context), 0)
            proxy = (proxy > 0).astype(np.float64) if context in proxies.TWO_TOKENS else proxy
        truth = scores.Truth(label, on_test[:, number], proxy, document, weights)
        units = {
            kind: scores.score(truth, int(best.index[number]), read[kind][:, number], best.thresholds[number])
            for kind, best in chosen.items()
        }
        units["lookup"] = scores.score(truth, None, on_test[:, number], lookup_thresholds[number])
        kind = kind_of(label, document, stream)
        cases[context] = Case(
            kind=kind,
            what=natural_rules.DESCRIPTIONS.get(context, f"{kind} {context}"),
            n_tokens=SplitCounts(int(validation.labels[:, number].sum()), int(label.sum())),
            n_windows=len(np.unique(window[label])),
            n_documents=truth.n_documents,
            share_of_tokens=float(label.mean()),
            reported_as=reported_as(units["latent"].gain),
            proxy_label=None if proxy is None else truth.estimate(truth.correlation(proxy, label)),
            subjects=units,
        )
        fires = {kind: predicted_at(best.thresholds[number], read[kind][:, number]) for kind, best in chosen.items()}
        fires["lookup"] = predicted_at(lookup_thresholds[number], on_test[:, number])
        other_text[context] = {kind: truth.share(where, ~label) for kind, where in fires.items()}
        latent = units["latent"]
        job.say(
            f"{context}: {latent.pearson.value:.2f} of latent {latent.index}, "
            f"{units['lookup'].pearson.value:.2f} of the token alone: {cases[context].reported_as}"
        )
    foreign = {
        name: unseen_text(
            name, texts, tokenizer, pieces, stream, chosen, lookup, lookup_thresholds, contexts, resamplings, seed
        )
        for name, texts in unseen.texts().items()
    }  # fmt: skip
    read_texts = {name: text for name, text in foreign.items() if text is not None}
    return CaseStudies(**identity, cases=cases, unseen=read_texts, other_text=other_text)
