"""Unicode normalisation of text, and keys by which texts are split and compared."""

import hashlib
import re
import unicodedata

KEY_WORDS = 24
"""Plain words at the start of a text whose hash decides its split: copies with other names share them."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufeff]")
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{4,}")
_WORD = re.compile(r"\w+")


def normalise(text: str) -> str:
    """NFC, line feeds, no control characters but tab and line feed, no trailing blanks, at most two empty lines.

    Idempotent. Raises: ValueError for text that UTF-8 cannot encode (lone surrogates).
    """
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = unicodedata.normalize("NFC", text)
    text = _BLANK_LINES.sub("\n\n\n", _TRAILING.sub("", text)).strip("\n")
    text.encode("utf-8")
    return text


def digest(text: str) -> bytes:
    """sha256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).digest()


def near_key(text: str) -> str:
    """The first plain lower-case words of a text: equal for copies that differ in names, numbers and layout.

    A text with fewer such words is its own key.
    """
    words: list[str] = []
    for match in _WORD.finditer(text):
        word = match.group()
        if word.isalpha() and word == word.lower():
            words.append(word)
            if len(words) == KEY_WORDS:
                return " ".join(words)
    return text
