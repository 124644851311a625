"""Sets of prompts through one autoencoder: pooled latents, and the comparison of each set with the baseline."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from tokenizers import Tokenizer
from torch import nn

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.prompts import differential_latents, words
from scripts.monosem.evaluation.prompts.document import PromptSets, SetComparison, WeakestSet
from scripts.monosem.evaluation.representations.texts import pieces
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.models.model_folder import weights_sha256
from scripts.monosem.models.sites import Site, capture_all
from scripts.monosem.sae.model import Sae, encode, open_sae
from scripts.monosem.text import bpe
from scripts.monosem.text.bpe import end_of_text_id, load_tokenizer

PEAKS = 3  # tokens named per listed latent
EMBEDDINGS = "blocks.0.hook_resid_pre"
"""Site that has a token's embedding, and its position's."""


@torch.inference_mode()
def read_prompt(
    model: nn.Module, site: Site, sae: Sae, ids: list[int], eos_token_id: int
) -> tuple[Float[np.ndarray, "tokens d_sae"], Float[np.ndarray, " d_model"]]:
    """Latents on every token of one prompt, which is read behind <|endoftext|>, and the mean of its embeddings."""
    tokens = torch.tensor([[eos_token_id, *ids]], device=model.device)
    embedded, x = capture_all(model, [sites.resolve(model, EMBEDDINGS), site], tokens)
    return encode(sae, x[0, 1:].float()).cpu().numpy(), embedded[0, 1:].float().mean(0).cpu().numpy()


def halves(n: int, seed: int) -> Bool[np.ndarray, " prompts"]:
    """False for lines of the first half, True for the second."""
    return np.random.default_rng(seed).permutation(n) % 2 == 1


@dataclass(frozen=True)
class ReadSet:
    """One set of prompts through the autoencoder."""

    ids: list[list[int]]
    """Token ids of each prompt."""
    latents: list[Float[np.ndarray, "_ d_sae"]]
    """Latents on every token of each prompt."""
    texts: list[str]
    embeddings: Float[np.ndarray, "prompts d_model"]
    """Mean over the tokens of each prompt."""

    def pooled(self, pooling: str) -> Float[np.ndarray, "prompts d_sae"]:
        """Mean, or maximum, over the tokens of each prompt."""
        return np.stack([getattr(each, pooling)(0) for each in self.latents])


def half_of(chosen: ReadSet, baseline: ReadSet, in_half: Sequence[Bool[np.ndarray, " _"]]) -> differential_latents.Half:
    """The prompts of set and baseline that are in one half; `in_half` marks those of either."""
    both = (chosen, baseline)
    pooled = (
        np.concatenate([part.pooled(pooling)[mask] for part, mask in zip(both, in_half, strict=True)])
        for pooling in differential_latents.POOLINGS
    )
    return differential_latents.Half(*pooled, np.repeat([True, False], [mask.sum() for mask in in_half]))


def prompts_of(chosen: ReadSet, baseline: ReadSet, in_half: Sequence[Bool[np.ndarray, " _"]]) -> words.Prompts:
    """The same half with its texts and embeddings."""
    both = list(zip((chosen, baseline), in_half, strict=True))
    texts = tuple(part.texts[row] for part, mask in both for row in np.flatnonzero(mask))
    embeddings = np.concatenate([part.embeddings[mask] for part, mask in both])
    return words.Prompts(half_of(chosen, baseline, in_half), texts, embeddings)


def compare_sets(
    model_folder: Path, tokenizer_path: Path, sae_folder: Path, sets: dict[str, list[str]], baseline: str,
    settings: dict[str, Any], seed: int, device: str,
) -> tuple[PromptSets, dict[str, np.ndarray]]:  # fmt: skip
    """Every set against the baseline.

    Args:
        sets: name -> prompts, the baseline among them.
        settings: {"always_on", "false_discovery_rate", "shuffles", "context"}.
    Returns: contents of prompts.json and of its arrays.
    """
    model, tokenizer = load_model(model_folder, device), load_tokenizer(tokenizer_path)
    eos_token_id = end_of_text_id(tokenizer, tokenizer_path)
    site = sites.resolve(model, artefacts.read_json(sae_folder / "cfg.json")["metadata"]["hook_name"])
    sae = open_sae(sae_folder, site.name, site.d, device, weights_sha256(model_folder))
    read, room = {}, settings["context"] - 1
    for name, prompts in sets.items():
        whole = [tokenizer.encode(text, add_special_tokens=False).ids for text in prompts]
        ids = [bpe.cut(each, room, f"{name}: {text[:30]!r}") for text, each in zip(prompts, whole, strict=True)]
        latents, embeddings = zip(*(read_prompt(model, site, sae, each, eos_token_id) for each in ids), strict=True)
        read[name] = ReadSet(ids, list(latents), prompts, np.stack(embeddings))
    job.say(f"{sum(map(len, sets.values()))} prompts of {len(sets)} sets read")
    second = {name: halves(len(prompts), derive_seed(seed, "prompt halves")) for name, prompts in sets.items()}
    results, arrays = {}, {}
    for name in (name for name in sets if name != baseline):
        parts = [
            prompts_of(read[name], read[baseline], [second[who] == side for who in (name, baseline)])
            for side in (False, True)
        ]
        result, masks = differential_latents.compare_with_baseline(
            *(part.half for part in parts), settings["always_on"], settings["false_discovery_rate"],
            settings["shuffles"], derive_seed(seed, "prompts", name),
        )  # fmt: skip
        ranking = (replace(row, strongest_on=strongest_on(row.latent, read[name], tokenizer)) for row in result.ranking)
        beside = {}
        if result.ranking:
            latent, drawn = result.ranking[0].latent, derive_seed(seed, "beside words", name)
            beside = words.beside_words(*parts, masks["tested"], latent, drawn)
        results[name] = replace(result, ranking=tuple(ranking), beside_words=beside)
        arrays |= {f"{name}.{mask}": values for mask, values in masks.items()}
        for pooling in differential_latents.POOLINGS:
            arrays[f"{name}.{pooling}.set"] = read[name].pooled(pooling).mean(0)
            arrays[f"{name}.{pooling}.baseline"] = read[baseline].pooled(pooling).mean(0)
        counts = {pooling: row.n_confirmed for pooling, row in result.poolings.items()}
        job.say(f"{name}: {result.n_tested} latents tested, confirmed {counts}")
    document = PromptSets(
        model=model_folder.name,
        site=site.name,
        run=sae_folder.name,
        conventions=differential_latents.CONVENTIONS | words.CONVENTIONS,
        baseline=baseline,
        false_discovery_rate=settings["false_discovery_rate"],
        always_on=settings["always_on"],
        mean_length_tokens={name: float(np.mean([len(ids) for ids in part.ids])) for name, part in read.items()},
        prompts={name: len(prompts) for name, prompts in sets.items()},
        sets=results,
        summary=summary(results),
    )
    return document, arrays


def strongest_on(latent: int, read: ReadSet, tokenizer: Tokenizer) -> tuple[str, ...]:
    """The tokens of a set's prompts on which a latent is largest, one per prompt."""
    peaks = sorted(
        ((f[:, latent].max(), int(f[:, latent].argmax()), row) for row, f in enumerate(read.latents)), reverse=True
    )
    return tuple(pieces(tokenizer, [read.ids[row][place]])[0] for value, place, row in peaks[:PEAKS] if value > 0)


def summary(results: dict[str, SetComparison]) -> WeakestSet:
    """The weakest set: a claim about sets should be true of each of them."""
    rows = [row for result in results.values() for row in result.poolings.values()]
    best = [max(row.n_confirmed for row in result.poolings.values()) for result in results.values()]
    return WeakestSet(
        least_confirmed=min(best),
        greatest_share_of_shuffles=max(row.shuffled.share_with_confirmation for row in rows),
    )
