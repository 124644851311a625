"""Runs of a fidelity.json that belong to a sweep, and those that figures draw one by one. No torch."""

from typing import Any

MOST_ALONE = 30  # runs of one site that figures draw one by one


def in_sweeps(document: dict[str, Any]) -> set[str]:
    """Runs of a fidelity.json that belong to a sweep."""
    return {
        run
        for variants in document.get("sweeps", {}).values()
        for variant in variants.values()
        for run in variant["runs"]
    }


def drawn_alone(document: dict[str, Any]) -> list[str]:
    """Runs of a fidelity.json that figures draw one by one: not those of sweeps, and of many only the first.

    The reference run is among them. A figure with a row per run says nothing from a few dozen rows on.
    """
    swept = in_sweeps(document)
    alone = [run for run in document["runs"] if run not in swept]
    first = [run for run in alone if run != document.get("reference")][: MOST_ALONE - 1]
    return [run for run in alone if run == document.get("reference") or run in first]
