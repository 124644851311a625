"""Sparse autoencoders against ground truth: do they find the features of a toy model in superposition?

The SAE sees only hidden activations h = W x of a trained toy model; the columns of W are the truth it is graded against
(Sharkey et al. 2022, with one-to-one matching beside MMCS, which alone would reward duplicates).
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from scripts.monosem import joblog, matching
from scripts.monosem.runtime import derive_seed
from scripts.monosem.sae import architectures
from scripts.monosem.sae import config as sae_config
from scripts.monosem.sae import training as sae_training
from scripts.monosem.sae_kinds import KINDS
from scripts.monosem.toy import data, geometry, models
from scripts.monosem.toy.experiments import superposition

MATCH = 0.9
"""Cosine from which a one-to-one pair counts as a match."""
BAR_MMCS = 0.95
BAR_MATCHED = 0.9
L0_TOLERANCE = 0.2
"""How far L0 may be from the number of features truly active, as a share of it."""


@dataclass(frozen=True)
class RecoveryConfig:
    """The experiment: one toy model, SAEs over a band of sparsities, several seeds each."""

    model: dict[str, Any]
    """The toy model, keys of SuperpositionConfig with a single probability."""
    vectors: int
    """Hidden activations that the SAEs are trained on."""
    held_out: int
    """Fresh ones on which L0, explained variance and correlations are measured."""
    sae: dict[str, Any]
    """Keys of SaeConfig that all SAEs share; `vectors` in it counts those seen in training."""
    l1_coefficients: tuple[float, ...]
    """The band of the ReLU SAE, at data scaled to E‖h‖² = m."""
    ks: tuple[int, ...]
    """The band of the TopK SAE."""
    n_seeds: int
    """SAEs per setting."""


def from_params(params: dict[str, Any]) -> RecoveryConfig:
    """A dict of config.yaml -> RecoveryConfig; a `seed` in it is not part of the experiment."""
    params = {key: tuple(value) if isinstance(value, list) else value for key, value in params.items() if key != "seed"}
    return RecoveryConfig(**params)


@dataclass(frozen=True)
class Vectors:
    """Activations in memory, in the form the SAE trainer reads."""

    rows: Float[Tensor, "n d_in"]
    """Raw activations."""

    @property
    def n_tokens(self) -> int:
        """Number of rows."""
        return self.rows.shape[0]

    @property
    def d_in(self) -> int:
        """Width of a row."""
        return self.rows.shape[1]

    def gather(self, indices: Int[np.ndarray, " n"]) -> Float[Tensor, "n d_in"]:
        """The rows at `indices`."""
        return self.rows[torch.from_numpy(indices)]


@dataclass(frozen=True)
class Recovery:
    """One graded SAE."""

    numbers: dict[str, Any]
    """Setting, seed and measurements, for JSON."""
    cosines: Float[np.ndarray, "feature latent"]
    """Between the true directions and the decoder's rows."""


def features(p: float, n: int, n_samples: int, seed: int) -> Float[Tensor, "sample n"]:
    """Independent samples of the feature distribution, empty ones included."""
    generator = torch.Generator().manual_seed(seed)
    return data.sample(torch.full((1, n), p), n_samples, generator)[0]


def grade(cosines: Float[np.ndarray, "feature direction"]) -> dict[str, float]:
    """MMCS, share of features matched one-to-one, and the mean cosine of those pairs."""
    return {
        "mmcs": matching.mmcs(cosines),
        "matched_share": matching.matched_share(cosines, MATCH),
        "mean_matched_cosine": matching.one_to_one(cosines).cosines.mean(),
    }


def n_duplicates(cosines: Float[np.ndarray, "feature direction"]) -> int:
    """Directions that lie along some feature (cosine ≥ MATCH) although another one is already matched to it."""
    along = (cosines.max(axis=0) >= MATCH).sum()
    return int(along - (matching.one_to_one(cosines).cosines >= MATCH).sum())


def pair_correlations(
    truth: Float[Tensor, "sample feature"], latents: Float[Tensor, "sample latent"], pairs: matching.Matching
) -> Float[np.ndarray, " pair"]:
    """Pearson correlation of each feature's value with its matched latent's activation; 0 where one is constant."""
    a = truth[:, torch.from_numpy(pairs.rows)].double()
    b = latents[:, torch.from_numpy(pairs.columns)].double()
    a, b = a - a.mean(0), b - b.mean(0)
    scale = (a.square().sum(0) * b.square().sum(0)).sqrt()
    return torch.where(scale > 0, (a * b).sum(0) / scale.clamp_min(1e-30), 0.0).numpy()


def train_and_grade(
    W: Float[Tensor, "m n"],
    read: Vectors,
    held_out: Float[Tensor, "sample n"],
    params: dict[str, Any],
    index: int,
    seed: int,
) -> Recovery:
    """Train one SAE with the project's trainer on hidden activations and grade it; `index` counts seeds."""
    config = sae_config.from_params(params)
    with tempfile.TemporaryDirectory() as folder:
        weights, summary = sae_training.train(
            read, config, seed, Path(folder) / "checkpoint", Path(folder) / "curve.jsonl", say=lambda text: None
        )
    sae = architectures.from_tensors({"architecture": KINDS[config.architecture].saved_as, "k": config.k}, weights)
    h = models.hidden(W, held_out)
    f = architectures.encode(sae, h)
    residual = (architectures.decode(sae, f) - h).double().square().sum()
    cosines = matching.cosine_matrix(W.T.numpy(), sae.W_dec.numpy())
    numbers = {
        "architecture": config.architecture,
        "l1_coefficient": config.l1_coefficient,
        "l1_coefficient_raw": summary["l1_coefficient_raw"],
        "k": config.k,
        "seed": index,
        **grade(cosines),
        "l0": (f > 0).double().sum(1).mean().item(),
        "explained_variance": (1.0 - residual / (h - h.mean(0)).double().square().sum()).item(),
        "n_duplicates": n_duplicates(cosines),
        "n_silent": int((f > 0).sum(0).eq(0).sum()),
        "mean_pair_correlation": pair_correlations(held_out, f, matching.one_to_one(cosines)).mean(),
    }
    return Recovery(numbers, cosines)


def settings(config: RecoveryConfig) -> list[dict[str, Any]]:
    """Parameters of every setting of the two bands."""
    relu = [{**config.sae, "architecture": "relu", "l1_coefficient": value} for value in config.l1_coefficients]
    return relu + [{**config.sae, "architecture": "topk", "k": k} for k in config.ks]


def controls(W: Float[Tensor, "m n"], d_sae: int, n_seeds: int, seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """What needs no training and must fail: random dictionaries of the SAE's size, and the raw basis ±e_i."""
    truth, m = W.T.numpy(), W.shape[0]
    rngs = [np.random.default_rng(derive_seed(seed, "random dictionary", index)) for index in range(n_seeds)]
    random = [matching.cosine_matrix(truth, matching.random_directions(d_sae, m, rng)) for rng in rngs]
    raw = matching.cosine_matrix(truth, np.concatenate([np.eye(m), -np.eye(m)]))
    numbers = {
        "random_dictionary": [grade(cosines) for cosines in random],
        "raw_basis": grade(raw),
        "chance_mmcs": matching.chance_mmcs(m, d_sae, derive_seed(seed, "chance")),
    }
    return numbers, random[0]


def summarise(runs: list[dict[str, Any]], true_l0: float) -> list[dict[str, Any]]:
    """One entry per setting: mean and worst seed, and whether every seed clears the bar."""
    keys = dict.fromkeys((run["architecture"], run["l1_coefficient"], run["k"]) for run in runs)
    summary = []
    for key in keys:
        same = [run for run in runs if (run["architecture"], run["l1_coefficient"], run["k"]) == key]
        means = {
            f"mean_{name}": float(np.mean([run[name] for run in same]))
            for name in ("mmcs", "matched_share", "l0", "explained_variance")
        }
        worst = {f"min_{name}": min(run[name] for run in same) for name in ("mmcs", "matched_share")}
        summary.append(
            {
                **dict(zip(("architecture", "l1_coefficient", "k"), key, strict=True)), **means, **worst,
                "l0_over_true": means["mean_l0"] / true_l0,
                "in_band": worst["min_mmcs"] >= BAR_MMCS and worst["min_matched_share"] >= BAR_MATCHED,
            }
        )  # fmt: skip
    return summary


def accept(summary: list[dict[str, Any]], control: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The bar per architecture at its best setting (worst seed), and that the controls miss it."""

    def rule(value: float, bound: float, passed: bool) -> dict[str, Any]:
        return {"value": value, "bound": bound, "pass": bool(passed)}

    rules = {}
    for architecture in dict.fromkeys(entry["architecture"] for entry in summary):
        own = [entry for entry in summary if entry["architecture"] == architecture]
        best = max(own, key=lambda entry: (entry["min_matched_share"], entry["min_mmcs"]))
        rules[f"{architecture}_mmcs"] = rule(best["min_mmcs"], BAR_MMCS, best["min_mmcs"] >= BAR_MMCS)
        share = best["min_matched_share"]
        rules[f"{architecture}_matched_share"] = rule(share, BAR_MATCHED, share >= BAR_MATCHED)
        ratio = best["l0_over_true"]
        rules[f"{architecture}_l0_over_true"] = rule(ratio, 1.0 + L0_TOLERANCE, abs(ratio - 1.0) <= L0_TOLERANCE)
    random = max(control["random_dictionary"], key=lambda entry: entry["mmcs"])
    for name, entry in (("random_dictionary", random), ("raw_basis", control["raw_basis"])):
        rules[f"{name}_fails_mmcs"] = rule(entry["mmcs"], BAR_MMCS, entry["mmcs"] < BAR_MMCS)
        share = entry["matched_share"]
        rules[f"{name}_fails_matched_share"] = rule(share, BAR_MATCHED, share < BAR_MATCHED)
    return rules


def run(config: RecoveryConfig, seed: int, device: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train the toy model on `device` and all SAEs, which are small, on the CPU.

    Returns the result as JSON values, and cosine matrices with their matching.
    """
    toy = superposition.from_params(config.model)
    stack = superposition.train_stack(toy, "relu", derive_seed(seed, "toy model"), device)
    W, p = stack.parameters.W[0], toy.probabilities[0]
    norms = geometry.norms(W.numpy())
    read = Vectors(models.hidden(W, features(p, toy.n, config.vectors, derive_seed(seed, "vectors"))))
    held_out = features(p, toy.n, config.held_out, derive_seed(seed, "held out"))
    true_l0 = (held_out > 0).double().sum(1).mean().item()

    graded: list[Recovery] = []
    wanted = settings(config)
    progress = joblog.Progress(len(wanted) * config.n_seeds, "SAEs")
    for params in wanted:
        for index in range(config.n_seeds):
            graded.append(train_and_grade(W, read, held_out, params, index, derive_seed(seed, "sae", index)))
            numbers = graded[-1].numbers
            progress.update(len(graded), **{key: numbers[key] for key in ("mmcs", "matched_share", "l0")})
    control, random_cosines = controls(W, config.sae["d_sae"], config.n_seeds, seed)
    runs = [entry.numbers for entry in graded]
    summary = summarise(runs, true_l0)
    best = max(graded, key=lambda entry: (entry.numbers["matched_share"], entry.numbers["mmcs"]))
    arrays = {
        "W": W.numpy(),
        "best_cosines": best.cosines.astype(np.float32),
        "best_columns": matching.one_to_one(best.cosines).columns,
        "random_cosines": random_cosines.astype(np.float32),
        "random_columns": matching.one_to_one(random_cosines).columns,
    }
    result = {
        "toy_model": {
            "n": toy.n,
            "m": toy.m,
            "probability": p,
            "loss_over_linear_optimum": superposition.describe(toy, stack)[0]["loss_over_linear_optimum"],
            "n_represented": int(geometry.n_represented(W.numpy())),
            "min_norm": norms.min(),
            "dimensions_per_feature": geometry.dimensions_per_feature(W.numpy()),
            "max_cosine_between_features": (
                matching.cosine_matrix(W.T.numpy(), W.T.numpy()) - 2.0 * np.eye(toy.n)
            ).max(),
            "true_l0": true_l0,
        },
        "match_cosine": MATCH,
        "bar": {"mmcs": BAR_MMCS, "matched_share": BAR_MATCHED},
        "runs": runs,
        "summary": summary,
        "controls": control,
        "best": best.numbers,
        "acceptance": accept(summary, control),
    }
    return result, arrays
