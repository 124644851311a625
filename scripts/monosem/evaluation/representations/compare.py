"""Representations of one model without any training: statistics of tokens, similarity, layers."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy import sparse
from torch import nn

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.representations import cka, similarity, texts, token_statistics, words
from scripts.monosem.evaluation.representations.site_activations import (
    SiteActivations,
    chosen_windows,
    mlp_sites,
    read_sites,
    stream_sites,
)
from scripts.monosem.metrics import representations
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.models.model_folder import weights_sha256
from scripts.monosem.sae import csr
from scripts.monosem.sae import model as sae_model
from scripts.monosem.sae.model import Sae, open_sae
from scripts.monosem.text.bpe import load_tokenizer
from scripts.monosem.text.tokens import load_tokens

FEWEST_GROUPS = 5  # of words; with fewer, permutations can hardly differ from the true groups


def token_part(
    activations: SiteActivations, stream_names: list[str], seed: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Statistics per site; the residual stream also in a random basis and at the first position."""
    result, arrays = {}, {}
    for name in activations.by_site:
        rng = np.random.default_rng(derive_seed(seed, "rotation", name))
        in_stream = name in stream_names
        result[name] = token_statistics.of_site(activations, name, rng if in_stream else None)
        if in_stream:
            result[name] |= token_statistics.first_token(activations, name)
        arrays |= {f"{name}.{key}": value for key, value in token_statistics.sample(activations, name, rng).items()}
    inner = [result[name] for name in stream_names[1:]]
    summary = {
        "least_kurtosis": min(row["excess_kurtosis"] for row in inner),
        "greatest_kurtosis": max(row["excess_kurtosis"] for row in inner),
        "greatest_kurtosis_rotated": max(row["rotated"]["excess_kurtosis"] for row in inner),
        "n_outlier_dimensions": max(row["n_outlier_dimensions"] for row in inner),
        "n_outlier_dimensions_rotated": max(row["rotated"]["n_outlier_dimensions"] for row in inner),
        "first_norm_over_median": max(row["first_norm_over_median"] for row in inner),
        "second_norm_over_median": max(row["second_norm_over_median"] for row in inner),
    }
    return {"sites": result, "summary": summary}, arrays


def similarity_part(
    activations: SiteActivations, stream_names: list[str], seed: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Similarity of tokens by layer and by position, and the position read off linearly."""
    pairs = similarity.by_layer(activations, stream_names, derive_seed(seed, "pairs"))
    arrays = {}
    for name in stream_names:
        scores, predicted = similarity.position(activations, name, derive_seed(seed, "position", name))
        pairs[name] |= scores
        arrays |= {
            f"{name}.predicted_position": predicted,
            f"{name}.norm_by_position": similarity.norms_by_position(activations, name),
            f"{name}.similarity_by_position": similarity.similarity_by_position(activations, name),
        }
    first, last = pairs[stream_names[0]], pairs[stream_names[-1]]

    def fall(a: dict[str, Any], b: dict[str, Any]) -> float | None:
        return None if None in (a["same_token"], b["same_token"]) else a["same_token"] - b["same_token"]

    inner = [pairs[name] for name in stream_names[1:]]
    summary = {
        "same_token_first_layer": first["same_token"],
        "same_token_last_layer": last["same_token"],
        "same_token_fall": fall(first, last),
        "same_token_fall_permuted": fall(first["permuted"], last["permuted"]),
        "same_context_last_layer": last["same_context"],
        "same_context_last_layer_permuted": last["permuted"]["same_context"],
        "greatest_anisotropy": max(row["anisotropy"] for row in inner),
        "position_r2_first_layer": first["position_r2"],
        "position_r2_last_layer": last["position_r2"],
        "position_r2_first_layer_permuted": first["position_r2_permuted"],
    }
    return {"sites": pairs, "summary": summary}, arrays


def random_codes(
    sae: Sae, codes: sparse.csr_matrix, rows: Float[np.ndarray, "n d"], seed: int
) -> sparse.csr_matrix:  # fmt: skip
    """Latents of a dictionary that was never trained, of an autoencoder's width and L0, on the same rows."""
    k = min(max(1, round(codes.nnz / codes.shape[0])), sae.d_sae)
    read = sae_model.reads(sae, torch.from_numpy(rows)).numpy()
    centre = torch.from_numpy(rows[read].mean(0)).to(sae.W_dec.device)
    return csr.encode_csr(sae_model.untrained(centre, sae.d_sae, k, seed, sae.norm_limit), rows)


def matched_summary(matched: dict[str, dict[str, Any]]) -> dict[str, float | None]:
    """The worst of our pairs of sites, and the best of each control."""

    def greatest(control: str) -> float | None:
        return max((row[control]["median_correlation"] for row in matched.values()
                    if row[control]["median_correlation"] is not None), default=None)  # fmt: skip

    return {
        "least_median_correlation": min(row["median_correlation"] for row in matched.values()),
        "greatest_median_correlation_permuted": greatest("permuted"),
        "greatest_median_correlation_random_dictionary": greatest("random_dictionary"),
    }


def layer_part(
    activations: SiteActivations,
    peers: dict[str, SiteActivations],
    saes: dict[str, Sae],
    stream_names: list[str],
    seed: int,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """CKA within the model and with every peer, and latents matched between the sites of its autoencoders."""
    names = list(activations.by_site)
    rows = cka.cka_rows(activations, names)
    within, shuffled = representations.cka_matrix(rows), cka.shuffled_cka(rows, rows, derive_seed(seed, "cka"))
    stream = [names.index(name) for name in stream_names]
    neighbours = [within[a, b] for a, b in zip(stream, stream[1:], strict=False)]
    result: dict[str, Any] = {
        "conventions": cka.CONVENTIONS,
        "n_tokens_cka": len(rows[0]),
        "within": {
            "mean_of_neighbours": float(np.mean(neighbours)),
            "first_with_last": float(within[stream[0], stream[-1]]),
            "shuffled": shuffled,
        },
        "peers": {},
    }
    arrays = {"sites": np.array(names), "cka": within}
    for peer, other in peers.items():
        theirs = cka.cka_rows(other, names)
        matrix = representations.cka_matrix([*rows, *theirs], n_left=len(rows))
        result["peers"][peer] = {
            "same_site": dict(zip(names, np.diag(matrix).tolist(), strict=True)),
            "least_of_same_site": float(np.diag(matrix).min()),
            "share_nearest_to_itself": float((matrix.argmax(1) == np.arange(len(names))).mean()),
            "shuffled": cka.shuffled_cka(rows, theirs, derive_seed(seed, "cka", peer)),
        }
        arrays[f"{peer}.cka"] = matrix
    codes = {name: csr.encode_csr(sae, activations.rows(name)) for name, sae in saes.items()}
    random = {
        name: random_codes(sae, codes[name], activations.rows(name), derive_seed(seed, "random dictionary", name))
        for name, sae in saes.items()
    }
    result["matched"], lines = cka.match_latents(
        codes, random, activations.window_of_row(), derive_seed(seed, "matched")
    )
    if result["matched"]:
        result["matched_summary"] = matched_summary(result["matched"])
    return result, arrays | {f"{name}.matched": line for name, line in lines.items()}


def text_part(
    model: nn.Module, saes: dict[str, Sae], tokenizer: Any, chosen: dict[str, str], eos_token_id: int, context: int
) -> dict[str, Any]:
    """Every chosen text at every site with an autoencoder."""
    return {
        name: {
            site: texts.read_text(model, sites.resolve(model, site), sae, tokenizer, text, eos_token_id, context)
            for site, sae in saes.items()
        }
        for name, text in chosen.items()
    }


def compare_representations(
    model_folder: Path, tokens_folder: Path, tokenizer_path: Path, sae_folders: list[Path], peer_folders: list[Path],
    settings: dict[str, Any], groups: list[list[str]], seed: int, device: str,
) -> tuple[dict[str, dict[str, Any]], dict[str, np.ndarray]]:  # fmt: skip
    """Analyse one model on the test split.

    Args:
        sae_folders: autoencoders, one per site.
        peer_folders: models of the same tokenizer that it is compared with.
        settings: {"tokens": of held-out text, "context": tokens per window, "texts": name -> text}.
        groups: words of similar meaning.
    Returns: {"tokens", "similarity", "layers"} -> contents of that JSON file; arrays for figures, keyed by part.
    """
    model, tokenizer = load_model(model_folder, device), load_tokenizer(tokenizer_path)
    n_layer = len(sites.blocks_of(model))
    stream_names = stream_sites(n_layer)
    test, train = load_tokens(tokens_folder, "test"), load_tokens(tokens_folder, "train")
    tokens = chosen_windows(test, settings["context"], settings["tokens"], derive_seed(seed, "analysis windows"))
    digest = weights_sha256(model_folder)
    saes = {}
    for folder in sae_folders:
        site = artefacts.read_json(folder / "cfg.json")["metadata"]["hook_name"]
        place = sites.resolve(model, site)
        saes[site] = open_sae(folder, place.name, place.d, device, digest)
    names = list(dict.fromkeys([*stream_names, *mlp_sites(n_layer), *saes]))
    job.say(f"{tokens.size:,} tokens at {len(names)} sites")
    activations = read_sites(model, names, tokens, test.eos_token_id)
    identity = {"model": model_folder.name, "split": "test", "n_tokens": int(activations.kept.sum())}
    token_document, token_arrays = token_part(activations, stream_names, seed)
    token_document |= {
        "examples": text_part(model, saes, tokenizer, settings["texts"], test.eos_token_id, settings["context"])
    }
    job.say("similarity by layer, words of similar meaning")
    similar, similar_arrays = similarity_part(activations, stream_names, seed)
    vocab = model.config.vocab_size
    counts = [np.bincount(np.asarray(stream.tokens), minlength=vocab) for stream in (train, test)]
    vocabulary = words.choose(tokenizer, groups, *counts)
    if len(vocabulary.groups) >= FEWEST_GROUPS:
        places = [sites.resolve(model, name) for name in stream_names]
        vectors = words.represent(model, places, vocabulary, test, derive_seed(seed, "words"))
        compared = words.by_site(stream_names, vectors, vocabulary, derive_seed(seed, "words", "test"))
        similar["words"] = {
            "conventions": words.CONVENTIONS,
            "n_words": len(vocabulary.words),
            "n_groups": len(vocabulary.groups),
            "sites": compared,
            "last_layer": compared[stream_names[-1]]["in_context"],
            "examples": [[vocabulary.words[i] for i in members] for members in vocabulary.groups],
        }
    job.say("CKA and matched latents")
    peers = {
        folder.name: read_sites(load_model(folder, device), names, tokens, test.eos_token_id) for folder in peer_folders
    }
    layer_document, layer_arrays = layer_part(activations, peers, saes, stream_names, seed)
    parts = {
        "tokens": identity
        | {"conventions": representations.CONVENTIONS, "outlier_factor": representations.OUTLIER_FACTOR}
        | token_document,
        "similarity": identity | {"conventions": similarity.CONVENTIONS} | similar,
        "layers": identity | layer_document,
    }
    grouped = {"tokens": token_arrays, "similarity": similar_arrays, "layers": layer_arrays}
    return parts, {f"{part}/{key}": array for part, arrays in grouped.items() for key, array in arrays.items()}
