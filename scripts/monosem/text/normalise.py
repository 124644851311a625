"""Unicode normalisation of text, and the hash by which texts are split and compared."""

import hashlib
import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufeff]")
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{4,}")


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
