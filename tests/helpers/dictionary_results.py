"""Comparisons of dictionaries of a tiny random model: the second seed is the model itself."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models

from scripts.monosem.evaluation.dictionaries.compare import compare_dictionaries
from scripts.monosem.evaluation.dictionaries.world import Place
from scripts.monosem.evaluation.documents import to_json
from scripts.monosem.evaluation.latents import stored_codes
from scripts.monosem.evaluation.latents.encode_text import encode_text
from tests.helpers.evaluation_world import POST, VOCAB, make_world


def made_tokenizer(path: Path) -> Path:
    """A tokenizer of VOCAB words."""
    names = {f"w{number}" if number else "<|endoftext|>": number for number in range(VOCAB)}
    Tokenizer(models.WordLevel(names, unk_token="<|endoftext|>")).save(str(path))
    return path


@cache
def made() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Part -> document as JSON holds it; arrays."""
    with TemporaryDirectory() as root:
        folders = make_world(Path(root), POST)
        codes = {}
        for name in ("random", "exact"):
            codes[name] = folders[name] / "codes.npz"
            stored_codes.save(
                encode_text(folders["model"], folders["tokens"], folders[name], 2000, 0, "cpu"), codes[name]
            )
        place = Place(folders["model"], folders["random"], codes["random"])
        documents, arrays = compare_dictionaries(
            place, place, place, {codes["exact"]: folders["exact"]}, folders["tokens"],
            made_tokenizer(Path(root) / "tokenizer.json"), {"arabic": 0, "dna": 1},
            ("universality", "splitting", "automata"), 1500, 0, "cpu",
        )  # fmt: skip
    return {part: to_json(document) for part, document in documents.items()}, arrays
