"""Contexts of natural text that a rule can label: code in documentation, addresses, numbers, formulas, references.

Few tokens belong to one of them alone, so that a unit which marks one has to read more than the current token. A token
is in a context if its last byte is.
"""

import re

import numpy as np
from jaxtyping import Bool
from tokenizers import Tokenizer

from scripts.monosem.core import artefacts
from scripts.monosem.text.tokens import TokenStream

_NUMBER = rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?j?"
_PATTERNS = {
    "doctest": rb"^[ \t]*(?:>>>|\.\.\.)[ ](.*)$",
    "url": rb"(https?://[^\s<>\"'`)\]}]+)",
    "numbers": rb"(\[*%b(?:[\s,;\[\]()]+%b){3,}[\])]*)" % (_NUMBER, _NUMBER),
    "latex": rb":math:`([^`]+)`|^(?P<indent>[ \t]*)\.\. math::(.*(?:\n[ \t]*$|\n(?P=indent)[ \t]+\S.*)*)",
    "directive": rb"^[ \t]*(\.\.[ ][\w:-]+::.*)$",
    "citation": rb"^(?P<indent>[ \t]*)\.\.[ ]\[[\w.-]+\][ ]*(.*(?:\n(?P=indent)[ \t]+\S.*)*)",
    "hexadecimal": rb"\b0x([0-9a-fA-F]{3,})\b|\b((?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,})\b",
}
_RULES = {name: re.compile(pattern, re.MULTILINE) for name, pattern in _PATTERNS.items()}
CONTEXTS = tuple(_RULES)
DESCRIPTIONS = {
    "doctest": "code behind the prompts of an interactive session",
    "url": "web addresses",
    "numbers": "four or more numbers in a row, as in printed arrays",
    "latex": "formulas in LaTeX",
    "directive": "lines with a directive of reStructuredText",
    "citation": "entries of a list of references",
    "hexadecimal": "hexadecimal numbers of three digits or more",
}


def token_bytes(tokenizer: Tokenizer) -> list[bytes]:
    """Bytes of every token of a byte-level tokenizer.

    Raises: ArtefactError for a tokenizer of another kind.
    """
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    bytes_of = {chr(byte): byte for byte in shown} | {chr(256 + n): byte for n, byte in enumerate(hidden)}
    try:
        names = [tokenizer.id_to_token(token) or "" for token in range(tokenizer.get_vocab_size())]
        return [bytes(bytes_of[character] for character in name) for name in names]
    except KeyError as error:
        raise artefacts.ArtefactError(
            f"case studies need a byte-level tokenizer, but a token of this one has the character {error}"
        ) from None


def spans(text: bytes, context: str) -> list[tuple[int, int]]:
    """Byte spans [start, end) of a context, in order."""
    rule = _RULES[context]
    groups = set(range(1, rule.groups + 1)) - set(rule.groupindex.values())
    return [match.span(group) for match in rule.finditer(text) for group in groups if match.group(group)]


def label(stream: TokenStream, pieces: list[bytes], n_documents: int) -> Bool[np.ndarray, "token context"]:
    """True where a token of the first documents is in a context; none of a planted document is.

    Args: pieces: `token_bytes` of the stream's tokenizer.
    """
    bounds = np.asarray(stream.documents[: n_documents + 1])
    tokens = np.asarray(stream.tokens[: bounds[-1]]).tolist()
    labels = np.zeros((len(tokens), len(CONTEXTS)), bool)
    for first, end, natural in zip(bounds[:-1] + 1, bounds[1:], stream.natural[:n_documents], strict=True):
        if natural and first < end:
            parts = [pieces[token] for token in tokens[first:end]]
            last = np.cumsum([len(part) for part in parts]) - 1
            text = b"".join(parts)
            for column, context in enumerate(CONTEXTS):
                for start, stop in spans(text, context):
                    inside = slice(*np.searchsorted(last, (start, stop)))
                    labels[first:end][inside, column] = True
    return labels
