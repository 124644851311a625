"""An autoencoder for others: a SAELens folder with a model card, and Neuronpedia's JSON of every latent.

The JSON has the form that SAEDashboard writes for Neuronpedia: batches of features, each with logits, histograms and
examples.
"""

import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from tokenizers import Tokenizer
from torch import nn

from scripts.monosem.browser import readings, units
from scripts.monosem.core import artefacts
from scripts.monosem.evaluation.latents.examples import REACH
from scripts.monosem.evaluation.latents.interpret import RAREST
from scripts.monosem.evaluation.latents.logit_weights import logit_weights, reason_unavailable
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.models.model_folder import weights_sha256
from scripts.monosem.sae.model import Sae, open_sae
from scripts.monosem.text import corpus
from scripts.monosem.text.bpe import load_tokenizer
from scripts.monosem.text.tokens import load_tokens

BATCH = 256
"""Features per file."""
ALIGNED, LISTED, BINS = 3, 10, 50
WHOLE_RANGE = -1.0
"""Bounds that SAEDashboard gives the examples of largest activation."""


@dataclass(frozen=True)
class Activation:
    """One example."""

    tokens: list[str]
    values: list[float]
    """Activations, in 255ths of the latent's largest."""
    qualifying_token_index: int
    """Place of the token that it is an example of."""
    bin_min: float
    bin_max: float
    bin_contains: float
    """Share of the active tokens whose activation is in the bin."""


@dataclass(frozen=True)
class Feature:
    """One latent, under Neuronpedia's names."""

    feature_index: int
    frac_nonzero: float
    neuron_alignment_indices: list[int]
    neuron_alignment_values: list[float]
    neuron_alignment_l1: list[float]
    """Shares of the direction's L1 norm."""
    pos_str: list[str]
    pos_values: list[float]
    neg_str: list[str]
    neg_values: list[float]
    freq_hist_data_bar_heights: list[float]
    freq_hist_data_bar_values: list[float]
    """Centres of the bins, as everywhere."""
    logits_hist_data_bar_heights: list[float]
    logits_hist_data_bar_values: list[float]
    n_prompts_total: int
    n_tokens_in_prompt: int
    dataset: str
    activations: list[Activation]
    vector: list[float]
    correlated_neurons_indices: tuple[int, ...] = ()
    correlated_neurons_pearson: tuple[float, ...] = ()
    correlated_neurons_l1: tuple[float, ...] = ()
    correlated_features_indices: tuple[int, ...] = ()
    correlated_features_pearson: tuple[float, ...] = ()
    correlated_features_l1: tuple[float, ...] = ()
    decoder_weights_dist: tuple[float, ...] = ()


def rounded(values: Float[np.ndarray, " n"]) -> list[float]:
    """Numbers short enough for thousands of files."""
    return [float(f"{value:.4g}") for value in values]


def examples_of(
    tables: dict[str, np.ndarray], unit: int, tokens: np.ndarray, context: int, tokenizer: Tokenizer
) -> Iterator[Activation]:
    """Examples of a latent as the page has them, the largest first, then those by interval."""
    counts, largest = tables["histogram"][unit], float(tables["max"][unit])
    for number, (place, around) in enumerate(
        zip(tables["example_places"][unit].tolist(), tables["example_activations"][unit], strict=True)
    ):
        if place == units.NO_PLACE:
            continue
        start = place - place % context
        first, last = max(start, place - REACH), min(start + context, place + REACH + 1)
        values = around[first - place + REACH : last - place + REACH] / 255 * largest
        low = high = WHOLE_RANGE
        contains = WHOLE_RANGE
        if number >= units.TOP:
            parts = units.INTERVALS + 1
            band = max(0, int(np.ceil(around[REACH] / 255 * parts - 1e-9)) - 1)
            low, high = band / parts * largest, (band + 1) / parts * largest
            centres = (np.arange(units.BINS) + 0.5) / units.BINS * parts
            contains = float(counts[np.floor(centres) == band].sum() / counts.sum())
        yield Activation(
            tokens=[tokenizer.decode([int(token)], skip_special_tokens=False) for token in tokens[first:last]],
            values=rounded(values),
            qualifying_token_index=place - first,
            bin_min=low,
            bin_max=high,
            bin_contains=contains,
        )


def features(
    sae: Sae, model: nn.Module, reading: units.Reading, usual: np.ndarray, tokenizer: Tokenizer, dataset: str
) -> Iterator[Feature]:
    """Every latent of an autoencoder in Neuronpedia's form."""
    site = sites.resolve(model, sae.cfg["metadata"]["hook_name"])
    tables, context = units.tables(reading, len(corpus.LABELS), seed=0), reading.tokens.shape[1]
    mask = np.zeros(reading.vocab, bool)
    mask[usual] = True
    has_weights = reason_unavailable(site) is None
    for unit in range(sae.d_sae):
        direction = sae.W_dec[unit].cpu().numpy()
        aligned = np.argsort(-np.abs(direction), kind="stable")[:ALIGNED]
        order, weights, bars = np.array([], int), np.zeros(reading.vocab), (np.zeros(0), np.zeros(1))
        if has_weights:
            weights = logit_weights(model, site, sae.W_dec[unit : unit + 1], mask)[0].cpu().numpy()
            order = usual[np.argsort(-weights[usual], kind="stable")]
            bars = np.histogram(weights[usual], BINS)
        largest = float(tables["max"][unit])
        ends = {"pos": order[:LISTED], "neg": order[::-1][:LISTED]}
        texts = {
            name: [tokenizer.decode([int(t)], skip_special_tokens=False) for t in ids] for name, ids in ends.items()
        }
        yield Feature(
            feature_index=unit,
            frac_nonzero=float(tables["density"][unit]),
            neuron_alignment_indices=aligned.tolist(),
            neuron_alignment_values=rounded(direction[aligned]),
            neuron_alignment_l1=rounded(np.abs(direction[aligned]) / np.abs(direction).sum()),
            pos_str=texts["pos"],
            pos_values=rounded(weights[ends["pos"]]),
            neg_str=texts["neg"],
            neg_values=rounded(weights[ends["neg"]]),
            freq_hist_data_bar_heights=tables["histogram"][unit].astype(float).tolist() if largest else [],
            freq_hist_data_bar_values=rounded((np.arange(units.BINS) + 0.5) / units.BINS * largest) if largest else [],
            logits_hist_data_bar_heights=bars[0].astype(float).tolist(),
            logits_hist_data_bar_values=rounded((bars[1][1:] + bars[1][:-1]) / 2),
            n_prompts_total=len(reading.tokens),
            n_tokens_in_prompt=context,
            dataset=dataset,
            activations=list(examples_of(tables, unit, reading.tokens.ravel(), context, tokenizer)),
            vector=rounded(direction),
        )


def model_card(sae: Sae, reading: units.Reading, model_name: str) -> str:
    """README.md of a hub's repository."""
    metadata = sae.cfg.get("metadata", {})
    live = np.diff(reading.activations.tocsc().indptr) > 0
    trained = metadata.get("training", {})
    facts = {
        "architecture": metadata.get("training_architecture") or sae.cfg["architecture"],
        "site": metadata.get("hook_name"),
        "inputs": sae.d_in,
        "latents": f"{sae.d_sae:,}, of which {int(live.sum()):,} fire on {len(reading.places):,} held-out tokens",
        "active per token": f"{reading.activations.nnz / len(reading.places):.1f}",
        "context": metadata.get("context_size"),
        "tokens left out": f"those of a norm above {sae.norm_limit:.4g}" if math.isfinite(sae.norm_limit) else None,
        "trained on": f"{trained['vectors']:,} vectors" if "vectors" in trained else None,
        "seed": metadata.get("seed"),
        "sha256 of the model": metadata.get("model_sha256"),
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items() if value is not None)
    return f"""---
library_name: saelens
tags:
- sparse-autoencoder
- interpretability
---

# A sparse autoencoder of {model_name}

Trained by monosem, a reproduction of *Towards Monosemanticity* (Bricken et al. 2023).

| | |
|---|---|
{rows}

Weights act on raw activations; the decoder's rows have length 1. Open it with SAELens 6:

```python
from sae_lens import SAE

sae = SAE.load_from_disk("path/to/this/folder")
```
"""


def export(sae_folder: Path, model_folder: Path, tokens_folder: Path, codes: Path, target: Path) -> int:
    """Write `saelens/` and `neuronpedia/` into a folder that does not exist yet; the number of features.

    Raises: ArtefactError for files that do not belong together, or a target that exists.
    """
    if target.exists():
        raise artefacts.ArtefactError(f"{target} exists already; name a folder to make")
    model = load_model(model_folder, "cpu")
    site = sites.resolve(model, artefacts.read_json(sae_folder / "cfg.json")["metadata"]["hook_name"])
    sae = open_sae(sae_folder, site.name, site.d, "cpu", weights_sha256(model_folder))
    reading = readings.of_codes(codes, load_tokens(tokens_folder, readings.SPLIT))
    usual = readings.usual_tokens(load_tokens(tokens_folder, "train"), RAREST)
    tokenizer = load_tokenizer(model_folder / "tokenizer.json")
    (target / "saelens").mkdir(parents=True)
    for name in ("cfg.json", "sae_weights.safetensors"):
        shutil.copyfile(sae_folder / name, target / "saelens" / name)
    artefacts.write_text(model_card(sae, reading, model_folder.name), target / "saelens" / "README.md")
    batch, count = [], 0
    for feature in features(sae, model, reading, usual, tokenizer, tokens_folder.parent.parent.name):
        batch.append(asdict(feature))
        count += 1
        if len(batch) == BATCH or count == sae.d_sae:
            document = {"model_id": model_folder.name, "layer": site.layer, "sae_set": sae_folder.name}
            path = target / "neuronpedia" / f"batch-{(count - 1) // BATCH}.json"
            artefacts.write_json({**document, "sae_id_suffix": None, "features": batch}, path, indent=None)
            batch = []
    return count
