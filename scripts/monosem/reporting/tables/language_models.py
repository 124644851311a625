"""Table of language models."""

from collections.abc import Mapping
from typing import Any

from scripts.monosem.reporting.formats import code, count, fixed, table


def models(documents: Mapping[str, Mapping[str, Any]]) -> str:
    """Training budget and held-out scores of every language model that has scores."""
    lines = []
    for name, document in documents.items():
        scores = document.get("scores")
        if scores is None:
            lines.append([code(name), document["kind"], *["–"] * 8])
            continue
        whole = scores["model"]["nats_per_token"]
        lines.append(
            [
                code(name), document["kind"], count(document["parameters"]), count(document.get("tokens")) if
                document.get("tokens") else "–", f"{document['seconds']:.0f}" if document.get("seconds") else "–",
                fixed(whole), fixed(scores["model"]["bits_per_character"]),
                fixed(scores["mlp_zeroed"]["nats_per_token"] - whole),
                fixed(scores["bigram"]["nats_per_token"] - whole),
                fixed(scores["trigram"]["nats_per_token"] - whole),
            ]
        )  # fmt: skip
    header = [
        "model", "kind", "parameters", "tokens trained on", "training (s)", "nats per token", "bits per character",
        "zeroing the MLPs adds (nats)", "bigram model is worse by (nats)", "trigram model by",
    ]  # fmt: skip
    return table(header, lines, "ll" + "r" * 8)
