"""Sparse autoencoders against ground truth: do they find the features that superposition hides?

The SAE sees only activations; the directions that made them are the truth it is graded against (Sharkey, Braun &
Millidge 2022), with one-to-one matching beside MMCS, which alone would reward duplicates. Every SAE is trained by the
project's own trainer, the one that later reads language models.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import spearmanr
from torch import Tensor

from scripts.monosem.core import job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.metrics import fidelity, matching
from scripts.monosem.sae import model
from scripts.monosem.sae.architectures import sparsity_knob
from scripts.monosem.toy import acceptance, baseline_dictionaries, dictionary_scores, ground_truth, train_sae
from scripts.monosem.toy.settings import Grid, RecoveryConfig

BAR_MMCS = 0.95
"""Least MMCS of a dictionary that recovers the features."""
BAR_MATCHED = 0.9
"""Least share of the features that are matched one to one."""
L0_TOLERANCE = 0.2
"""Largest distance of L0 from the number of features truly active, as a share of it."""
BAR_DUPLICATES = 0.1
"""Largest number of latents along a feature that another one is matched to, per feature: one latent for each."""
COMPONENT_ROWS = 20_000
"""Activations from which principal and independent components are computed."""


@dataclass(frozen=True)
class Cell:
    """One setting of the grid."""

    architecture: str
    """Kind of SAE."""
    value: int | float
    """Of the parameter that sets sparsity."""
    width: int
    """Latents."""
    seeds: int
    """SAEs trained here."""
    params: dict[str, Any]
    """Keys of SaeConfig."""


@dataclass(frozen=True)
class Recovery:
    """One graded SAE."""

    numbers: dict[str, Any]
    """Setting, seed and measurements, for JSON."""
    cosines: Float[np.ndarray, "feature latent"]
    """Between the true directions and the decoder's rows."""
    decoder: Float[np.ndarray, "latent d"]
    """The decoder's rows."""


def cells(config: RecoveryConfig) -> list[Cell]:
    """Every setting of every architecture, widths ascending within a value."""
    settings = []
    for architecture, grid in config.trained_grids.items():
        for value in grid.values:
            for width in sorted(grid.widths):
                shared = (value == grid.headline.value) + (width == grid.headline.width)
                if config.design == "full" or shared:
                    knob = {sparsity_knob(architecture): value}
                    params = {**config.sae, **grid.sae, "architecture": architecture, "d_sae": width, **knob}
                    settings.append(Cell(architecture, value, width, config.n_seeds if shared == 2 else 1, params))
    return settings


def train_and_grade(
    directions: Float[Tensor, "n d"],
    read: train_sae.Vectors,
    held_out: Float[Tensor, "sample n"],
    cell: Cell,
    index: int,
    seed: int,
    device: str = "cpu",
) -> Recovery:
    """Train one SAE on activations and grade it against `directions`; `index` counts seeds."""
    sae = train_sae.train(read, cell.params, seed, device)
    h = held_out @ directions
    f = model.encode(sae, h)
    decoder = sae.W_dec.numpy()
    cosines = matching.cosine_matrix(directions.numpy(), decoder)
    numbers = {
        "architecture": cell.architecture,
        "value": cell.value,
        "d_sae": cell.width,
        "seed": index,
        **dictionary_scores.grade(cosines),
        "l0": (f > 0).double().sum(1).mean().item(),
        "explained_variance": fidelity.explained_variance_of(h, model.decode(sae, f)),
        "n_duplicates": dictionary_scores.n_duplicates(cosines),
        "n_silent": int((f > 0).sum(0).eq(0).sum()),
        "mean_pair_correlation": dictionary_scores.pair_correlations(held_out, f, matching.one_to_one(cosines)).mean(),
    }
    return Recovery(numbers, cosines, decoder)


def controls(
    directions: Float[np.ndarray, "n d"],
    rows: Float[np.ndarray, "sample d"],
    config: RecoveryConfig,
    seed: int,
) -> tuple[dict[str, Any], Float[np.ndarray, "n width"]]:
    """Scores of dictionaries that must fail, and the cosines of the first random one.

    They are random ones of the widest headline SAE's size, the raw basis, principal and independent components.
    """
    d, width = directions.shape[1], max(grid.headline.width for grid in config.trained_grids.values())
    rngs = [np.random.default_rng(derive_seed(seed, "random dictionary", index)) for index in range(config.n_seeds)]
    random = [matching.cosine_matrix(directions, matching.random_directions(width, d, rng)) for rng in rngs]
    ica, converged = baseline_dictionaries.independent_components(rows, derive_seed(seed, "ica"), config.ica_iterations)
    others = {
        "raw_basis": baseline_dictionaries.raw_basis(d),
        "pca": baseline_dictionaries.principal_components(rows),
        "ica": ica,
    }
    numbers = {
        "random_dictionary": [dictionary_scores.grade(cosines) for cosines in random],
        **{
            name: dictionary_scores.grade(matching.cosine_matrix(directions, dictionary))
            for name, dictionary in others.items()
        },
        "ica_converged": converged,
        "chance_mmcs": matching.chance_mmcs(d, width, derive_seed(seed, "chance"), 1024),
    }
    return numbers, random[0]


def summarise(runs: list[dict[str, Any]], true_l0: float, n_features: int) -> list[dict[str, Any]]:
    """One entry per setting: mean and worst seed, and whether every seed clears the bar."""
    keys = dict.fromkeys((run["architecture"], run["value"], run["d_sae"]) for run in runs)
    summary = []
    for key in keys:
        same = [run for run in runs if (run["architecture"], run["value"], run["d_sae"]) == key]
        means = {
            f"mean_{name}": float(np.mean([run[name] for run in same]))
            for name in ("mmcs", "matched_share", "l0", "explained_variance", "n_silent", "n_duplicates")
        }
        duplicates = means["mean_n_duplicates"] / n_features
        worst = {f"min_{name}": min(run[name] for run in same) for name in ("mmcs", "matched_share")}
        summary.append(
            {
                **dict(zip(("architecture", "value", "d_sae"), key, strict=True)), "seeds": len(same), **means, **worst,
                "l0_over_true": means["mean_l0"] / true_l0,
                "duplicates_per_feature": duplicates,
                "duplicates_per_feature_if_doubled": duplicates + means["mean_matched_share"],
                "in_band": worst["min_mmcs"] >= BAR_MMCS and worst["min_matched_share"] >= BAR_MATCHED,
            }
        )  # fmt: skip
    return summary


def to_next_larger(first_seeds: list[Recovery]) -> list[dict[str, Any]]:
    """MMCS of each dictionary to the next larger one of the same architecture and sparsity: needs no ground truth.

    A direction that both found is likely a feature (Sharkey, Braun & Millidge 2022).
    """
    rows = []
    for smaller in first_seeds:
        numbers = smaller.numbers
        larger = [
            other
            for other in first_seeds
            if other.numbers["d_sae"] > numbers["d_sae"]
            and (other.numbers["architecture"], other.numbers["value"]) == (numbers["architecture"], numbers["value"])
        ]
        if larger:
            next_larger = min(larger, key=lambda other: other.numbers["d_sae"])
            value = matching.mmcs(matching.cosine_matrix(smaller.decoder, next_larger.decoder))
            rows.append(
                {key: numbers[key] for key in ("architecture", "value", "d_sae", "mmcs", "matched_share")}
                | {"next_d_sae": next_larger.numbers["d_sae"], "mmcs_to_next": value}
            )
    return rows


def accept(summary: list[dict[str, Any]], grids: dict[str, Grid], control: dict[str, Any]) -> acceptance.Rules:
    """The bar per architecture at its headline (worst seed), that the band has two ends, and that controls miss it."""
    rules = {}
    for architecture, grid in grids.items():
        at_width = [
            entry for entry in summary if (entry["architecture"], entry["d_sae"]) == (architecture, grid.headline.width)
        ]
        best = next(entry for entry in at_width if entry["value"] == grid.headline.value)
        rules[f"{architecture}_mmcs"] = acceptance.at_least(best["min_mmcs"], BAR_MMCS)
        rules[f"{architecture}_matched_share"] = acceptance.at_least(best["min_matched_share"], BAR_MATCHED)
        ratio = best["l0_over_true"]
        rules[f"{architecture}_l0_over_true"] = acceptance.Rule(
            ratio, 1.0 + L0_TOLERANCE, bool(abs(ratio - 1.0) <= L0_TOLERANCE)
        )
        rules[f"{architecture}_duplicates"] = acceptance.at_most(best["duplicates_per_feature"], BAR_DUPLICATES)
        rules[f"{architecture}_doubled_duplicates"] = acceptance.above(
            best["duplicates_per_feature_if_doubled"], BAR_DUPLICATES
        )
        # a k of 1 is the smallest there is and may well recover everything: only λ has two ends
        if sparsity_knob(architecture) != "k" and len(at_width) >= 3:
            by_value = sorted(at_width, key=lambda entry: entry["value"])
            inside = sum(entry["in_band"] for entry in (by_value[0], by_value[-1]))
            rules[f"{architecture}_band_ends_in_band"] = acceptance.equal(inside, 0)
    random = max(control["random_dictionary"], key=lambda entry: entry["mmcs"])
    for name in ("random_dictionary", "raw_basis", "pca", "ica"):
        entry = random if name == "random_dictionary" else control[name]
        rules[f"{name}_fails_mmcs"] = acceptance.below(entry["mmcs"], BAR_MMCS)
        rules[f"{name}_fails_matched_share"] = acceptance.below(entry["matched_share"], BAR_MATCHED)
    return rules


def run(config: RecoveryConfig, seed: int, device: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train and grade all SAEs.

    Returns the result as JSON values, and cosine matrices of the best SAE and of a random dictionary with their
    matching.
    """
    truth = ground_truth.make(config.truth, derive_seed(seed, "truth"), device)
    read = train_sae.Vectors(truth.activations(config.vectors, derive_seed(seed, "vectors")))
    held_out = truth.values(config.held_out, derive_seed(seed, "held out"))
    true_l0 = (held_out > 0).double().sum(1).mean().item()

    runs: list[dict[str, Any]] = []
    first_seeds: list[Recovery] = []
    best: Recovery | None = None
    wanted = cells(config)
    progress = job.Progress(sum(cell.seeds for cell in wanted), "SAEs")
    for cell in wanted:
        for index in range(cell.seeds):
            graded = train_and_grade(
                truth.directions, read, held_out, cell, index, derive_seed(seed, "sae", index), device
            )
            numbers = graded.numbers
            runs.append(numbers)
            progress.update(len(runs), **{key: numbers[key] for key in ("mmcs", "matched_share", "l0")})
            if index == 0:
                first_seeds.append(graded)
            if best is None or (numbers["matched_share"], numbers["mmcs"]) > (
                best.numbers["matched_share"], best.numbers["mmcs"]
            ):  # fmt: skip
                best = graded
    control, random_cosines = controls(truth.directions.numpy(), read.rows[:COMPONENT_ROWS].numpy(), config, seed)
    proxy = to_next_larger(first_seeds)
    agreement = (
        spearmanr([entry["mmcs"] for entry in proxy], [entry["mmcs_to_next"] for entry in proxy]).statistic
        if len(proxy) > 2
        else None
    )
    summary = summarise(runs, true_l0, len(truth.directions))
    arrays = {
        "probability": truth.probability.numpy(),
        "best_cosines": best.cosines.astype(np.float32),
        "best_columns": matching.one_to_one(best.cosines).columns,
        "random_cosines": random_cosines.astype(np.float32),
        "random_columns": matching.one_to_one(random_cosines).columns,
    }
    result = {
        "truth": {
            **truth.described,
            "true_l0": true_l0,
            "max_cosine_between_features": ground_truth.largest_cosine(truth.directions),
        },
        "match_cosine": dictionary_scores.MATCH,
        "bar": {"mmcs": BAR_MMCS, "matched_share": BAR_MATCHED},
        "runs": runs,
        "summary": summary,
        "to_next_larger": proxy,
        "rank_correlation_with_truth": agreement,
        "controls": control,
        "best": best.numbers,
        "acceptance": acceptance.to_json(accept(summary, config.trained_grids, control)),
    }
    return result, arrays
