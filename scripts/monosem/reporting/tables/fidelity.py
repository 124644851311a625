"""Tables of the fidelity of autoencoders, with 95 % intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.monosem.evaluation.fidelity.by_layer import reference_row
from scripts.monosem.evaluation.fidelity.document import in_sweeps
from scripts.monosem.models.site_names import layer_of
from scripts.monosem.reporting.formats import cell, code, count, fixed, number, percent, table
from scripts.monosem.sae.architectures import ARCHITECTURES

NORMS_SHOWN = {
    "loss added (nats)": ("ce_increase_nats", fixed),
    "recovered": ("ce_loss_score", percent),
    "variance explained": ("explained_variance", fixed),
}
"""Columns of `norms`: words -> key and format."""


def _with_interval(row: Mapping[str, Any], key: str, form: Any) -> str:
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    interval = f" [{form(low).removesuffix(' %')}, {form(high).removesuffix(' %')}]" if None not in (low, high) else ""
    return form(row[key]) + interval


def saes(document: Mapping[str, Any]) -> str:
    """Fidelity of every autoencoder of one site, with 95 % intervals."""
    lines = [
        [
            code(name), ARCHITECTURES[row["architecture"]].label, count(row["d_sae"]),
            fixed(row["l0"], 1),
            _with_interval(row, "ce_loss_score", percent), _with_interval(row, "ce_increase_nats", fixed),
            fixed(row["explained_variance"]), fixed(row["kl_div_with_sae"]), percent(row["frac_alive"]),
        ]
        for name, row in document["runs"].items()
        if name not in in_sweeps(document)
    ]  # fmt: skip
    header = [
        "run", "architecture", "latents", "L0", "loss recovered", "loss added (nats)", "variance explained",
        "KL (nats)", "alive",
    ]  # fmt: skip
    return table(header, lines, "ll" + "r" * 7)


def sweep(variants: Mapping[str, Mapping[str, Any]]) -> str:
    """Variants of one sweep: means over seeds, and differences to the first variant with 95 % intervals."""

    def difference(row: Mapping[str, Any] | None) -> str:
        if row is None:
            return "–"
        low, high = row["difference_low"], row["difference_high"]
        interval = "" if low is None else f" [{low:+.3f}, {high:+.3f}]"
        return f"{row['difference']:+.3f}{interval}"

    def shown(row: Mapping[str, Any], form: Any) -> str:
        return form(row["mean"]) + ("" if row.get("difference") is None else f" ({difference(row)})")

    lines = [
        [code(name), len(row["runs"]), fixed(row["l0"]["mean"], 1)]
        + [shown(row[key], fixed) for key in ("ce_increase_nats", "explained_variance", "frac_alive")]
        + [difference(row.get("ce_increase_at_equal_l0"))]
        for name, row in variants.items()
    ]
    header = ["variant", "seeds", "L0", "loss added (nats)", "variance explained", "alive share", "loss at equal L0"]
    return table(header, lines, "l" + "r" * 6)


def baselines(document: Mapping[str, Any], run: str) -> str:
    """The autoencoder of a run beside every baseline of its site: losses, and the share of the MLP's worth kept."""
    rows = {f"**{run}** (autoencoder)": document["runs"][run]}
    rows |= {f"{cell(row['what'])}": row for row in document["baselines"].values()}
    worth = "mlp_worth_kept" in document["runs"][run]
    lines = [
        [
            name, fixed(row["l0"], 1), fixed(row["ce_loss_with_sae"]), _with_interval(row, "ce_increase_nats", fixed),
            *([_with_interval(row, "mlp_worth_kept", percent)] if worth else []),
            _with_interval(row, "ce_loss_score", percent), fixed(row["explained_variance"]),
        ]
        for name, row in rows.items()
    ]  # fmt: skip
    header = [
        "activations replaced by", "L0", "loss (nats)", "loss added (nats)", *(["MLP's worth kept"] if worth else []),
        "recovered, against zero ablation", "variance explained",
    ]  # fmt: skip
    return table(header, lines)


def norms(document: Mapping[str, Any]) -> str:
    """Tokens of enormous norm at a site: how many, what they hold, and fidelity where they are replaced, too.

    Empty where there are none and no few tokens hold most of the variance.
    """
    facts, lines = document["norms"], []
    sentences = [f"**{facts['warning']}.**"] if facts["warning"] else []
    if facts["n_excluded"]:
        sentences.append(
            f"{count(facts['n_excluded'])} of {count(facts['n_excluded'] + document['n_tokens'])} tokens have norms "
            f"above {number(facts['exclude_norm_above'])} times the median ({number(facts['median'])}; the largest is "
            f"{number(facts['largest'])}). No autoencoder was trained on such tokens, and in all numbers but those "
            "below they pass through untouched. With them, 0.1 % of the tokens would hold "
            f"{percent(facts['top_variance_share_with_excluded'])} of the variance, without them "
            f"{percent(facts['top_variance_share'])}."
        )
        rows = document["runs"] | {cell(row["what"]): row for row in document["baselines"].values()}
        for name, row in rows.items():
            pairs = [(part[key], form) for key, form in NORMS_SHOWN.values() for part in (row, row["with_excluded"])]
            lines.append([code(name) if name in document["runs"] else name, *(form(value) for value, form in pairs)])
        header = [f"{words}{which}" for words in NORMS_SHOWN for which in (", these untouched", ", these replaced")]
        sentences.append("\n\n" + table(["activations replaced by", *header], lines))
    return " ".join(sentences)


def by_layer(column: Sequence[Mapping[str, Any]]) -> str:
    """One place at several layers: the gap in nats beside every percentage, and the controls."""

    def nats(row: Mapping[str, Any] | None) -> str:
        return _with_interval(row, "ce_increase_nats", fixed) if row else "–"

    lines = []
    for document in column:
        row, others = reference_row(document), document["baselines"]
        lines.append(
            [
                str(layer_of(document["site"])[0]), fixed(row["l0"], 1), nats(others["zero_ablation"]),
                fixed(others["mean_ablation"]["ce_increase_nats"]), nats(row),
                _with_interval(row, "ce_loss_score", percent), fixed(row["explained_variance"]),
                nats(others.get("other_layer_sae")), nats(others.get("random_dictionary")),
            ]
        )  # fmt: skip
    header = [
        "layer", "L0", "zero ablation adds (nats)", "mean ablation adds", "its own autoencoder adds (nats)",
        "recovered of the first gap", "variance explained", "another layer's autoencoder adds (nats)",
        "random dictionary adds (nats)",
    ]  # fmt: skip
    return table(header, lines)
