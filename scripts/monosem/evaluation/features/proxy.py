"""The log-likelihood proxies of Bricken et al. 2023: how much more probable text is in a context than at large.

    proxy(t) = max over stretches s that end at token t of log P(s | context) / P(s)

P(s) is the product of the tokens' frequencies in training text. P(s | context) is, for base64, 1/64 per character of
its alphabet, for DNA 1/4 per letter; for a script, by Bayes, P(context | s) / P(context). Anything else has probability
ELSEWHERE. Over stretches the maximum is a sum that is begun anew wherever that is better.
"""

import re
import string
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Integer

ELSEWHERE = 1e-10
ALPHABETS = {"base64": string.ascii_letters + string.digits + "+/", "dna": "ACGT"}
SCRIPTS = {"arabic": "\u0600-\u06ff\u0750-\u077f", "hebrew": "\u0590-\u05ff"}
TWO_TOKENS = {"dna"}
"""Contexts whose stretches have two tokens at least."""
EDGES = (-5.0, 0.0, 5.0, 20.0)
"""Nats that bound the bins of the histograms."""


def token_ratios(
    texts: Sequence[str], context: str, counts: Integer[np.ndarray, " vocab"], labelled: Integer[np.ndarray, " vocab"]
) -> Float[np.ndarray, " vocab"]:
    """log P(token | context) / P(token) of every token.

    Args:
        texts: of the tokens.
        counts: occurrences of each in training text.
        labelled: those that are in the context. A token that holds part of a character, which is of no script by
            itself, has the share of its occurrences in the context.
    """
    frequency = np.maximum(counts, 0.5) / counts.sum()
    if context in ALPHABETS:
        alphabet = set(ALPHABETS[context])
        letter = np.log(1 / len(alphabet))
        inside = [sum(letter if each in alphabet else np.log(ELSEWHERE) for each in text) for text in texts]
        return np.array(inside) - np.log(frequency)
    whole = re.compile(f"[{SCRIPTS[context]}]+")
    share = labelled / np.maximum(counts, 1)
    certain = np.array([whole.fullmatch(text.strip()) is not None for text in texts], float)
    probability = np.where(["\ufffd" in text for text in texts], share, certain)
    return np.log(np.maximum(probability, ELSEWHERE)) - np.log(max(labelled.sum(), 0.5) / counts.sum())


def proxy(
    ratios: Float[np.ndarray, " n"], first: Integer[np.ndarray, " sequences"], context: str
) -> Float[np.ndarray, " n"]:
    """The proxy of every token of some sequences; `first` are their beginnings.

    Args:
        ratios: `token_ratios` of the tokens, one after another. For scripts they do not add up over a stretch, as its
            probability is that of being in the script: the last token decides.
    """
    if context in SCRIPTS:
        return ratios
    begins = np.zeros(len(ratios), bool)
    begins[first] = True
    result, best = np.empty(len(ratios)), 0.0
    for place, ratio in enumerate(ratios):
        before = 0.0 if begins[place] else best
        best = ratio + max(before, 0.0)
        result[place] = ratio + before if context in TWO_TOKENS else best
    return result


def bin_of(values: Float[np.ndarray, " n"]) -> Integer[np.ndarray, " n"]:
    """Bin of each proxy: number of EDGES up to it."""
    return np.searchsorted(EDGES, values, side="right")
