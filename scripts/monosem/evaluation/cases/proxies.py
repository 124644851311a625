"""Bricken et al. 2023's proxies of four contexts: a likelihood ratio in place of labels.

The proxy at a token is log P(s | context) / P(s), the largest over the stretches s of text that end there; P(s) is the
product of the tokens' frequencies. It knows no document, and takes English words of the letters A, C, G and T for DNA.
"""

import numpy as np
from jaxtyping import Bool, Float, Integer

IMPOSSIBLE = 1e-10
"""Probability of a character that does not belong to the context."""
_ALPHABETS = {
    "base64": (b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 1 / 64),
    "dna": (b"ACGT", 1 / 4),
}
_SCRIPTS = {"arabic": ((0x600, 0x6FF), (0x750, 0x77F)), "hebrew": ((0x590, 0x5FF),)}
PROXIES = (*_ALPHABETS, *_SCRIPTS)


def _in_script(piece: bytes, share: float, blocks: tuple[tuple[int, int], ...]) -> float:
    """P(script | token); a part of a character takes the share of its occurrences that are in the script."""
    try:
        text = piece.decode("utf-8").removeprefix(" ")
    except UnicodeDecodeError:
        return share
    inside = bool(text) and all(any(low <= ord(char) <= high for low, high in blocks) for char in text)
    return 1.0 if inside else IMPOSSIBLE


def log_ratios(
    context: str,
    pieces: list[bytes],
    count: Integer[np.ndarray, " vocab"],
    in_context: Integer[np.ndarray, " vocab"],
) -> Float[np.ndarray, " vocab"]:
    """log P(token | context) / P(token) of every token.

    Args:
        count, in_context: occurrences in training text, and those of them that are in the context.
    A blank before a word belongs to it; the paper does not say how its tokeniser splits words of these scripts.
    """
    total = count.sum() + len(count)
    frequency = (count + 1) / total
    if context in _ALPHABETS:
        alphabet, each = _ALPHABETS[context]
        return np.array(
            [
                sum(np.log(each if byte in alphabet else IMPOSSIBLE) for byte in piece) - np.log(frequency[token])
                for token, piece in enumerate(pieces)
            ]
        )
    shares = in_context / np.maximum(count, 1)
    inside = np.array(
        [_in_script(piece, float(share), _SCRIPTS[context]) for piece, share in zip(pieces, shares, strict=True)]
    )
    return np.log(np.maximum(inside, IMPOSSIBLE)) - np.log(max(in_context.sum(), 1) / total)


def proxy(
    ratios: Float[np.ndarray, " n"], starts: Bool[np.ndarray, " n"], at_least_two: bool = False
) -> Float[np.ndarray, " n"]:
    """The largest sum of log ratios of a stretch that ends at each token, within its document.

    Args: starts: first tokens of documents; at_least_two: stretches of one token do not count, as for DNA.
    """
    found, before = np.empty(len(ratios)), -np.inf
    for at, (ratio, is_first) in enumerate(zip(ratios.tolist(), starts.tolist(), strict=True)):
        if is_first:
            before = -np.inf
        found[at] = ratio + before if at_least_two else ratio + max(before, 0.0)
        before = ratio + max(before, 0.0)
    return found


def of_tokens(
    context: str, tokens: Integer[np.ndarray, " n"], starts: Bool[np.ndarray, " n"], ratios: Float[np.ndarray, " vocab"]
) -> Float[np.ndarray, " n"]:
    """The proxy as the paper compares it: not below 0, and for DNA its sign."""
    found = proxy(ratios[tokens], starts, at_least_two=context == "dna")
    return (found > 0).astype(np.float64) if context == "dna" else np.maximum(found, 0.0)
