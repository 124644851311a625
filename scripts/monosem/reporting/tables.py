"""Tables of the report: results in, Markdown out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scripts.monosem.core import artefacts
from scripts.monosem.core.timing import RuleTime
from scripts.monosem.evaluation.fidelity.by_layer import reference_row
from scripts.monosem.evaluation.fidelity.document import in_sweeps
from scripts.monosem.models.sites import layer_of
from scripts.monosem.reporting.render import FORMATS, cell, code, count, fixed, number, percent, table
from scripts.monosem.sae.kinds import KINDS


def _show(value: float | None, form: str) -> str:
    return FORMATS[form](value)


def _conditions(conditions: Iterable[Mapping[str, Any]]) -> str:
    parts = []
    for item in conditions:
        says = f", {item['bar_label']}" if item["bar_label"] else ""
        mark = "" if item["holds"] else " ✗"
        shown, bar = _show(item["value"], item["format"]), _show(item["bar"], item["format"])
        parts.append(f"{item['quantity']} **{shown}** ({item['sign']} {bar}{says}){mark}")
    return cell("<br>".join(parts))


def claims(rows: Sequence[Mapping[str, Any]]) -> str:
    """Claim, published value, ours with our bar, control with the same bar, verdict."""
    lines = []
    for row in rows:
        published = "<br>".join(
            f"{item['quantity']} {_show(item['value'], item.get('as', 'number'))}"
            + (f" ({item['note']})" if item.get("note") else "")
            for item in row["published"]
        )
        controls = "<br>".join(
            f"*{control['name']}*: "
            + (_conditions(control["conditions"]) + (" **passes**" if control["passes"] else ""))
            for control in row["controls"]
        )
        verdict = row["verdict"] + (f": {row['reason']}" if row["reason"] else "")
        source = f"{row['work']}, {row['section']}"
        lines.append(
            [f"{cell(row['claim'])}<br>*{cell(source)}*", cell(published) or "–", _conditions(row["ours"]) or "–",
             controls or "–", cell(verdict)]
        )  # fmt: skip
    return table(["claim", "paper", "ours (our bar)", "control (must miss it)", "verdict"], lines, "lllll")


def acceptance(result: Mapping[str, Any]) -> str:
    """The acceptance rules of a toy experiment: value, bound, verdict."""

    def show(value: Any) -> str:
        return cell(
            ", ".join(map(number, value))
            if isinstance(value, list)
            else value
            if isinstance(value, str)
            else number(value)
        )

    rows = [
        [
            cell(rule.get("says", name.replace("_", " "))),
            show(rule["value"]),
            show(rule["bound"]),
            "holds" if rule["pass"] else "**missed**",
        ]
        for name, rule in result["acceptance"].items()
    ]
    return table(["rule", "value", "bound", "verdict"], rows, "lrrl")


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


def sources(manifest: Mapping[str, Any]) -> str:
    """Documents and characters of the corpus by source."""
    rows = sorted(manifest["sources"].items(), key=lambda item: -item[1]["characters"])
    return table(
        ["source", "documents", "characters", "share"],
        [[code(name), count(r["documents"]), count(r["characters"]), percent(r["share"])] for name, r in rows],
    )


def splits(manifest: Mapping[str, Any]) -> str:
    """Documents and characters of the corpus by split."""
    rows = manifest["splits"].items()
    return table(
        ["split", "documents", "characters", "of them labelled"],
        [
            [name, *(count(row[key]) for key in ("documents", "characters", "labelled_characters"))]
            for name, row in rows
        ],
    )


def environment(document: Mapping[str, Any]) -> str:
    """Versions, hardware and commit, one line each; nested facts with their path, packages on one line."""
    lines = []

    def add(name: str, value: Any) -> None:
        if name == "packages":
            lines.append([name, ", ".join(f"{package} {version}" for package, version in value.items())])
        elif isinstance(value, Mapping):
            for key, item in value.items():
                add(f"{name} {key}".strip(), item)
        else:
            items = value if isinstance(value, list) else [value]
            words = [
                " ".join(map(str, i.values())) if isinstance(i, Mapping) else str(i) for i in items if i is not None
            ]
            lines.append([cell(name.replace("_", " ")), code(", ".join(words)) or "–"])

    add("", document)
    return table(["", ""], lines, "ll")


def times(rows: Sequence[RuleTime]) -> str:
    """Wall time, work and memory per rule."""
    lines = [
        [
            code(row.rule), row.jobs, fixed(row.wall_s, 1), fixed(row.work_s, 1) if row.work_s is not None else "–",
            artefacts.human_bytes(row.peak_bytes) if row.peak_bytes is not None else "–",
        ]
        for row in rows
    ]  # fmt: skip
    total = [f"**all {len(rows)}**", sum(row.jobs for row in rows), fixed(sum(row.wall_s for row in rows), 1), "", ""]
    return table(["rule", "jobs", "wall (s)", "of it work (s)", "peak memory of a job"], [*lines, total])


def facts(pairs: Mapping[str, Any]) -> str:
    """Two columns: what, and its value as text or number."""
    shown = {name: value if isinstance(value, str) else number(value) for name, value in pairs.items()}
    return table(["", ""], [[cell(name), cell(value)] for name, value in shown.items()], "ll")


def _with_interval(row: Mapping[str, Any], key: str, form: Any) -> str:
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    interval = f" [{form(low).removesuffix(' %')}, {form(high).removesuffix(' %')}]" if None not in (low, high) else ""
    return form(row[key]) + interval


def saes(document: Mapping[str, Any]) -> str:
    """Fidelity of every autoencoder of one site, with 95 % intervals."""
    lines = [
        [
            code(name), KINDS[row["architecture"]].words, count(row["d_sae"]),
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

    def shown(row: Mapping[str, Any], form: Any) -> str:
        if row.get("difference") is None:
            return form(row["mean"])
        low, high = row["difference_low"], row["difference_high"]
        interval = "" if low is None else f" [{low:+.3f}, {high:+.3f}]"
        return f"{form(row['mean'])} ({row['difference']:+.3f}{interval})"

    lines = [
        [code(name), len(row["runs"]), fixed(row["l0"]["mean"], 1)]
        + [shown(row[key], fixed) for key in ("ce_increase_nats", "explained_variance", "frac_alive")]
        for name, row in variants.items()
    ]
    return table(["variant", "seeds", "L0", "loss added (nats)", "variance explained", "alive share"], lines, "lrrrrr")


def baselines(document: Mapping[str, Any], run: str) -> str:
    """The autoencoder of a run beside every baseline of its site: raw losses, and recovery."""
    rows = {f"**{run}** (autoencoder)": document["runs"][run]}
    rows |= {f"{cell(row['what'])}": row for row in document["baselines"].values()}
    lines = [
        [
            name, fixed(row["l0"], 1), fixed(row["ce_loss_with_sae"]), _with_interval(row, "ce_increase_nats", fixed),
            _with_interval(row, "ce_loss_score", percent), percent(row["ce_loss_score_mean_ablation"]),
            fixed(row["explained_variance"]),
        ]
        for name, row in rows.items()
    ]  # fmt: skip
    header = [
        "activations replaced by", "L0", "loss (nats)", "loss added (nats)", "recovered, against zero ablation",
        "against mean ablation", "variance explained",
    ]  # fmt: skip
    return table(header, lines)


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
        for unit, found in units.items():
            if found is not None:
                test = found["test"]
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


def disagreements(rows: Sequence[Mapping[str, Any]], chapter: str) -> str:
    """Claims of a chapter that were not reproduced, with computed reason and our explanation; a sentence if none."""
    missed = [row for row in rows if row["chapter"] == chapter and row["verdict"] == "not reproduced"]
    if not missed:
        return "No claim of this chapter that was attempted missed its bar."
    return "\n".join(f"- {row['claim']} *{row['reason']}.* {row.get('explanation') or ''}".rstrip() for row in missed)
