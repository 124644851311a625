"""Tables of the case studies: contexts, their best units and controls."""

from collections.abc import Mapping
from typing import Any

from scripts.monosem.reporting.formats import count, estimate, percent, table

SUBJECTS = {
    "latent": "latent",
    "neuron": "*best neuron*",
    "random_dictionary": "*best of a random dictionary*",
    "permuted_model": "*best latent of the permuted model*",
    "lookup": "*the token alone*",
}
"""Subject -> its name; controls in italics."""


def _cell(row: Mapping[str, Any] | None) -> str:
    """The number with its interval; empty where there is none."""
    return "" if row is None or row["value"] is None else estimate(row)


def case_tokens(document: Mapping[str, Any]) -> str:
    """Every context: what it is, how much of it was read, and whether its latent is one of the context or of tokens."""
    lines = []
    for name, case in document["cases"].items():
        sizes = (case["n_tokens"]["test"], case["n_windows"], case["n_documents"])
        lines.append([name, case["what"], *map(count, sizes), percent(case["share_of_tokens"], 2), case["reported_as"]])
    return table(["context", "is", "tokens", "windows", "documents", "of all tokens", "latent is a"], lines, "llrrrrl")


def cases(document: Mapping[str, Any]) -> str:
    """The best unit of every kind for every context, with intervals over documents."""
    lines = []
    for name, case in document["cases"].items():
        for kind, unit in case["subjects"].items():
            called = SUBJECTS[kind] if kind != "latent" else f"latent {unit['index']}"
            numbers = ("pearson", "gain", "added_variance", "precision", "recall")
            lines.append([name, called, *(_cell(unit[each]) for each in numbers), _cell(unit.get("proxy_pearson"))])
    header = ["context", "unit", "correlation", "over the token", "added variance", "precision", "recall", "with proxy"]
    return table(header, lines, "ll" + "r" * 6)
