"""Tables of latents and neurons: planted contexts, cards, token entropy."""

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.monosem.reporting.formats import code, count, fixed, percent, table


def contexts(scored: Mapping[str, Mapping[str, Any]]) -> str:
    """Best latent, best neuron and controls of every planted context, on the test split."""
    lines = []
    for name, row in scored.items():
        units = {
            f"latent {row['latent']['index']}": row["latent"],
            f"neuron {row['neuron']['index']}": row["neuron"],
            "*latent chosen on permuted labels*": row["controls"]["shuffled_labels"],
            "*random latent*": row["controls"]["random_latent"],
            "*best latent of another context*": row["controls"]["other_contexts_best"],
        }
        for unit, score in units.items():
            if score is not None:
                test = score["test"]
                numbers = [fixed(test[key], 2) for key in ("precision", "recall", "f1", "pearson", "specificity")]
                lines.append([name, unit, *numbers, percent(test["density"], 2)])
    header = ["context", "unit", "precision", "recall", "F1", "correlation", "specificity", "fires on"]
    return table(header, lines, "ll" + "r" * 6)


def cards(units: Sequence[Mapping[str, Any]], n: int, n_examples: int = 3) -> str:
    """The first units of a random sample: top tokens, logit weights, and the strongest examples around their peak."""
    lines = []
    for card in units[:n]:
        examples = []
        for example in card["examples"][:n_examples]:
            before, after = example["tokens"][: example["peak"]], example["tokens"][example["peak"] + 1 :]
            parts = [code("".join(before)), f"**{code(example['tokens'][example['peak']])}**", code("".join(after))]
            examples.append(" ".join(part for part in parts if part))
        raised = card["logit_weights"]["top"][:5] if card["logit_weights"] else []
        lines.append(
            [
                card["index"], percent(card["density"], 2), fixed(card["token_entropy_nats"], 1),
                " ".join(code(item["text"]) for item in card["top_tokens"][:5]),
                " ".join(code(item["text"]) for item in raised), "<br>".join(examples),
            ]
        )  # fmt: skip
    header = ["unit", "fires on", "token entropy (nats)", "top tokens", "raises", "strongest examples, peak in bold"]
    return table(header, lines, "rrrlll")


def entropies(summary: Mapping[str, Mapping[str, Any]]) -> str:
    """Token entropy and single-token share of latents and neurons."""
    lines = [
        [
            kind, count(row["n_live"]), count(row["n_units"]), fixed(row["median_token_entropy_nats"], 2),
            percent(row["single_token_share"]), percent(row["median_density"], 2),
        ]
        for kind, row in summary.items()
    ]  # fmt: skip
    return table(["units", "live", "sampled", "median token entropy (nats)", "single-token", "median density"], lines)
