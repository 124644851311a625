"""Compare weights, config.json and tokenizer of a model: do they belong together? Of the weights, headers are read.

Imports neither torch nor transformers; the largest part of its time is opening the tokenizer (1 s for 260,000 tokens).
"""

import json
import re
import struct
from pathlib import Path
from typing import Any

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.models import model_folder, source
from scripts.monosem.text import bpe

LFS = b"version https://git-lfs"
EMBEDDING = re.compile(r"(?:.*\.)?(?:wte|embed_tokens|embed_in|word_embeddings)\.weight")


def safetensors_header(path: Path) -> dict[str, dict[str, Any]]:
    """Dtype, shape and place of every tensor of a file.

    Raises: ArtefactError for a file that is cut short or of another format.
    """
    try:
        with open(path, "rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            if length > path.stat().st_size:
                raise ValueError("its header goes beyond the end")
            header = json.loads(file.read(length))
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        end = 8 + length + max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
        if end > path.stat().st_size:
            raise ValueError(f"it ends at byte {path.stat().st_size:,} of {end:,}")
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise ArtefactError(
            f"{path} is cut short or no safetensors file ({error}); fetch it again, or put a whole file in its place"
        ) from None
    return tensors


def embedding_rows(place: Path) -> tuple[int, Path] | None:
    """Rows of the token embedding and the file that has it; None where no file is known to."""
    for name in model_folder.weight_files(place):
        for tensor, entry in safetensors_header(place / name).items():
            if EMBEDDING.fullmatch(tensor):
                return entry["shape"][0], place / name
    return None


def refuse_pointers(place: Path, allow_pickle: bool = False) -> None:
    """Raises: ArtefactError for a file that git-lfs has not fetched: a clone without it has a small text there."""
    for path in source.files_of(place, allow_pickle):
        if path.is_file():
            with open(path, "rb") as file:
                if file.read(len(LFS)) == LFS:
                    raise ArtefactError(
                        f"{path} is a pointer of git-lfs and not the file itself; `git lfs pull` there fetches it"
                    )


def check_tokenizer(folder: Path, rows: int, what: str) -> None:
    """Raises: ArtefactError if text, or the token before each document, can have an id that the embedding lacks.

    Special tokens beyond it (Gemma 3 has one, for images) do no harm: none of them is ever read from text.
    """
    path = folder / model_folder.TOKENIZER
    tokenizer = bpe.load_tokenizer(path)
    end_of_text = bpe.end_of_text_id(tokenizer, path)
    special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    beyond = [(number, token) for token, number in tokenizer.get_vocab().items() if number >= rows]
    wrong = [pair for pair in beyond if pair[0] == end_of_text or pair[0] not in special]
    if wrong:
        number, token = min(wrong)
        role = "the token before each document" if number == end_of_text else f"one of {len(wrong)} such tokens"
        raise ArtefactError(
            f"{path}: '{token}' ({role}) has the id {number}, but {what} has {rows} rows; "
            "take the tokenizer that belongs to the weights"
        )


def check(place: Path, allow_pickle: bool = False) -> None:
    """Raises: ArtefactError in one sentence for files of a folder or GGUF file that do not belong together."""
    refuse_pointers(place, allow_pickle)
    declared = source.config_of(place).get("vocab_size")
    if place.is_file():
        return
    rows = embedding_rows(place)
    if rows and declared and rows[0] != declared:
        raise ArtefactError(
            f"{place / model_folder.CONFIG}: vocab_size is {declared}, but the embedding in {rows[1].name} has "
            f"{rows[0]} rows; put files of one model in the folder"
        )
    if rows or declared:
        check_tokenizer(
            place, rows[0] if rows else declared, f"the embedding in {rows[1].name}" if rows else "the model"
        )
