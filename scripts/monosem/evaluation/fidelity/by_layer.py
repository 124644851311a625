"""Fidelity by layer: sites of one model that differ in their layer alone. No torch."""

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.monosem.models.site_names import layer_of

Document = Mapping[str, Any]  # a fidelity.json


def summary(column: Sequence[Document]) -> dict[str, Any]:
    """The place ("mlp.hook_post"), the range of the gaps, at how many layers the own autoencoder beats the other."""
    gaps = [document["baselines"]["zero_ablation"]["ce_increase_nats"] for document in column]
    better = [
        reference_row(document)["ce_increase_nats_high"]
        < document["baselines"]["other_layer_sae"]["ce_increase_nats_low"]
        for document in column
    ]
    defined = [document for document in column if reference_row(document)["ce_loss_score"] is not None]
    by_share = sorted(defined or column, key=lambda document: reference_row(document)["ce_loss_score"] or 0.0)
    return {
        "place": layer_of(column[0]["site"])[1],
        "least_gap_nats": min(gaps),
        "greatest_gap_nats": max(gaps),
        "nats_at_lowest_share": reference_row(by_share[0])["ce_increase_nats"],
        "nats_at_highest_share": reference_row(by_share[-1])["ce_increase_nats"],
        "n_layers": len(column),
        "n_better": sum(better),
    }


def columns(documents: Sequence[Document]) -> list[list[Document]]:
    """Evaluations of one place at two layers or more, each in the order of the layers."""
    by_place: dict[str, dict[int, Document]] = {}
    for document in documents:
        if document["reference"] and (place := layer_of(document["site"])):
            by_place.setdefault(place[1], {})[place[0]] = document
    return [[by_layer[layer] for layer in sorted(by_layer)] for by_layer in by_place.values() if len(by_layer) > 1]


def reference_row(document: Document) -> Document:
    """Row of a site's reference run."""
    return document["runs"][document["reference"]]
