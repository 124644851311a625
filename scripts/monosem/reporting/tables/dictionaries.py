"""Tables of universality, splitting and automata."""

from collections.abc import Mapping
from typing import Any

from scripts.monosem.reporting.formats import code, count, estimate, fixed, number, percent, table

MATCHED = {
    "latents": "latents",
    "neurons": "neurons",
    "latents_permuted_tokens": "*latents, permuted tokens*",
    "neurons_permuted_tokens": "*neurons, permuted tokens*",
    "latents_permuted_model": "*latents, permuted model*",
    "neurons_permuted_model": "*neurons, permuted model*",
}
"""Subject -> its name; controls in italics."""
LED = {
    "latents": "latents",
    "shuffled_next": "*next tokens shuffled*",
    "permuted_targets": "*targets of another latent*",
    "permuted_model": "*permuted model's dictionary*",
}


def matches(document: Mapping[str, Any]) -> str:
    """Best matches of latents and neurons in the other seed, and in the controls."""
    lines = []
    for key, name in MATCHED.items():
        if key in document["subjects"]:
            row = document["subjects"][key]
            numbers = ("median_correlation", "median_attribution_correlation", "median_logit_correlation")
            lines.append(
                [
                    name,
                    count(row["n_units"]),
                    *(estimate(row[each]) for each in numbers),
                    percent(row["mutual_share"], 0),
                ]
            )
    header = ["units", "matched", "activations, median", "attributions, median", "logit weights, median", "mutual"]
    return table(header, lines)


def matched_cases(document: Mapping[str, Any]) -> str:
    """The latent of each labelled context, its match in the other seed, and where both fire most."""
    lines = []
    for name, row in document["cases"].items():
        shown = []
        for key in ("examples", "match_examples"):
            tokens, peak = (row[key][0][part] for part in ("tokens", "peak")) if row[key] else ((), 0)
            shown.append(code("".join(tokens[max(peak - 6, 0) : peak + 7])))
        lines.append(
            [
                name, row["latent"], row["match"], estimate(row["correlation"]), fixed(row["logit_correlation"], 2),
                fixed(row["label_correlation"], 2), fixed(row["match_label_correlation"], 2), *shown,
            ]
        )  # fmt: skip
    header = [
        "context",
        "A",
        "B",
        "activations",
        "logit weights",
        "A and label",
        "B and label",
        "A fires on",
        "B fires on",
    ]
    return table(header, lines, "l" + "r" * 6 + "ll")


def splits_of_latents(document: Mapping[str, Any]) -> str:
    """Parents and children of every step, of all steps at once, and of the controls."""
    size = {row["run"]: count(row["d_sae"]) for row in document["widths"]}
    lines = []
    for key, row in document["subjects"].items():
        name = f"{size[row['parents']]} → {size.get(row['children'], '')}"
        name = {
            "random_pairing": "*children of another parent*",
            "permuted_model": "*permuted model's dictionary*",
        }.get(key, name)
        lines.append(
            [
                name, count(row["n_parents"]), count(row["n_edges"]), estimate(row["best_child_jaccard"]),
                estimate(row["union_jaccard"]), estimate(row["split_share"], percent),
            ]
        )  # fmt: skip
    header = [
        "dictionaries",
        "parents",
        "edges",
        "best child, median",
        "union of children, median",
        "parents that split",
    ]
    return table(header, lines)


def transitions(document: Mapping[str, Any]) -> str:
    """Lift and effect of ablation of the edges that logit weights choose, beside controls."""
    lines = []
    for key, name in LED.items():
        if key in document["subjects"]:
            row = document["subjects"][key]
            ends = [
                "" if row[each]["value"] is None else estimate(row[each], number)
                for each in ("lift", "probability_ratio")
            ]
            lines.append([name, count(row["n_edges"]), ends[0], percent(row["share_above_one"]["value"]), ends[1]])
    return table(["edges of", "edges", "lift", "edges with lift above one", "probability, clean / ablated"], lines)
