"""The tokenizer in the header of a GGUF file, as a tokenizer.json of Hugging Face's `tokenizers`.

Two kinds: byte-level BPE with merges ("gpt2": GPT-2, Llama 3, Qwen, SmolLM), and SentencePiece BPE with scores
("llama": Llama 2, Gemma). The header names how text is split before BPE (`tokenizer.ggml.pre`); the regular expressions
are those of the models' own tokenizer.json.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.monosem.core.artefacts import ArtefactError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Read = Callable[..., Any]
"""(key, default) -> value of the header."""

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""Types of tokens (llama.cpp's llama_token_type)."""

LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
QWEN_2 = LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}")


def _pre_tokenizer(name: str, path: Path) -> Any:
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence, Split

    def split(pattern: str) -> Any:
        return Sequence([Split(Regex(pattern), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)])

    plain = ByteLevel(add_prefix_space=False, use_regex=True)
    known: dict[str, Callable[[], Any]] = {
        "gpt-2": lambda: plain,
        "smollm": lambda: Sequence([Digits(individual_digits=True), plain]),
        "llama-bpe": lambda: split(LLAMA_3),
        "qwen2": lambda: split(QWEN_2),
    }
    if name not in known:
        raise ArtefactError(f"{path}: the tokenizer splits text as '{name}', which is none of {', '.join(known)}")
    return known[name]()


def _byte_level(read: Read, vocabulary: dict[str, int], path: Path) -> "Tokenizer":
    from tokenizers import Tokenizer, decoders, normalizers
    from tokenizers.models import BPE

    merges = [tuple(pair.split(" ", 1)) for pair in read("tokenizer.ggml.merges", [])]
    tokenizer = Tokenizer(BPE(vocabulary, merges, fuse_unk=False, byte_fallback=False))
    pre = read("tokenizer.ggml.pre", "gpt-2")
    tokenizer.pre_tokenizer, tokenizer.decoder = _pre_tokenizer(pre, path), decoders.ByteLevel()
    if pre == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def _sentencepiece(read: Read, vocabulary: dict[str, int], types: list[int]) -> "Tokenizer":
    from tokenizers import Tokenizer, decoders, normalizers
    from tokenizers.models import BPE
    from transformers.convert_slow_tokenizer import generate_merges

    scores = read("tokenizer.ggml.scores")
    pieces = {token: scores[i] for token, i in vocabulary.items() if types[i] in (NORMAL, USER_DEFINED)}
    unknown = next((token for token, i in vocabulary.items() if types[i] == UNKNOWN), None)
    merges = generate_merges({token: vocabulary[token] for token in pieces}, pieces)
    tokenizer = Tokenizer(BPE(vocabulary, merges, unk_token=unknown, fuse_unk=True, byte_fallback=True))
    prefix = read("tokenizer.ggml.add_space_prefix", True)
    blank = normalizers.Replace(" ", "▁")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), blank]) if prefix else blank
    ends = [decoders.Strip(" ", 1, 0)] if prefix else []
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *ends])
    return tokenizer


def tokenizer_of(read: Read, path: Path) -> "tuple[Tokenizer, dict[str, Any]]":
    """The tokenizer and its tokenizer_config.json, from a function that reads the header.

    Raises: ArtefactError for a kind of tokenizer, or a way to split text, that is not known.
    """
    from tokenizers import AddedToken

    tokens, kind = read("tokenizer.ggml.tokens"), read("tokenizer.ggml.model")
    if not tokens or kind not in ("gpt2", "llama"):
        raise ArtefactError(f"{path}: its tokenizer is of the kind '{kind}'; only 'gpt2' and 'llama' can be read")
    types = read("tokenizer.ggml.token_type", [NORMAL] * len(tokens))
    vocabulary = {token: i for i, token in enumerate(tokens)}
    byte_level = kind == "gpt2"
    tokenizer = _byte_level(read, vocabulary, path) if byte_level else _sentencepiece(read, vocabulary, types)
    added = [
        AddedToken(token, special=types[i] == CONTROL, normalized=False)
        for i, token in enumerate(tokens)
        if types[i] in (CONTROL, USER_DEFINED)
    ]
    tokenizer.add_tokens(added)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "add_bos_token": read("tokenizer.ggml.add_bos_token", not byte_level),
    }
    for name, key in {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}.items():
        number = read(f"tokenizer.ggml.{key}_token_id")
        if number is not None:
            config[f"{name}_token"] = tokens[number]
    if template := read("tokenizer.chat_template"):
        config["chat_template"] = template
    return tokenizer, config
