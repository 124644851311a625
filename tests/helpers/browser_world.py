"""A small world for the feature browser: a tokenizer, labelled text, one-block models, autoencoders, codes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from scripts.monosem.activations import run_pass
from scripts.monosem.browser import build
from scripts.monosem.core import artefacts
from scripts.monosem.evaluation.latents import stored_codes
from scripts.monosem.evaluation.latents.encode_text import encode_text
from scripts.monosem.models.gpt2.architecture import Architecture, initialise
from scripts.monosem.models.load import load_model
from scripts.monosem.models.model_folder import weights_sha256
from scripts.monosem.text import bpe, corpus
from scripts.monosem.text.tokens import load_tokens

SITE, CONTEXT, VOCAB = "blocks.0.mlp.hook_post", 32, 380
SENTENCES = (
    "The array of the user is returned by the function.", "def add(x, y):\n    return x + y\n",
    "كتب الطالب رسالة طويلة", "ACGTTGCAAGGCTTACGATCGG", ">>> np.zeros((3, 4))\narray([0., 0.])",
    "See the documentation, which isn't long: 12 pages.", "naïve café 👩\u200d👧 e\u0301",
)  # fmt: skip
LABELS = (0, 0, 1, 3, 0, 0, 0)
PIECES = build.Pieces(*(Path("paper/browser", name) for name in ("page.html", "style.css", "ui/main.js")))


@dataclass(frozen=True)
class World:
    """Folders, and the sources of a page."""

    root: Path
    sources: list[build.Source]


def make_tokens(folder: Path, tokenizer) -> None:
    manifest = {"eos_token_id": 0, "vocab_size": VOCAB, "splits": {}, "files": {}}
    for number, split in enumerate(corpus.SPLITS):
        rng, tokens, labels, documents = np.random.default_rng(number), [], [], []
        for _ in range(120):
            chosen = int(rng.integers(len(SENTENCES)))
            ids = tokenizer.encode(SENTENCES[chosen], add_special_tokens=False).ids
            documents.append(len(tokens))
            tokens += [0, *ids]
            labels += [0, *[LABELS[chosen]] * len(ids)]
        arrays = {
            "tokens": np.array(tokens, np.uint16), "labels": np.array(labels, np.uint8),
            "documents": np.array([*documents, len(tokens)], np.int64), "characters": np.ones(120, np.int32),
            "natural": np.ones(120, bool),
        }  # fmt: skip
        for part, array in arrays.items():
            path = folder / f"{split}.{part}.npy"
            artefacts.save_npy(array, path)
            manifest["files"][path.name] = artefacts.sha256(path)
        manifest["splits"][split] = {"n_tokens": len(tokens), "n_documents": 120}
    artefacts.write_json(manifest, folder / "manifest.json")


def make_model(folder: Path, tokenizer, seed: int) -> None:
    shape = Architecture(1, 32, 2, 48, CONTEXT, "relu", VOCAB)
    generator = torch.Generator().manual_seed(seed)
    weights = initialise(shape, seed)
    weights = {name: value + 0.15 * torch.randn(value.shape, generator=generator) for name, value in weights.items()}
    artefacts.save_tensors(weights, folder / "model.safetensors")
    artefacts.write_json(shape.hf_config(0), folder / "config.json")
    bpe.save_tokenizer(tokenizer, folder / "tokenizer.json", folder / "tokenizer_config.json")


def make_sae(folder: Path, model: Path, d_sae: int, seed: int) -> None:
    rows = torch.nn.functional.normalize(torch.randn(d_sae, 48, generator=torch.Generator().manual_seed(seed)), dim=1)
    weights = {
        "W_enc": rows.T.contiguous(),
        "b_enc": torch.zeros(d_sae),
        "W_dec": rows,
        "b_dec": torch.full((48,), 0.1),
    }
    cfg = {
        "architecture": "topk", "d_in": 48, "d_sae": d_sae, "k": 6, "dtype": "float32",
        "metadata": {
            "hook_name": SITE, "context_size": CONTEXT, "model_sha256": weights_sha256(model),
            "drop_first_position": True, "training_architecture": "topk",
        },
    }  # fmt: skip
    artefacts.save_tensors(weights, folder / "sae_weights.safetensors")
    artefacts.write_json(cfg, folder / "cfg.json")


def make_world(root: Path) -> World:
    """Models a (two widths), b (the same text) and c (from stored activations alone)."""
    tokenizer = bpe.train_bpe(list(SENTENCES) * 20, VOCAB)
    tokens, sources = root / "tokens" / "bpe-380", []
    tokens.mkdir(parents=True)
    make_tokens(tokens, tokenizer)
    for name, seed, runs in (
        ("a", 1, {"topk-96": 96, "topk-64": 64}),
        ("b", 2, {"topk-96": 96}),
        ("c", 3, {"topk-80": 80}),
    ):
        model = root / "models" / name
        make_model(model, tokenizer, seed)
        for run, d_sae in runs.items():
            sae, read = root / "sae" / name / SITE / run, root / "evaluation" / name / SITE / run / "codes.npz"
            make_sae(sae, model, d_sae, seed)
            if name == "c":
                read = root / "activations" / name / SITE / "manifest.json"
                network, extraction = load_model(model), run_pass.Extraction(1500, "float16", True)
                identity = {"model": name, "model_sha256": weights_sha256(model)}
                stream = load_tokens(tokens, "train")
                run_pass.extract_all(network, {SITE: read.parent}, stream, CONTEXT, extraction, 0, identity)
            else:
                stored_codes.save(encode_text(model, tokens, sae, 1500, 0, "cpu"), read)
            sources.append(build.Source(model, tokens, sae, read))
    return World(root, sources)
