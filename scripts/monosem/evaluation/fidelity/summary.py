"""From sums per document to the numbers of fidelity.json: pooled ratios with bootstrap intervals over documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from scripts.monosem.evaluation.fidelity.document import CleanModel, Densities, Fidelity
from scripts.monosem.evaluation.fidelity.run import Sums, Tally
from scripts.monosem.metrics import bootstrap, fidelity, sparsity


def present_documents(clean: Tally) -> Integer[np.ndarray, " present"]:
    """Indices of the documents that any evaluated token is in."""
    return np.flatnonzero(clean.documents["n"] > 0)


def ratios(
    column: Mapping[str, Any], clean: Mapping[str, Any], zero: Mapping[str, Any], twin: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The metrics that get an interval, from totals or from arrays of resampled totals.

    Args:
        twin: of the same model trained without MLPs, where there is one.
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # not defined in a resample, so that there is no interval
        clean_loss, loss, zero_loss = (part["loss"] / clean["n_scored"] for part in (clean, column, zero))
        twin_loss = np.nan if twin is None else twin["loss"] / clean["n_scored"]
        unexplained = column["squared_error"] / column["variance"]
        recovered = (zero_loss - loss) / (zero_loss - clean_loss)
        worth = (twin_loss - loss) / (twin_loss - clean_loss)
        divergence = column["kl"] / clean["n_scored"]
    return ({} if twin is None else {"mlp_worth_kept": worth}) | {
        "explained_variance": 1 - unexplained,
        "l0": column["l0"] / column["n"],
        "ce_loss_with_sae": loss,
        "ce_loss_score": recovered,
        "ce_increase_nats": loss - clean_loss,
        "kl_div_with_sae": divergence,
    }


def intervals(
    documents: Mapping[str, Mapping[str, Float[np.ndarray, " documents"]]], resamplings: int, seed: int
) -> dict[str, dict[str, float | None]]:
    """Bootstrap intervals of every reconstructor, all on the same resampled documents: `{name: {metric_low: …}}`.

    Args:
        documents: per name ("clean" among them, "twin" where there is one) the sums per document.
    """
    flat = {f"{name}\0{term}": column for name, terms in documents.items() for term, column in terms.items()}
    resampled: dict[str, dict[str, np.ndarray]] = {}
    for key, totals in bootstrap.bootstrap_totals(flat, resamplings, seed).items():
        name, term = key.split("\0")
        resampled.setdefault(name, {})[term] = totals
    clean, twin = resampled.pop("clean"), resampled.pop("twin", None)

    def ends(metrics: Mapping[str, np.ndarray]) -> dict[str, float | None]:
        both = {}
        for metric, samples in metrics.items():
            low, high = bootstrap.interval(samples)
            defined = np.isfinite([low, high]).all()  # not where a resample has nothing to divide by
            both |= {f"{metric}_low": low if defined else None, f"{metric}_high": high if defined else None}
        return both

    with np.errstate(divide="ignore", invalid="ignore"):
        of_clean = {"ce_loss_without_sae": clean["loss"] / clean["n_scored"]}
        if twin is not None:
            of_clean["mlp_worth_nats"] = (twin["loss"] - clean["loss"]) / clean["n_scored"]
    measures = {name: ratios(terms, clean, resampled["zero_ablation"], twin) for name, terms in resampled.items()}
    return {name: ends(metrics) for name, metrics in ({"clean": of_clean} | measures).items()}


def _columns(
    tally: Tally, present: Integer[np.ndarray, " present"], spread: float
) -> dict[str, Float[np.ndarray, " present"]]:
    terms = {name: column[present] for name, column in tally.documents.items()}
    silent = np.zeros(len(present))
    # Σ‖x−x̄‖² per document about the mean of all evaluated tokens, exact in total
    variance = terms["squared_deviation"] - spread * terms["n"]
    return {"l0": silent, "l1": silent, **terms, "variance": variance}


@dataclass(frozen=True)
class Summary:
    """Everything about a site that follows from the sums."""

    clean: CleanModel
    fidelity: dict[str, Fidelity]
    """By run or baseline."""
    densities: dict[str, Densities]
    """Of those that are autoencoders."""
    n_tokens: int
    """Positions that were replaced."""
    n_scored_tokens: int
    """Positions whose next token was scored."""
    n_documents: int
    """Documents that any of them are in."""


def loss_metrics(
    loss: float, kl: float, clean: float, zero: float, zero_kl: float, mean: float, rounding: float
) -> dict[str, Any]:
    """Losses, divergences and the shares recovered, from pooled means in nats.

    Args:
        clean, zero, mean: losses of the clean model, with zero ablation and with mean ablation.
        rounding: by how much they may be off.
    """
    return {
        "ce_loss_without_sae": clean,
        "ce_loss_with_sae": loss,
        "ce_loss_with_ablation": zero,
        "ce_loss_with_mean_ablation": mean,
        "ce_loss_score": fidelity.ce_loss_score(clean, loss, zero, rounding),
        "ce_loss_score_mean_ablation": fidelity.ce_loss_score(clean, loss, mean, rounding),
        "ce_increase_nats": loss - clean,
        "kl_div_with_sae": kl,
        "kl_div_with_ablation": zero_kl,
        "kl_div_score": fidelity.kl_div_score(kl, zero_kl, rounding),
    }


def summarise(sums: Sums, resamplings: int, seed: int, token_rounding: float, twin: Tally | None = None) -> Summary:
    """Metrics of the clean model and of every reconstructor.

    Args:
        token_rounding: by how much the loss of a token may be off, nats.
        twin: losses of the same model trained without MLPs, where there is one.
    """
    clean, drift = sums.clean, sums.drift
    present = present_documents(clean)
    clean_columns = {name: column[present] for name, column in clean.documents.items()}
    clean_totals = {name: column.sum() for name, column in clean_columns.items()}
    n, n_scored = clean_totals["n"], clean_totals["n_scored"]
    spread = float(np.square(drift).sum()) / n**2
    columns = {name: _columns(tally, present, spread) for name, tally in sums.tallies.items()}
    totals = {name: {term: column.sum() for term, column in terms.items()} for name, terms in columns.items()}
    needed = ("n", "squared_error", "variance", "l0", "loss", "kl")
    extra = {} if twin is None else {"twin": {"loss": twin.documents["loss"][present]}}
    bounds = intervals(
        {"clean": clean_columns}
        | extra
        | {name: {term: terms[term] for term in needed} for name, terms in columns.items()},
        resamplings,
        seed,
    )
    nats = {name: (float(total["loss"] / n_scored), float(total["kl"] / n_scored)) for name, total in totals.items()}
    twin_loss = None if twin is None else float(extra["twin"]["loss"].sum() / n_scored)
    clean_loss, mean_loss = float(clean_totals["loss"] / n_scored), nats["mean_ablation"][0]
    rounding = fidelity.loss_rounding(token_rounding, n_scored)

    def row(name: str, total: Mapping[str, Any]) -> Fidelity:
        measures = {
            **fidelity.reconstruction_metrics(total, drift),
            **loss_metrics(*nats[name], clean_loss, *nats["zero_ablation"], mean_loss, rounding),
        }
        if twin_loss is not None:
            measures["mlp_worth_kept"] = fidelity.ce_loss_score(clean_loss, nats[name][0], twin_loss, rounding)
        undefined = {key for key in bounds[name] if measures.get(key.rpartition("_")[0], 0.0) is None}
        interval = {key: None if key in undefined else bound for key, bound in bounds[name].items()}
        return Fidelity(**measures, l0=float(total["l0"] / n), l1=float(total["l1"] / n), **interval)

    return Summary(
        clean=CleanModel(
            ce_loss_without_sae=clean_loss,
            **bounds["clean"],
            activation_mean_norm=float(clean_totals["norm"] / n),
            activation_rms_norm=float((clean_totals["square"] / n) ** 0.5),
            ce_loss_without_mlp=twin_loss,
            mlp_worth_nats=None if twin_loss is None else twin_loss - clean_loss,
        ),
        fidelity={name: row(name, total) for name, total in totals.items()},
        densities={
            name: Densities(**sparsity.density_metrics(tally.counts, int(n)))
            for name, tally in sums.tallies.items()
            if tally.counts is not None
        },
        n_tokens=int(n),
        n_scored_tokens=int(n_scored),
        n_documents=len(present),
    )
