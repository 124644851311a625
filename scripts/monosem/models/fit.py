"""Compare weights, config.json and tokenizer of a model: do they belong together? Of the weights, headers are read.

Imports neither torch nor transformers; the largest part of its time is opening the tokenizer (1 s for 260,000 tokens).
"""

import re
from pathlib import Path

from scripts.monosem.core.artefacts import ArtefactError, safetensors_header
from scripts.monosem.models import model_folder, source
from scripts.monosem.text import bpe

LFS = b"version https://git-lfs"
EMBEDDING = re.compile(r"(?:.*\.)?(?:wte|embed_tokens|embed_in|word_embeddings)\.weight")


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
