"""Everything that the page of a feature shows (Bricken et al. 2023, the case studies): one latent of an autoencoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer
from scipy import sparse
from tokenizers import Tokenizer

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.features import proxy
from scripts.monosem.evaluation.features.document import AblatedExample, Feature, Features, PinnedSamples
from scripts.monosem.evaluation.interventions import pin
from scripts.monosem.evaluation.latents import stored_codes
from scripts.monosem.evaluation.latents.examples import excerpt
from scripts.monosem.evaluation.latents.logit_weights import logit_weights, reason_unavailable
from scripts.monosem.evaluation.latents.text_rows import Text, read_rows
from scripts.monosem.evaluation.latents.unit_activations import Subject, open_subject
from scripts.monosem.metrics import correlation
from scripts.monosem.sae.model import silenced
from scripts.monosem.text import corpus, natural_contexts, natural_rules
from scripts.monosem.text.bpe import load_tokenizer
from scripts.monosem.text.tokens import load_tokens

BINS = 24
COUNTED = 500_000
"""Tokens of training text by which tokens are in a context of natural text, from its start, whose order is random."""
RAREST = 10
"""Occurrences in training text below which a token has no logit weight."""
EXAMPLES = 6
"""Windows shown, at most one per document."""
REACH = 12
"""Tokens of an example on either side of its peak."""
PROMPT = "1,2,3,4,5,6,7,8,9,10"
"""The paper's prefix."""
SAMPLES = 4
SAMPLE_TOKENS = 40
SCATTERED = 1200
"""Tokens of a scatter at most."""
LARGE = 0.1
"""Coefficient of a neuron in a dictionary vector, as the paper counts them."""

CONVENTIONS = {
    "histograms": "test tokens on which the unit is above 0; expected value: the same, weighted by the activation",
    "proxy": "log P(text | context) / P(text), largest over stretches that end at the token (proxy.py)",
    "labels": "kinds of tokens in the histograms: natural text, planted contexts, and the page's own",
    "in_context": "tokens most of whose occurrences in training text are labelled with the context",
    "effects": "log-likelihood of each token, minus that with f(x) d taken from the activations at every token",
    "samples": "the latent pinned to its largest activation at every token behind the first; temperature 1",
    "neuron": "of highest Pearson correlation with the latent on validation",
}


@dataclass(frozen=True)
class NaturalText:
    """Tokens in the contexts that rules find in natural text."""

    test: Bool[np.ndarray, "n contexts"]
    """Of the test rows."""
    inside: Integer[np.ndarray, "vocab contexts"]
    """Occurrences in each context, in the training text that was counted."""
    counts: Integer[np.ndarray, " vocab"]
    """All occurrences there."""

    @classmethod
    def of(cls, text: Text, tokenizer: Tokenizer) -> "NaturalText":
        """Label the text. Raises: ArtefactError for a tokenizer that is not byte-level."""
        pieces, test, train = natural_contexts.token_bytes(tokenizer), text.splits["test"], text.train
        labels = natural_contexts.label(test, pieces, len(test.characters))[text.codes.splits["test"].places]
        n_documents = max(1, int(np.searchsorted(train.documents, COUNTED, side="right")) - 1)
        counted = natural_contexts.label(train, pieces, n_documents)
        tokens, vocab = np.asarray(train.tokens[: len(counted)]), len(pieces)
        inside = np.stack([np.bincount(tokens[column], minlength=vocab) for column in counted.T], axis=1)
        return cls(labels, inside, np.bincount(tokens, minlength=vocab))


@dataclass(frozen=True)
class Kinds:
    """Kinds of tokens that a page tells apart, and the tokens of its context."""

    names: tuple[str, ...]
    of_rows: Integer[np.ndarray, " n"]
    """Of the test rows: an index into `names`."""
    inside: Bool[np.ndarray, " vocab"]
    """Tokens most of whose occurrences are in the context."""


@dataclass(frozen=True)
class Material:
    """Model, text and activations, which the pages of all latents share."""

    subject: Subject
    tokenizer: Tokenizer
    text: Text
    codes: dict[str, sparse.csc_matrix]
    """Latents by split."""
    x: dict[str, Float[np.ndarray, "n d"]]
    """Activations of the site by split."""
    tokens: Integer[np.ndarray, " n"]
    """Of the test rows."""
    labels: Integer[np.ndarray, " n"]
    """Of the test rows."""
    counts: Integer[np.ndarray, "labels vocab"]
    """Occurrences in training text by label."""
    natural: NaturalText | None
    """None where no page is of a context of natural text."""

    @property
    def usual(self) -> Bool[np.ndarray, " vocab"]:
        """Tokens frequent enough in training text."""
        usual = self.counts.sum(0) >= RAREST
        usual[self.text.train.eos_token_id] = False
        return usual

    def kinds(self, context: str | None) -> Kinds:
        """Kinds of tokens for the page of a context; None for a latent that the configuration names."""
        if context in natural_rules.CONTEXTS:
            column = natural_rules.CONTEXTS.index(context)
            labels = np.where(self.natural.test[:, column], len(corpus.LABELS), self.labels)
            inside = self.natural.inside[:, column] > 0.5 * np.maximum(self.natural.counts, 1)
            return Kinds((*corpus.LABELS, context), labels, inside)
        if context is None:
            return Kinds(corpus.LABELS, self.labels, np.zeros(self.counts.shape[1], bool))
        labelled = self.counts[corpus.LABELS.index(context)]
        return Kinds(corpus.LABELS, self.labels, labelled > 0.5 * np.maximum(self.counts.sum(0), 1))

    def proxy(self, context: str | None) -> Float[np.ndarray, " n"] | None:
        """The paper's proxy of the test rows; None for a context that has none."""
        if context not in (*proxy.ALPHABETS, *proxy.SCRIPTS):
            return None
        texts = [self.tokenizer.decode([token], skip_special_tokens=False) for token in range(self.counts.shape[1])]
        labelled = self.counts[corpus.LABELS.index(context)]
        ratios = proxy.token_ratios(texts, context, self.counts.sum(0), labelled)
        first = np.flatnonzero(np.diff(self.text.codes.splits["test"].places, prepend=-2) != 1)
        return proxy.proxy(ratios[self.tokens], first, context)

    def column(self, split: str, latent: int) -> Float[np.ndarray, " n"]:
        """A latent's activations, dense."""
        return self.codes[split][:, [latent]].toarray()[:, 0]


def histograms(
    values: Float[np.ndarray, " n"], groups: Mapping[str, tuple[Integer[np.ndarray, " n"], int]]
) -> dict[str, np.ndarray]:
    """Tokens and their summed activation by bin, where above 0: `edges`, and `counts.{group}`, `mass.{group}`.

    Args:
        groups: per group the number of each token's kind, and how many kinds there are.
    """
    firing = values > 0
    edges = np.linspace(0, max(float(values.max(initial=0)), np.finfo(np.float32).tiny), BINS + 1)
    place = np.minimum(np.searchsorted(edges, values[firing], side="left"), BINS) - 1
    result = {"edges": edges}
    for group, (kinds, n_kinds) in groups.items():
        cell = kinds[firing].astype(np.int64) * BINS + np.maximum(place, 0)
        result[f"counts.{group}"] = np.bincount(cell, minlength=n_kinds * BINS).reshape(n_kinds, BINS)
        mass = np.bincount(cell, values[firing], n_kinds * BINS).astype(np.float64)
        result[f"mass.{group}"] = mass.reshape(n_kinds, BINS)
    return result


def weight_histogram(
    weights: Float[np.ndarray, " vocab"], usual: Bool[np.ndarray, " vocab"], inside: Bool[np.ndarray, " vocab"]
) -> dict[str, np.ndarray]:
    """Usual tokens by logit weight, [outside, inside] the context: `edges`, `counts`."""
    edges = np.histogram_bin_edges(weights[usual], BINS)
    counts = [np.histogram(weights[usual & (inside == part)], edges)[0] for part in (False, True)]
    return {"logits.edges": edges, "logits.counts": np.array(counts)}


def examples(material: Material, latent: int) -> tuple[AblatedExample, ...]:
    """The largest activations, one per document, with the effect of ablating the latent on every token around."""
    stream, rows = material.text.splits["test"], material.text.codes.splits["test"]
    values, starts = material.column("test", latent), material.text.window_starts("test")
    documents = np.searchsorted(stream.documents, rows.places, side="right")
    chosen: dict[int, int] = {}
    for row in np.argsort(-values, kind="stable"):
        if values[row] <= 0 or len(chosen) == EXAMPLES:
            break
        chosen.setdefault(int(documents[row]), int(row))
    if not chosen:
        return ()
    context, picked = material.text.codes.context, list(chosen.values())
    windows = stream.tokens[starts[picked][:, None] + np.arange(context)].astype(np.int64)
    target = pin.Target(material.subject.model, material.subject.site, material.subject.sae)
    tokens = torch.from_numpy(windows).to(material.subject.model.device)
    clean, ablated = (pin.losses(target, tokens, unit).cpu().numpy() for unit in (None, latent))
    effects = np.concatenate([np.zeros((len(windows), 1)), ablated - clean], 1)
    activations = np.zeros(windows.shape)
    for number, row in enumerate(picked):
        here = np.flatnonzero(starts == starts[row])
        activations[number, rows.places[here] - starts[row]] = values[here]
    result = []
    for number, row in enumerate(picked):
        peak = int(rows.places[row] - starts[row])
        part = excerpt(windows[number], peak, stream.eos_token_id, REACH)
        result.append(
            AblatedExample(
                tokens=tuple(
                    material.tokenizer.decode([int(t)], skip_special_tokens=False) for t in windows[number][part]
                ),
                activations=tuple(activations[number, part].tolist()),
                effects=tuple(effects[number, part].tolist()),
                peak=peak - part.start,
            )
        )
    return tuple(result)


def samples(material: Material, latent: int, value: float, seed: int) -> PinnedSamples:
    """Continuations of the prefix with the latent pinned, beside normal ones from the same random numbers."""
    subject, eos = material.subject, material.text.train.eos_token_id
    prompt = pin.encoded_prompt(material.tokenizer, PROMPT, eos, subject.context)
    each = np.arange(SAMPLES)
    pins = pin.Pins(
        unit=np.full(2 * SAMPLES, latent),
        value=np.full(2 * SAMPLES, value),
        active=np.repeat([False, True], SAMPLES),
        stream=np.tile(each, 2),
    )
    n_tokens = min(SAMPLE_TOKENS, subject.context - len(prompt))
    target = pin.Target(subject.model, subject.site, subject.sae)
    ids, _ = pin.sample(target, prompt, pins, n_tokens, seed % 2**32)
    texts = pin.decoded(material.tokenizer, ids)
    return PinnedSamples(PROMPT, value, texts[:SAMPLES], texts[SAMPLES:])


def scattered(
    a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"], labels: Integer[np.ndarray, " n"], seed: int
) -> dict[str, np.ndarray]:
    """Activations of two units on random tokens on which either fires: `scatter.x`, `.y`, `.labels`."""
    rows = np.random.default_rng(seed).permutation(np.flatnonzero((a > 0) | (b > 0)))[:SCATTERED]
    # tokens of the latent are few beside those of a neuron: half of the places are theirs
    firing = np.flatnonzero(a > 0)
    rows = np.union1d(rows[: SCATTERED // 2], np.random.default_rng(seed).permutation(firing)[: SCATTERED // 2])
    return {"scatter.x": a[rows], "scatter.y": b[rows], "scatter.labels": labels[rows]}


def describe_latent(
    material: Material, latent: int, context: str | None, seed: int
) -> tuple[Feature, dict[str, np.ndarray]]:
    """The page of one latent: its numbers, and its arrays by their names in features.npz."""
    validation, values = (material.column(split, latent) for split in ("validation", "test"))
    neuron = int(correlation.pearson_columns(np.maximum(material.x["validation"], 0), validation).argmax())
    neuron_values = np.maximum(material.x["test"][:, neuron], 0)
    usual, kinds, proxies = material.usual, material.kinds(context), material.proxy(context)
    groups = {"label": (kinds.of_rows, len(kinds.names))}
    if proxies is not None:
        groups["proxy"] = (proxy.bin_of(proxies), len(proxy.EDGES) + 1)
    arrays = {f"latent.{name}": array for name, array in histograms(values, groups).items()}
    arrays |= {f"neuron.{name}": array for name, array in histograms(neuron_values, groups).items()}
    arrays |= scattered(values, neuron_values, kinds.of_rows, seed)
    arrays["vector"] = material.subject.sae.W_dec[latent].cpu().numpy()
    logit_pearson, subject = None, material.subject
    if reason_unavailable(subject.site) is None:
        axis = torch.zeros(subject.site.d, device=subject.sae.W_dec.device)
        axis[neuron] = 1.0
        weights = logit_weights(subject.model, subject.site, torch.stack([subject.sae.W_dec[latent], axis]), usual)
        for unit, row in zip(("latent", "neuron"), weights.cpu().numpy(), strict=True):
            arrays |= {f"{unit}.{name}": array for name, array in weight_histogram(row, usual, kinds.inside).items()}
            arrays[f"{unit}.weights"] = row[usual]
        arrays["inside"] = kinds.inside[usual]
        logit_pearson = correlation.pearson(arrays["latent.weights"], arrays["neuron.weights"])
    largest = float(max(validation.max(initial=0), values.max(initial=0)))
    feature = Feature(
        latent=latent,
        context=context,
        labels=kinds.names,
        density=float((values > 0).mean()),
        max_activation=largest,
        proxy_pearson=None if proxies is None else correlation.pearson(values, np.maximum(proxies, 0)),
        neuron=neuron,
        neuron_pearson=correlation.pearson(values, neuron_values),
        logit_pearson=logit_pearson,
        n_large_coefficients=int((np.abs(arrays["vector"]) >= LARGE).sum()),
        examples=examples(material, latent),
        samples=samples(material, latent, largest, seed),
    )
    return feature, arrays


def describe_features(
    model_folder: Path, tokens_folder: Path, tokenizer_path: Path, sae_folder: Path, codes_path: Path,
    contexts: Mapping[str, Any], natural: Mapping[str, int], named: Mapping[str, int], seed: int, device: str,
) -> tuple[Features, dict[str, np.ndarray]]:  # fmt: skip
    """Describe the best latents of planted contexts and of natural ones, and those that the configuration names.

    Args:
        contexts: of contexts.json; empty for an autoencoder that is not interpreted.
        natural: context of natural text -> its best latent, of cases.json.
        named: name of a page -> latent.
    Returns: contents of features.json, and of features.npz (`{page}.{array}`).
    Raises: ArtefactError for files that do not belong together, or a latent that the autoencoder does not have.
    """
    subject, codes = open_subject(model_folder, sae_folder, device), stored_codes.load(codes_path)
    splits = {split: load_tokens(tokens_folder, split) for split in stored_codes.SPLITS}
    train = load_tokens(tokens_folder, "train")
    text = Text(train, splits, codes, subject.drop_first_position)
    vocab = subject.model.config.vocab_size
    tokenizer = load_tokenizer(tokenizer_path)
    cell = np.asarray(train.labels).astype(np.int64) * vocab + np.asarray(train.tokens)
    counts = np.bincount(cell, minlength=len(corpus.LABELS) * vocab).reshape(len(corpus.LABELS), vocab)
    material = Material(
        subject=subject,
        tokenizer=tokenizer,
        text=text,
        codes={split: codes.matrix(split).tocsc() for split in splits},
        x={
            split: silenced(subject.sae, torch.from_numpy(read_rows(subject.model, subject.site, text, split))).numpy()
            for split in splits
        },
        tokens=text.tokens("test"),
        labels=text.labels("test"),
        counts=counts,
        natural=NaturalText.of(text, tokenizer) if natural else None,
    )
    pages = {name: (row["latent"]["index"], name) for name, row in contexts.items()}
    pages |= {name: (latent, name) for name, latent in natural.items()}
    pages |= {name: (latent, None) for name, latent in named.items()}
    features, arrays = {}, {}
    for name, (latent, context) in pages.items():
        if latent >= codes.d_sae:
            raise artefacts.ArtefactError(
                f"interpretation.named.{name}: expected a latent below {codes.d_sae}, the d_sae of {sae_folder.name}, "
                f"found {latent}"
            )
        job.say(f"{name}: latent {latent}")
        features[name], made = describe_latent(material, latent, context, derive_seed(seed, "feature", name))
        arrays |= {f"{name}.{key}": array for key, array in made.items()}
    described = Features(
        model=model_folder.name,
        site=subject.site.name,
        run=sae_folder.name,
        n_tokens=len(material.tokens),
        conventions=CONVENTIONS,
        features=features,
    )
    return described, arrays
