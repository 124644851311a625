"""Tokens of natural text in the contexts that rules find (natural_rules.py). A token is in one if its last byte is."""

import numpy as np
from jaxtyping import Bool
from tokenizers import Tokenizer

from scripts.monosem.core import artefacts
from scripts.monosem.text.natural_rules import CONTEXTS, spans
from scripts.monosem.text.tokens import TokenStream


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
