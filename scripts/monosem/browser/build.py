"""The files of the page: a model and its autoencoders packed, and every latent's statistics, examples and relatives."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from tokenizers import Tokenizer
from torch import Tensor, nn

from scripts.monosem.browser import modules, moods, pack, readings, relations, units
from scripts.monosem.browser.document import DictionaryEntry, Manifest, ModelEntry, Related, TextEntry
from scripts.monosem.browser.names import BUDGET, file_of_dictionary, file_of_model, file_of_text, text_of
from scripts.monosem.core import artefacts, job
from scripts.monosem.evaluation.documents import from_json, to_json
from scripts.monosem.evaluation.interventions import pin
from scripts.monosem.evaluation.latents.interpret import RAREST
from scripts.monosem.evaluation.latents.logit_weights import logit_weights, reason_unavailable
from scripts.monosem.evaluation.prompts.document import PromptSets
from scripts.monosem.evaluation.scores.document import Explanations, Scores
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.models.model_folder import weights_sha256
from scripts.monosem.models.sites import Site
from scripts.monosem.sae.model import Sae, open_sae
from scripts.monosem.text import corpus
from scripts.monosem.text.bpe import load_tokenizer
from scripts.monosem.text.tokens import TokenStream, load_tokens

NEAREST, RELATED = 6, 4
LISTED_WEIGHTS = 10
CONVENTIONS = {
    "Activations": "density is the share of tokens with activation > 0; effective tokens is exp of the entropy of the "
    "activation summed per token; a token is listed by its mean activation over all its occurrences",
    "Examples": f"the {units.TOP} windows with the largest activation, one example each, then random ones from each "
    "fifth of the range; a token's colour is its share of the latent's largest activation",
    "Logit weights": "direction W_down, mean removed, gain of the last norm, unembedding; the median over tokens that "
    f"occur {RAREST} times in the training text is 0",
    "Pinned": "x + (value − f) · direction at every position but the first",
    "Match": "the latent of the other model with the largest correlation of activations on one half of the text; the "
    "correlation that is shown is of the other half",
    "Parents and children": "largest cosines of decoder directions with a narrower and a wider dictionary of the site",
    "Precision": "the model is in float16 here, the matrices of the autoencoders in 8 bits with a scale per latent; "
    "examples and their activations were computed in float32",
    "Scores": "of the random units that were scored, on held-out random tokens; the other columns are means over the "
    "units of each population. All of them, with intervals and definitions, are in the report",
}


@dataclass(frozen=True)
class Source:
    """One autoencoder, by the folders of what was made of it."""

    model: Path
    tokens: Path
    sae: Path
    read: Path
    """codes.npz of one that runs in the page, else the manifest of the stored activations."""
    explanations: Path | None = None
    """explanations.json, with scores.json beside it, of one whose units are scored."""
    prompts: Path | None = None
    """prompts.json of one that reads sets of prompts."""
    features: Path | None = None
    """features.json of one whose latents have pages of their own."""

    @property
    def site(self) -> str:
        """Name of its site."""
        return self.sae.parent.name

    @property
    def text(self) -> str:
        """Name of the text that its examples are from."""
        return text_of(self.tokens.name, self.model.name, self.site, self.runs)

    @property
    def runs(self) -> bool:
        """True if model and autoencoder run in the page."""
        return self.read.name == "codes.npz"


@dataclass(frozen=True)
class Opened:
    """One autoencoder, read."""

    source: Source
    sae: Sae
    reading: units.Reading


@dataclass(frozen=True)
class File:
    """A file of the page."""

    name: str
    arrays: dict[str, np.ndarray]
    document: dict[str, Any]


def open_source(source: Source, model: nn.Module, n_tokens: int, seed: int) -> Opened:
    """Open an autoencoder and what it reads; `n_tokens` where that is stored activations."""
    site = sites.resolve(model, source.site)
    sae = open_sae(source.sae, site.name, site.d, "cpu", weights_sha256(source.model))
    if source.runs:
        reading = readings.of_codes(source.read, load_tokens(source.tokens, readings.SPLIT))
    else:
        stream = load_tokens(source.tokens, "train")
        reading = readings.of_stored_activations(source.read.parent, sae, stream, n_tokens, seed)
    job.say(f"{source.model.name} {source.sae.name}: {len(reading.places):,} tokens")
    return Opened(source, sae, reading)


def text_file(opened: Opened, tokenizer: Tokenizer, stream: TokenStream) -> tuple[TextEntry, File]:
    """The tokenizer of some models, and the windows from which their examples are shown."""
    reading, source = opened.reading, opened.source
    if source.runs:
        document = pack.tokenizer_document(tokenizer)
    else:  # any kind of tokenizer: the page shows its tokens, but does not split text
        texts = [tokenizer.decode([token], skip_special_tokens=False) for token in range(stream.vocab_size)]
        document = {"vocabulary": texts, "merges": [], "special": list(range(len(texts)))}
    usual = readings.usual_tokens(load_tokens(source.tokens, "train"), RAREST)
    small = np.uint16 if stream.vocab_size <= 2**16 else np.uint32
    arrays = {"tokens": reading.tokens.astype(small), "usual": usual.astype(np.uint32)}
    counts = np.bincount(reading.labels.ravel()[reading.places], minlength=len(corpus.LABELS))
    entry = TextEntry(
        name=source.text,
        file=file_of_text(source.text),
        context=reading.tokens.shape[1],
        split=readings.SPLIT if source.runs else "train",
        n_tokens=len(reading.places),
        eos=stream.eos_token_id,
        labels=corpus.LABELS,
        label_counts=tuple(counts.tolist()),
    )
    return entry, File(entry.file, arrays, document)


def model_file(source: Source, model: nn.Module) -> tuple[ModelEntry, File | None]:
    """A model's entry, and its weights where it runs in the page."""
    config = model.config.to_dict()
    shape = ("n_layer", "num_hidden_layers"), ("n_embd", "hidden_size"), ("vocab_size",)
    layers, width, vocab = (next(config[key] for key in keys if key in config) for keys in shape)
    blocks = "1 block" if layers == 1 else f"{layers} blocks"
    summary = f"{config.get('model_type')}, {blocks}, width {width}, {vocab:,} tokens"
    name, runs = source.model.name, source.runs
    entry = ModelEntry(name, file_of_model(name) if runs else None, summary)
    return entry, File(entry.file, pack.model_arrays(model), config) if runs else None


def weight_ends(
    model: nn.Module, site: Site, directions: Float[Tensor, "n d"], usual: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """The tokens at either end of each direction's logit weights, and the weights, for a model that does not run."""
    if reason_unavailable(site):
        return
    mask = np.zeros(model.config.to_dict()["vocab_size"], bool)
    mask[usual] = True
    ends: dict[str, list[np.ndarray]] = {"raises": [], "raises_weights": [], "lowers": [], "lowers_weights": []}
    for start in range(0, len(directions), 256):
        weights = logit_weights(model, site, directions[start : start + 256], mask)
        for name, sign in (("raises", 1), ("lowers", -1)):
            shown = (sign * weights).masked_fill(~torch.from_numpy(mask), -torch.inf).topk(LISTED_WEIGHTS, dim=1)
            ends[name].append(shown.indices.numpy().astype(np.uint32))
            ends[f"{name}_weights"].append((sign * shown.values).numpy().astype(np.float32))
    yield from ((name, np.concatenate(parts)) for name, parts in ends.items())


def related(opened: Opened, others: Sequence[Opened]) -> Iterator[tuple[Related, dict[str, np.ndarray]]]:
    """Partners of an autoencoder's latents in others: other widths at its site, and other models on the same text."""
    here = opened.source
    for number, other in enumerate(others):
        there = other.source
        place = there.model.name, there.site, there.sae.name
        name = f"related_{number}"
        if there.site != here.site or other is opened:
            continue
        if there.model == here.model and other.sae.d_sae != opened.sae.d_sae:
            index, cosine = relations.nearest(opened.sae.W_dec, other.sae.W_dec, RELATED, same=False)
            kind = "wider" if other.sae.d_sae > opened.sae.d_sae else "narrower"
            yield Related(*place, name, kind), {f"{name}_index": index, f"{name}_value": cosine}
        if there.model != here.model and readings.same_text(opened.reading, other.reading):
            index, r = relations.best_matches(opened.reading.activations, other.reading.activations)
            arrays = {f"{name}_index": index[:, None], f"{name}_value": r[:, None]}
            yield Related(*place, name, "seed"), arrays


def scores_of(source: Source, population: str) -> dict[str, Any] | None:
    """The explained units of a population by number, and the mean score of each population; None if none is scored."""
    if source.explanations is None:
        return None
    explained = from_json(Explanations, artefacts.read_json(source.explanations)).populations[population]
    scores = from_json(Scores, artefacts.read_json(source.explanations.with_name("scores.json"))).populations
    return {
        "units": {str(unit.index): to_json(unit) for unit in explained},
        "populations": {
            name: {score: estimate.value for score, estimate in each.raw.scores.items()}
            for name, each in scores.items()
        },
    }


def moods_of(opened: Opened, model: nn.Module, largest: np.ndarray, seed: int) -> moods.Moods:
    """Latents of the sets of prompts, with samples."""
    source, sae = opened.source, opened.sae
    tokenizer, eos = load_tokenizer(source.model / "tokenizer.json"), load_tokens(source.tokens, "train").eos_token_id
    target, context = pin.Target(model, sites.resolve(model, source.site), sae), opened.reading.tokens.shape[1]
    prompts = from_json(PromptSets, artefacts.read_json(source.prompts))
    return moods.moods_of(target, tokenizer, eos, context, prompts, largest, seed)


def pages_of(source: Source) -> dict[str, int]:
    """Name of a latent's own page -> that latent."""
    features = artefacts.read_json(source.features)["features"] if source.features else {}
    return {name: feature["latent"] for name, feature in features.items()}


def dictionary_file(
    opened: Opened, others: Sequence[Opened], model: nn.Module, seed: int
) -> tuple[DictionaryEntry, File]:
    """An autoencoder's entry, and its file: tables of its latents, and weights where it runs in the page."""
    source, sae, reading = opened.source, opened.sae, opened.reading
    site = sites.resolve(model, source.site)
    arrays = units.tables(reading, len(corpus.LABELS), seed)
    arrays["nearest"], arrays["nearest_cosines"] = relations.nearest(sae.W_dec, sae.W_dec, NEAREST, same=True)
    kin = list(related(opened, others))
    for _, more in kin:
        arrays |= more
    if source.runs:
        arrays |= pack.sae_arrays(sae)
    else:
        usual = readings.usual_tokens(load_tokens(source.tokens, "train"), RAREST)
        arrays |= dict(weight_ends(model, site, sae.W_dec, usual))
    trained = sae.cfg.get("metadata", {}).get("training_architecture") or sae.cfg["architecture"]
    entry = DictionaryEntry(
        model=source.model.name,
        site=source.site,
        run=source.sae.name,
        kind="latents",
        file=file_of_dictionary(source.model.name, source.site, source.sae.name),
        text=source.text,
        runs=source.runs,
        layer=site.layer,
        n_units=sae.d_sae,
        n_live=int((arrays["max"] > 0).sum()),
        l0=reading.activations.nnz / len(reading.places),
        summary=f"{trained}, {sae.d_sae:,} latents of {sae.d_in} dimensions" + (f", k = {sae.k}" if sae.k else ""),
        relations=tuple(each for each, _ in kin),
        pages=pages_of(source),
    )
    document = {
        "cfg": pack.sae_config(sae),
        "scores": scores_of(source, "latents"),
        "moods": to_json(moods_of(opened, model, arrays["max"], seed)) if source.prompts else None,
    }
    return entry, File(entry.file, pack.compact(arrays), document)


def neurons_file(opened: Opened, model: nn.Module, seed: int) -> tuple[DictionaryEntry, File]:
    """The neurons of an autoencoder's site, on the same text."""
    source, site = opened.source, sites.resolve(model, opened.source.site)
    stream = load_tokens(source.tokens, readings.SPLIT)
    reading = readings.of_neurons(model, site, opened.sae, stream, opened.reading)
    arrays = units.tables(reading, len(corpus.LABELS), seed)
    entry = DictionaryEntry(
        model=source.model.name,
        site=source.site,
        run="neurons",
        kind="neurons",
        file=file_of_dictionary(source.model.name, source.site, "neurons"),
        text=source.text,
        runs=True,
        layer=site.layer,
        n_units=site.d,
        n_live=int((arrays["max"] > 0).sum()),
        l0=reading.activations.nnz / len(reading.places),
        summary=f"the {site.d} neurons of {site.name} themselves: no autoencoder",
        relations=(),
        pages={},
    )
    return entry, File(entry.file, pack.compact(arrays), {"scores": scores_of(source, "neurons")})


def files(sources: Sequence[Source], n_tokens: int, seed: int) -> Iterator[tuple[Any, File | None]]:
    """Entries of the manifest with their files: texts, models, dictionaries, in the order of the sources."""
    models = {source.model: load_model(source.model, "cpu") for source in sources}
    opened = [open_source(source, models[source.model], n_tokens, seed) for source in sources]
    seen: set[str] = set()

    def first(name: str) -> bool:
        new = name not in seen
        seen.add(name)
        return new

    for each in opened:
        source, model = each.source, models[each.source.model]
        if first(file_of_text(source.text)):
            stream = load_tokens(source.tokens, readings.SPLIT)
            yield text_file(each, load_tokenizer(source.model / "tokenizer.json"), stream)
        if first(file_of_model(source.model.name)):
            yield model_file(source, model)
        yield dictionary_file(each, opened, model, seed)
    for each in opened:
        source = each.source
        if source.runs and first(file_of_dictionary(source.model.name, source.site, "neurons")):
            yield neurons_file(each, models[source.model], seed)


@dataclass(frozen=True)
class Pieces:
    """The parts of index.html."""

    template: Path
    style: Path
    entry: Path
    """The module that starts the page."""


def page(pieces: Pieces, manifest: Manifest) -> str:
    """index.html: style, script and manifest in their places."""
    data = json.dumps(to_json(manifest), ensure_ascii=False).replace("</", "<\\/")
    parts = {
        "{{style}}": pieces.style.read_text(encoding="utf-8"),
        "{{manifest}}": data,
        "{{script}}": modules.bundle(pieces.entry),
    }
    text = pieces.template.read_text(encoding="utf-8")
    for place, part in parts.items():
        text = text.replace(place, part)
    return text


def build(sources: Sequence[Source], n_tokens: int, seed: int, pieces: Pieces, path: Path) -> None:
    """Write the page: its files into the folder `data` beside index.html, which is last.

    Args: n_tokens: stored activations that are read of a model that does not run in the page.
    """
    entries, size = [], 0
    for entry, file in files(sources, n_tokens, seed):
        entries.append(entry)
        if file is not None:
            text = pack.script(file.name, pack.file_bytes(file.arrays, file.document))
            artefacts.write_text(text, path.parent / "data" / f"{file.name}.js")
            size += len(text)
    kinds = (TextEntry, ModelEntry, DictionaryEntry)
    manifest = Manifest(*(tuple(each for each in entries if isinstance(each, kind)) for kind in kinds), CONVENTIONS)
    artefacts.write_text(page(pieces, manifest), path)
    job.say(f"{path} with {len(manifest.dictionaries)} dictionaries, {artefacts.human_bytes(size)}")
    if size > BUDGET:
        job.say(f"that is more than {artefacts.human_bytes(BUDGET)}: browse fewer or narrower autoencoders")
