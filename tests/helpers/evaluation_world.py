"""A tiny world for evaluation tests: a random GPT-2, labelled tokens, stored activations, and autoencoders as folders.

Tokens 10–19 are 'arabic', 20–29 'hebrew', 30–39 'dna', 40–48 'base64'; embedding dimension 0, 1, 2, 3 says which.
Token 49 never occurs, but as the token of enormous norm that `make_world` makes on demand.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from scripts.monosem.activations import run_pass
from scripts.monosem.core import artefacts
from scripts.monosem.models.model_folder import weights_sha256
from scripts.monosem.text import corpus
from scripts.monosem.text.tokens import load_tokens

CONTEXT, VOCAB, WIDTH = 16, 50, 16
ENORMOUS = 49
RESIDUAL, POST = "blocks.0.hook_resid_pre", "blocks.0.mlp.hook_post"


def make_model(folder: Path, change: Callable[[GPT2LMHeadModel], None] | None = None) -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(
        n_layer=2, n_embd=WIDTH, n_head=2, n_inner=64, n_positions=CONTEXT, vocab_size=VOCAB, initializer_range=0.5,
        activation_function="relu", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    model = GPT2LMHeadModel(config).eval().requires_grad_(False)
    for context in range(4):
        embedding = model.transformer.wte.weight
        embedding[:, context] = -1.0
        embedding[10 * (context + 1) : 10 * (context + 2), context] = 4.0
    model.transformer.wpe.weight.mul_(0.1)
    if change:
        change(model)
    artefacts.save_tensors(
        {
            name: v
            for name, v in model.state_dict().items()
            if name != "lm_head.weight" or not config.tie_word_embeddings
        },
        folder / "model.safetensors",
    )
    (folder / "config.json").write_text(json.dumps(config.to_dict(), default=str))
    return model


def enlarge(model: GPT2LMHeadModel) -> None:
    """Make one row of the embedding 300 times as long; the unembedding stays as it is."""
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone(), requires_grad=False)
    model.transformer.wte.weight[ENORMOUS] *= 300


def make_tokens(folder: Path, every: int | None) -> None:
    random = np.random.default_rng(0)
    manifest = {"eos_token_id": 0, "vocab_size": VOCAB, "splits": {}, "files": {}}
    for split in corpus.SPLITS:
        tokens, labels, documents = [], [], []
        for document in range(120):
            label = document % 12 if document % 12 < 5 else 0
            low, high = (1, 10) if label == 0 else (10 * label, min(10 * label + 10, 49))
            length = int(random.integers(6, 30))
            documents.append(len(tokens))
            tokens += [0, *random.integers(low, high, length)]
            labels += [0, *[label] * length]
        if every:
            tokens[every::every] = [ENORMOUS] * len(tokens[every::every])
        arrays = {
            "tokens": np.array(tokens, np.uint16),
            "labels": np.array(labels, np.uint8),
            "documents": np.array([*documents, len(tokens)], np.int64),
            "characters": np.ones(120, np.int32),
            "natural": np.arange(120) % 12 >= 5,
        }
        for part, array in arrays.items():
            path = folder / f"{split}.{part}.npy"
            artefacts.save_npy(array, path)
            manifest["files"][path.name] = artefacts.sha256(path)
        manifest["splits"][split] = {"n_tokens": len(tokens), "n_documents": 120}
    artefacts.write_json(manifest, folder / "manifest.json")


def make_sae(
    folder: Path, site: str, model_sha256: str, seed: int | None, norm_limit: float | None = None,
    **tensors: torch.Tensor,
) -> Path:  # fmt: skip
    """A ReLU autoencoder: [I, −I] if seed is None (exact), else random."""
    d = tensors["b_dec"].numel()
    if seed is None:
        both = torch.cat([torch.eye(d), -torch.eye(d)])
        weights = {"W_enc": both.T.contiguous(), "b_enc": torch.zeros(2 * d), "W_dec": both}
    else:
        random = torch.nn.functional.normalize(
            torch.randn(3 * d, d, generator=torch.Generator().manual_seed(seed)), dim=-1
        )
        weights = {"W_enc": 0.3 * random.T.contiguous(), "b_enc": torch.full((3 * d,), -0.2), "W_dec": random}
    artefacts.save_tensors(weights | tensors, folder / "sae_weights.safetensors")
    metadata = {
        "hook_name": site, "context_size": CONTEXT, "model_sha256": model_sha256, "sae_lens_version": "6.18.0",
        "drop_first_position": True, "norm_limit": norm_limit,
    }  # fmt: skip
    d_sae = weights["W_dec"].shape[0]
    artefacts.write_json(
        {
            "architecture": "standard", "d_in": d, "d_sae": d_sae, "dtype": "float32", "device": "cpu",
            "apply_b_dec_to_input": True, "normalize_activations": "none", "reshape_activations": "none",
            "metadata": metadata,
        },
        folder / "cfg.json",
    )  # fmt: skip
    return folder


def make_world(
    root: Path, site: str, change: Callable[[GPT2LMHeadModel], None] | None = None, every: int | None = None,
    exclude_norm_above: float | None = 10.0,
) -> dict[str, Path]:  # fmt: skip
    """Folders: model, tokens, activations, exact (autoencoder), random (autoencoder).

    Args:
        change: what to change in the model.
        every: put token 49 at every such position.
    """
    folders = {name: root / name for name in ("model", "tokens", "activations", "exact", "random")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    model = make_model(folders["model"], change)
    make_tokens(folders["tokens"], every)
    digest = weights_sha256(folders["model"])
    stream, extraction = (
        load_tokens(folders["tokens"], "train"),
        run_pass.Extraction(1000, "float16", True, exclude_norm_above),
    )
    identity = {"model": "model", "model_sha256": digest}
    manifests = run_pass.extract_all(model, {site: folders["activations"]}, stream, CONTEXT, extraction, 0, identity)
    centre, limit = torch.tensor(manifests[site]["mean"]), manifests[site]["norm_limit"]
    make_sae(folders["exact"], site, digest, None, limit, b_dec=torch.zeros_like(centre))
    make_sae(folders["random"], site, digest, 1, limit, b_dec=centre)
    return folders
