"""A byte-level BPE: train it, save it, open any tokenizer.json, find the token that begins a document.

`tokenizers` is imported where text is encoded, transformers nowhere.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.monosem.core import artefacts, job
from scripts.monosem.text import corpus

if TYPE_CHECKING:
    from tokenizers import Tokenizer


END_OF_TEXT = "<|endoftext|>"
ADD_NO_BOS = ("GPT2Tokenizer", "Qwen2Tokenizer")
"""Tokenizer classes that put no `bos_token` before text where tokenizer_config.json has no `add_bos_token`."""
SMALLEST_VOCABULARY = 257
"""256 bytes and <|endoftext|>."""


def train_bpe(texts: Iterable[str], vocab_size: int) -> "Tokenizer":
    """Train a byte-level BPE with GPT-2's pre-tokenisation; <|endoftext|> is id 0 and is never added by encode.

    Raises: ArtefactError for a vocabulary that cannot hold all bytes, or a text too small for the vocabulary.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    if vocab_size < SMALLEST_VOCABULARY:
        raise artefacts.ArtefactError(
            f"config.yaml: tokenizer.vocab_size is {vocab_size}; a byte-level vocabulary needs at least "
            f"{SMALLEST_VOCABULARY}: 256 bytes and {END_OF_TEXT}"
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() < vocab_size:
        raise artefacts.ArtefactError(
            f"config.yaml: tokenizer.vocab_size is {vocab_size}, but the training text gives only "
            f"{tokenizer.get_vocab_size()} tokens; lower it or give more text"
        )
    return tokenizer


def save_tokenizer(tokenizer: "Tokenizer", path: str | Path, config_path: str | Path) -> None:
    """Write tokenizer.json, and tokenizer_config.json for transformers' AutoTokenizer."""
    artefacts.write_text(tokenizer.to_str(pretty=True), path)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "unk_token": END_OF_TEXT,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1_000_000_000,
    }
    artefacts.write_json(config, config_path)


def load_tokenizer(path: str | Path) -> "Tokenizer":
    """Open a tokenizer.json so that encode adds nothing and reads a literal `<|endoftext|>` as plain text.

    Raises: ArtefactError for a missing, cut or foreign file.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise artefacts.ArtefactError(
            f"{path} is missing, cut short or no tokenizer ({error}); make it again"
        ) from None
    tokenizer.encode_special_tokens = True
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def end_of_text_id(tokenizer: "Tokenizer", path: str | Path) -> int:
    """Id of the token before each document: `bos_token` of tokenizer_config.json, else `eos_token`, else <|endoftext|>.

    In GPT-2, Pythia and OPT all are one; Llama and Gemma need their `bos_token` to read anything well. Where text gets
    no token before it (Qwen, SmolLM), `bos_token` and `eos_token` mark the turns of a chat, and <|endoftext|> is first.
    """
    beside = Path(path).with_name("tokenizer_config.json")
    config = artefacts.read_json(beside) if beside.exists() else {}
    adds_none = (config.get("tokenizer_class") or "").removesuffix("Fast") in ADD_NO_BOS
    if not config.get("add_bos_token", not adds_none) and (token_id := tokenizer.token_to_id(END_OF_TEXT)) is not None:
        return token_id
    named = config.get("bos_token") or config.get("eos_token")
    name = named["content"] if isinstance(named, dict) else named or END_OF_TEXT
    token_id = tokenizer.token_to_id(name)
    if token_id is None:
        raise artefacts.ArtefactError(
            f"{path} has no token '{name}' to put between documents; name one in {beside.name}"
        )
    return token_id


def cut(ids: list[int], room: int, what: str) -> list[int]:
    """At most `room` token ids of a text that a model is given; a line of the log says where some are left out."""
    if len(ids) > room:
        job.say(f"{what} has {len(ids)} tokens, the context has room for {room}: it is cut there")
    return ids[:room]


def train_tokenizer(
    documents: str | Path, vocab_size: int, path: str | Path, config_path: str | Path, threads: int = 1
) -> None:
    """Train on the train split of documents.jsonl, and write the tokenizer's two files."""
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    texts = (document.text for document in corpus.read(documents) if document.split == "train")
    save_tokenizer(train_bpe(texts, vocab_size), path, config_path)
