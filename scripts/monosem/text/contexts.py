"""Labels by rule: where natural text is in one of the planted contexts (Arabic, Hebrew, DNA, base64).

A span starts at a run of a context's characters. Runs that only blanks, digits and punctuation of one line (scripts) or
a line break (sequences) separate are one span, and the blank before a span belongs to it, as in planted documents.
"""

import re
from collections.abc import Iterable

CONTEXTS = ("arabic", "hebrew", "dna", "base64")
Spans = tuple[tuple[int, int, str], ...]
"""Character spans [start, end) with their context."""

_RUNS = {
    "arabic": re.compile("[\u0620-\u064a\u066e-\u06d3\u06fa-\u06ff\u0750-\u077f]+"),
    "hebrew": re.compile("[\u05d0-\u05ea]+"),
    "dna": re.compile(r"[ACGT]{12,}"),
    "base64": re.compile(r"(?<![\w+/])[A-Za-z0-9+/]{40,}"),
}
_BETWEEN_WORDS, _BETWEEN_LINES = re.compile(r"(?:[^\w\n]|[\d_]){0,20}"), re.compile(r"\n")
_GAPS = {"arabic": _BETWEEN_WORDS, "hebrew": _BETWEEN_WORDS, "dna": _BETWEEN_LINES, "base64": _BETWEEN_LINES}
_SENTENCE_END = "[.!?\u2026\u060c\u061b\u061f]*"
_TAILS = {
    "arabic": re.compile("[\u0640\u064b-\u065f\u0670]*" + _SENTENCE_END),  # vowel signs of the last letter
    "hebrew": re.compile("[\u0591-\u05c7]*" + _SENTENCE_END),
    "dna": re.compile(r"(?:\n[ACGT]+$)?", re.MULTILINE),
    "base64": re.compile(r"={0,2}(?:\n(?:[A-Za-z0-9+/]{4})*[A-Za-z0-9+/]{2}(?:==|[A-Za-z0-9+/]=|[A-Za-z0-9+/]{2})$)?",
                         re.MULTILINE),
}  # fmt: skip


def _is_base64(run: str) -> bool:
    """A long run of letters and digits that is no path, name or hexadecimal number."""
    upper, lower, digits = (sum(map(test, run)) for test in (str.isupper, str.islower, str.isdigit))
    return digits >= 3 and min(upper, lower) >= 0.2 * len(run)


def _runs(text: str, context: str) -> Iterable[tuple[int, int]]:
    for match in _RUNS[context].finditer(text):
        if context != "base64" or _is_base64(match.group()):
            yield match.span()


def occurs(text: str, contexts: Iterable[str]) -> bool:
    """True if the text is in one of the contexts anywhere."""
    return any(True for context in contexts for _ in _runs(text, context))


def _spans_of(text: str, context: str) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in _runs(text, context):
        if merged and _GAPS[context].fullmatch(text, merged[-1][1], start):
            start = merged.pop()[0]
        merged.append((start, end))
    return [
        (start - (text[start - 1 : start] == " "), tail.end())
        for start, end in merged
        if (tail := _TAILS[context].match(text, end))
    ]


def spans(text: str, contexts: Iterable[str]) -> Spans:
    """Spans of natural text that are in a context, in order; where two overlap, the first is kept."""
    candidates = sorted((start, end, context) for context in contexts for start, end in _spans_of(text, context))
    kept: list[tuple[int, int, str]] = []
    for start, end, context in candidates:
        if not kept or start >= kept[-1][1]:
            kept.append((start, end, context))
    return tuple(kept)
