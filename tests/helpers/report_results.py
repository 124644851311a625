"""Made-up results in the form that the workflow writes, for tests of figures and report: nothing was measured."""

import json
from pathlib import Path

import numpy as np

from scripts.monosem.evaluation.cases.document import Case, CaseStudies, CaseUnit, UnseenText
from scripts.monosem.evaluation.documents import Estimate, to_json
from scripts.monosem.evaluation.fidelity import seed_pairs
from scripts.monosem.evaluation.latents import contexts as context_scores
from scripts.monosem.evaluation.latents.document import SplitCounts
from scripts.monosem.evaluation.scores import scoring, summary
from scripts.monosem.evaluation.scores.document import PopulationScores, Scores
from scripts.monosem.workflow import sweeps
from tests.helpers import analysis_results

MODELS = ("first", "other", "permuted", "deep")
SITE = "blocks.0.mlp.hook_post"
RUNS = {
    "wide": ("topk", 64, 8),
    "wide-sparse": ("topk", 64, 4),
    "narrow": ("topk", 32, 8),
    "plain": ("relu", 64, None),
}
SWEEP = {
    "base": {"architecture": "relu", "d_sae": 64, "vectors": 240_000, "l1_coefficient": 1.0},
    "variants": {"published": {}, "no-resampling": {"resample": None}},
    "seeds": [0, 1, 2],
}
RUNS |= {run: ("relu", 64, None) for runs in sweeps.members("recipe", SWEEP).values() for run in runs}
LABELS = ("natural", "arabic", "hebrew", "dna", "base64")
CONFIG = {
    "seed": 0,
    "corpus": {"name": "made-up", "planted": {"share": 0.02, "contexts": list(("arabic", "hebrew", "dna", "base64"))}},
    "tokenizer": {"vocab_size": 300},
    "chapters": {
        "one_layer": {"model": "first", "second": "other", "control": "permuted"},
        "language_model": {"model": "auto", "candidates": ["gpt2", "deep"]},
    },
    "sae": {
        "defaults": {"seed": 0},
        "runs": {name: {"architecture": kind, "d_sae": width, "k": k} for name, (kind, width, k) in RUNS.items()},
        "sweeps": {"recipe": SWEEP},
        "use": [
            {"model": "first", "site": SITE, "runs": list(RUNS), "sweeps": ["recipe"]},
            {"model": "other", "site": SITE, "runs": ["wide"]},
            {"model": "permuted", "site": SITE, "runs": ["wide"]},
            {"model": "chapters.language_model", "site": "blocks.2.mlp.hook_post", "runs": ["narrow"]},
            {"model": "chapters.language_model", "site": "blocks.2.hook_resid_post", "runs": ["narrow"]},
            {"model": "chapters.language_model", "site": "blocks.1.mlp.hook_post", "runs": ["narrow"]},
        ],
    },
    "evaluation": {"headline": {"model": "first", "site": SITE, "run": "wide"}},
    "interpretation": {
        "units": 6,
        "use": [
            {"model": "first", "site": SITE, "run": "wide"},
            {"model": "permuted", "site": SITE, "run": "wide"},
        ],
    },
    "dictionaries": {"narrower": ["narrow"], "tokens": 1000},
    "scores": {
        "units": 8,
        "use": [{"model": "first", "site": SITE, "run": "wide", "judge": {"model": "other", "site": SITE}}],
    },
    "analysis": {
        "use": [{"model": "chapters.language_model"}, {"model": "first", "against": ["other", "permuted"]}],
        "texts": {"some-text": "Some text.", "none": None},
    },
    "prompts": {"use": [{"model": "chapters.language_model", "site": "blocks.2.hook_resid_post", "run": "narrow"}]},
    "interventions": {"use": [{"model": "first", "site": SITE, "run": "wide"}]},
    "toy": {
        "superposition": {"kind": "superposition", "probabilities": [1.0, 0.1, 0.01], "seed": 1},
        "recovery": {"kind": "recovery"},
    },
    "models": {
        "first": {"train": {"seed": 1}},
        "other": {"train": {"seed": 2}},
        "permuted": {"shuffle": {"of": "first", "seed": 3}},
        "deep": {"train": {"seed": 4}},
        "gpt2": {"pretrained": {"name": "no such model on any machine"}},
    },
    "activations": {"drop_first_position": True, "exclude_norm_above": 10},
}


def _write(path: Path, document: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")


def _curve(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _score(nats: float) -> dict:
    return {"nats_per_token": nats, "bits_per_character": nats / 2.2}


def language_models(root: Path) -> None:
    """training.json of four models, and the curves of the trained ones."""
    for index, name in enumerate(MODELS):
        whole = 9.0 if name == "permuted" else 3.6 + 0.05 * index
        summary = {
            "kind": "shuffled" if name == "permuted" else "trained",
            "parameters": 800_000,
            "scores": {
                "n_tokens": 1000,
                "n_documents": 10,
                "n_characters": 3200,
                "model": _score(whole),
                "mlp_zeroed": _score(whole + 0.4),
                "planted_nats_per_token": 2.0,
                "overlap": {
                    "verbatim_share": 0.03,
                    "model": {"verbatim": whole - 1, "clean": whole + 0.03},
                    "trigram": {"verbatim": 1.5, "clean": 4.3},
                },
                **{gram: _score(nats) for gram, nats in (("unigram", 6.5), ("bigram", 4.4), ("trigram", 4.2))},
            },
        }
        if name != "permuted":
            summary |= {"tokens": 4_000_000, "steps": 1000, "seconds": 120.0, "train": {"seed": index}}
            steps = np.arange(5, 1001, 5)
            _curve(
                root / f"models/{name}/training.jsonl",
                [
                    {"step": int(s), "tokens": int(s * 4096), "loss_nats": float(whole + 4 * np.exp(-s / 150)),
                     "learning_rate": 0.004, "seconds": s / 10}
                    | ({"validation_nats": float(whole + 4 * np.exp(-s / 150) + 0.05)} if s % 250 == 0 else {})
                    for s in steps
                ],
            )  # fmt: skip
        _write(root / f"models/{name}/training.json", summary)


def _fidelity_row(rng: np.random.Generator, l0: float, added: float, zero: float, variance: float, twin: bool) -> dict:
    score = 1 - added / zero
    row = {
        "explained_variance": variance, "explained_variance_legacy": variance, "mse": 1 - variance, "cossim": 0.9,
        "l2_norm_in": 3.0, "l2_norm_out": 2.7, "l2_ratio": 0.9, "relative_reconstruction_bias": 0.95,
        "l0": float(l0), "l1": 10.0, "ce_loss_without_sae": 3.6, "ce_loss_with_sae": 3.6 + added,
        "ce_loss_with_ablation": 3.6 + zero, "ce_loss_with_mean_ablation": 4.4, "ce_loss_score": score,
        "ce_loss_score_mean_ablation": 1 - added / 0.8, "ce_increase_nats": added, "kl_div_with_sae": added,
        "kl_div_with_ablation": zero, "kl_div_score": score,
    }  # fmt: skip
    with_interval = ["explained_variance", "l0", "ce_loss_with_sae", "ce_loss_score", "ce_increase_nats"]
    if twin:
        row["mlp_worth_kept"] = 1 - added / 0.7
        with_interval.append("mlp_worth_kept")
    for key in (*with_interval, "kl_div_with_sae"):
        spread = 0.03 * abs(row[key]) * rng.uniform(0.5, 1)
        row |= {f"{key}_low": row[key] - spread, f"{key}_high": row[key] + spread}
    return row


def _norms(model: str, site: str) -> dict:
    few = model == "deep" and "resid" in site
    return {
        "median": 20.0, "largest": 4000.0, "exclude_norm_above": 10.0, "limit": 200.0, "n_excluded": 0,
        "top_variance_share": 0.003, "top_variance_share_with_excluded": 0.003,
        "top_variance_share_of_all": 0.9 if few else 0.003, "warning": None,
        "massive": {
            "n_tokens": 12 if few else 0, "share_of_tokens": 0.01 if few else 0.0, "n_at_first_position": 12 * few,
            "n_dimensions": int(few), "dimensions": [3] * few, "largest": 4000.0, "largest_over_median": 2000.0,
        },
    }  # fmt: skip


def fidelity(root: Path, model: str, site: str, runs: list[str], twin: bool) -> None:
    """fidelity.json and densities.npz of one site, and the training curves of its autoencoders."""
    rng, zero = np.random.default_rng(len(model)), 6.0
    described, densities = {}, {"n_tokens": np.array(50_000)}
    for name in runs:
        kind, width, k = RUNS[name]
        l0 = k or 11.3
        added = 1.4 / (l0**0.7 * width**0.2)
        density = 10 ** rng.normal(-2.5, 0.8, width) * (rng.random(width) > 0.1)
        described[name] = _fidelity_row(rng, l0, added, zero, 0.6 + 0.02 * l0, twin) | {
            "architecture": kind, "d_in": 32, "d_sae": width, "k": k, "vectors": 1_000_000,
            "l1_coefficient": 1.0 if kind == "relu" else None, "frac_alive": float((density > 0).mean()),
            "freq_over_1_percent": 0.05, "freq_over_10_percent": 0.0, "average_max_decoder_cosine_sim": 0.4,
            "normalized_freq_over_1_percent": 0.3, "normalized_freq_over_10_percent": 0.0,
        }  # fmt: skip
        densities |= {
            f"{name}.density": density,
            f"{name}.encoder_bias": rng.normal(-0.5, 0.2, width),
            f"{name}.encoder_norm": rng.uniform(0.5, 1, width),
            f"{name}.encoder_decoder_cosine_sim": rng.uniform(0.2, 0.9, width),
            f"{name}.max_decoder_cosine_sim": rng.uniform(0.2, 0.9, width),
            f"{name}.max_activation": rng.uniform(0, 9, width),
        }
        folder = root / f"sae/{model}/{site}/{name}"
        _curve(
            folder / "training.jsonl",
            [
                {"step": s, "vectors": s * 4096, "loss": 1.0, "mse": 1.0, "explained_variance": 0.8 - 0.5 / s,
                 "l0": l0 + 5 / s, "dead_share": 0.1, "learning_rate": 0.001, "seconds": s}
                for s in range(1, 60)
            ],
        )  # fmt: skip
        _write(folder / "training.json", {
            "vectors": 240_000, "seconds": 30.0, "vectors_per_s": 8000.0, "epochs": 1.2, "dead_latents": 3,
            "dead_after_vectors": 24_000, "final": {"explained_variance": 0.8, "l0": l0, "dead_share": 0.05},
            "resampled": [], "data_scale": 2.0, "l1_coefficient_raw": None, "seed": 0, "threads": 2, "device": "cpu",
        })  # fmt: skip
    ways = {
        "zero_ablation": (0, zero, -0.5), "mean_ablation": (0, 0.8, 0.0), "top_neurons_about_mean": (8, 0.5, 0.4),
        "top_neurons": (8, 3.2, -0.1), "pca": (8, 0.45, 0.5), "random_dictionary": (8, 0.7, 0.2),
        "token_table": (0, 0.6, 0.3),
    }  # fmt: skip
    if model == "deep" and "mlp" in site:
        ways["other_layer_sae"] = (8, 5.0, -0.4)
    clean = {"ce_loss_without_sae": 3.6, "activation_mean_norm": 3.0}
    if twin:
        clean |= {
            "ce_loss_without_mlp": 4.3, "mlp_worth_nats": 0.7, "mlp_worth_nats_low": 0.65, "mlp_worth_nats_high": 0.75
        }  # fmt: skip
    document = {
        "model": model, "site": site, "reference": runs[0], "split": "test", "context": 64, "conventions": {},
        "drop_first_position": True, "bootstrap_resamplings": 100, "n_tokens": 50_000, "n_scored_tokens": 49_000,
        "n_documents": 300, "norms": _norms(model, site), "clean": clean, "runs": described,
        "baselines": {n: {"what": f"what {n} is"} | _fidelity_row(rng, *numbers[:1], numbers[1], zero, numbers[2], twin)
                      for n, numbers in ways.items()},
        "identities": {"sae_plus_error_ce_change_nats": 1e-7, "zero_reconstruction_recovered": 0.0,
                       "identity_recovered": 1.0, "identity_kl_nats": 1e-9, "n_tokens": 4096,
                       "token_rounding_nats": 2e-5},
        "sweeps": {n: to_json(seed_pairs.compare(described, v)) for n, v in sweeps.trained(CONFIG, runs).items()},
    }  # fmt: skip
    document["baselines"]["random_dictionary"]["freq_over_1_percent"] = 0.2
    folder = root / f"evaluation/{model}/{site}"
    _write(folder / "fidelity.json", document)
    np.savez(folder / "densities.npz", **densities)
    norms = rng.gamma(20, 1, (12, 64))
    norms[:, 0] = 4000
    kept = np.ones_like(norms, bool)
    kept[:, 0] = False
    np.savez(folder / "norms.npz", norms=norms, kept=kept, excluded=kept & (norms > 200))


def _card(rng: np.random.Generator, index: int) -> dict:
    words = [" the", " `code`", "|", "\n", " عرب", " >>>", " value", " of"]
    return {
        "index": index, "density": 0.01, "max_activation": 5.0, "token_entropy_nats": float(rng.uniform(0, 6)),
        "effective_tokens": 20.0, "single_token": False,
        "top_tokens": [{"token": 1, "text": " the", "mean_activation": 2.0, "count": 10}],
        "examples": [{"activation": 5.0, "document": 1, "source_position": 9, "tokens": words,
                      "activations": rng.uniform(0, 5, len(words)).tolist(), "peak": 4}],
        "logit_weights": {"top": [{"token": 2, "text": " of", "weight": 3.0}], "bottom": []},
    }  # fmt: skip


def interpretation(root: Path, model: str) -> None:
    """interpretation.json, contexts.json and contexts.npz of the headline's run on one model."""
    rng, folder = np.random.default_rng(3), root / f"evaluation/{model}/{SITE}/wide"
    kinds = {"latents": 2.0, "neurons": 4.0}
    _write(folder / "interpretation.json", {
        "model": model, "site": SITE, "run": "wide", "n_tokens": {"validation": 4000, "test": 4000}, "conventions": {},
        "logit_weights": None,
        "summary": {kind: {"n_live": 60, "n_units": 60, "n_scored": 50, "single_token_share": 0.2,
                           "token_entropies_nats": rng.uniform(0, 6, 50).tolist(),
                           "mean_token_entropy_nats": middle, "median_token_entropy_nats": middle,
                           "median_density": 0.01} for kind, middle in kinds.items()},
        **{kind: [_card(rng, i) for i in range(6)] for kind in kinds},
    })  # fmt: skip
    halves = context_scores.Halves(*(rng.choice(5, 4000, p=[0.9, 0.03, 0.03, 0.02, 0.02]) for _ in range(2)))

    def column(index: int, label: int, purity: float) -> context_scores.Column:
        def act(labels: np.ndarray) -> np.ndarray:
            own = (labels == label) * rng.gamma(4, 1, len(labels)) * (rng.random(len(labels)) < 0.9)
            noise = rng.gamma(1, 1, len(labels)) * (rng.random(len(labels)) > purity)
            return (own + noise).astype(np.float32)

        return context_scores.Column(index, act(halves.validation), act(halves.test))

    names = LABELS[1:]
    latents = {name: column(10 + i, i + 1, 0.98) for i, name in enumerate(names)}
    neurons = {name: column(20 + i, i + 1, 0.5) for i, name in enumerate(names)}
    scored = context_scores.score_contexts(
        LABELS, halves, halves.permuted(1), latents, neurons, latents, column(7, 9, 0.9)
    )
    _write(folder / "contexts.json", {
        "model": model, "site": SITE, "run": "wide", "conventions": {}, "n_tokens": {"validation": 4000, "test": 4000},
        "contexts": to_json(scored),
    })  # fmt: skip
    np.savez(folder / "contexts.npz", **{
        f"{name}.{kind}.{part}": array
        for kind, chosen in (("latent", latents), ("neuron", neurons))
        for name, unit in chosen.items()
        for part, array in context_scores.histogram(unit.test, halves.test, 5).items()
    })  # fmt: skip


def case_studies(root: Path) -> None:
    """cases.json of the headline's run."""

    def estimate(value: float) -> Estimate:
        return Estimate(value, value - 0.05, value + 0.05, 12)

    def unit(index: int | None, value: float, proxy: bool) -> CaseUnit:
        rest = [estimate(each) for each in (value, value - 0.4, value / 9, value, value)]
        return CaseUnit(index, 1.0, *rest, estimate(value / 2) if proxy else None)

    values = {"latent": 0.7, "neuron": 0.3, "random_dictionary": 0.2, "permuted_model": 0.25, "lookup": 0.4}
    units = {name: {kind: unit(3, value, name == "dna") for kind, value in values.items()} for name in ("url", "dna")}
    counts = SplitCounts(200, 600)
    cases = {
        "url": Case("natural", "web addresses", counts, 30, 12, 0.01, "context feature", None, units["url"]),
        "dna": Case("planted", "planted dna", counts, 9, 8, 0.01, "undecided", estimate(0.8), units["dna"]),
    }
    firing = {name: {kind: estimate(value) for kind, value in values.items()} for name in units}
    unseen = {"base64": UnseenText(900, 12, 1.4, firing), "arabic": UnseenText(700, 11, 1.1, firing)}
    document = CaseStudies(
        "first", SITE, "wide", SplitCounts(4000, 12000), 30_000, {}, {"certifi": "2026.1.1"}, cases, unseen, firing
    )
    _write(root / f"evaluation/first/{SITE}/wide/cases.json", to_json(document))


def unit_scores(root: Path) -> None:
    """scores.json and scores.npz of the headline's run."""
    names = ("latents", "neurons", "rotated", "random", "permuted")
    samples = {}
    for place, name in enumerate(names):
        rng = np.random.default_rng(place)
        values = {score: np.clip(0.8 - 0.1 * place + rng.normal(0, 0.1, 8), 0, 1) for score in scoring.SCORES}
        parts = {score: np.tile(values["n2g_f1"][:, None], (1, scoring.INTERVALS)) for score in scoring.BY_INTERVAL}
        samples[name] = summary.Scored(np.arange(8), values, parts)
    document = Scores(
        model="first", site=SITE, run="wide", control="permuted", judge="other", conventions={},
        n_tokens={"validation": 4000, "test": 4000},
        populations={
            name: PopulationScores(f"what {name} are", 60, *(
                summary.summarise(
                    sample, {other: samples[other] for other in names[:2] if other != name}, paired, 20, 0
                )
                for paired in (False, True)
            ))
            for name, sample in samples.items()
        },
    )  # fmt: skip
    folder = root / f"evaluation/first/{SITE}/wide"
    _write(folder / "scores.json", to_json(document))
    np.savez(folder / "scores.npz", **{
        f"{name}.{variant}.{score}": values
        for name, sample in samples.items()
        for variant in ("raw", "equal_density")
        for score, values in sample.scores.items()
    })  # fmt: skip


def toys(root: Path) -> None:
    """The two results of the toy chapter."""
    levels = [(1.0, 5, 5, 0.03), (0.1, 9, 4, 0.5), (0.01, 20, 2, 0.9)]
    relu = [{"probability": p, "n_represented": n, "n_norm_above_0_9": k, "max_off_diagonal": o, "norms": [1.0]}
            for p, n, k, o in levels]  # fmt: skip
    linear = [
        {"probability": p, "n_represented": 5, "n_norm_above_0_9": 5, "max_off_diagonal": 0.0} for p, *_ in levels
    ]
    _write(root / "toy/superposition/result.json", {
        "parameters": {"n": 20, "m": 5}, "represented_norm": 0.5, "models": {"relu": relu, "linear": linear},
        "acceptance": {"sparsest_norms_above_0_5": {"value": 20, "bound": 20, "pass": True}},
    })  # fmt: skip
    poor, good = {"mmcs": 0.5, "matched_share": 0.0}, {"mmcs": 0.98, "matched_share": 0.95}
    _write(root / "toy/recovery/result.json", {
        "truth": {"n": 64, "d": 20, "true_l0": 2.5}, "match_cosine": 0.9, "best": good,
        "rank_correlation_with_truth": 0.6,
        "controls": {"random_dictionary": [poor, poor], "raw_basis": poor, "pca": poor, "ica": poor,
                     "chance_mmcs": 0.5},
        "acceptance": {"relu_mmcs": {"value": 0.97, "bound": 0.95, "pass": True},
                       "relu_matched_share": {"value": 0.93, "bound": 0.9, "pass": True}},
    })  # fmt: skip


def make(root: Path) -> None:
    """All of it below a folder `results`."""
    language_models(root)
    _write(
        root / "environment.json",
        {
            "python": {"version": "3.11.9"},
            "packages": {"numpy": "2.0"},
            "threads": 2,
            "git": {"commit": "0123"},
            "hardware": {"cpu": "a processor", "cores": 2},
            "torch": {"version": "2", "device_name": "a processor"},
        },
    )
    counts = {"documents": 10, "characters": 3000, "labelled_characters": 60, "bytes": 3100, "share": 1.0}
    _write(root / "data/made-up/manifest.json", {
        "corpus": "made-up", "documents": 10, "characters": 3000, "bytes": 3100, "planted_share": 0.02,
        "splits": {"train": counts, "test": counts}, "sources": {"numpy": counts}, "documents_sha256": "0" * 64,
        "left_out": [{"reason": "shorter than corpus.min_characters (60)", "texts": 3, "characters": 90}],
        "labelled_by_rule": {"hebrew": {"characters": 1234}},
        "overlap": {"words_of_a_run": 16, "near_duplicate_above": 0.5, "one_group_above": 0.2, "groups": 9,
                    "largest_group_share": 0.1, "held_out_up_to": 0.1, "may_be_held_out_share": 0.4},
    })  # fmt: skip
    verbatim = {"verbatim_in_train": {"run_tokens": 16, "n_tokens": 3, "share": 0.03}, "labelled_share": 0.04}
    _write(root / "data/made-up/tokens/bpe-300/manifest.json", {
        "splits": {"train": {"labelled_share": 0.04}, "validation": verbatim, "test": verbatim},
    })  # fmt: skip
    toys(root)
    for use in CONFIG["sae"]["use"]:
        model = use["model"].replace("chapters.language_model", "deep")
        fidelity(root, model, use["site"], use["runs"], twin=model == "first")
    for model in ("first", "permuted"):
        interpretation(root, model)
    case_studies(root)
    unit_scores(root)
    analysis_results.make(root, "deep", 3, [])
    place = ("deep", "blocks.2.hook_resid_post", "narrow")
    analysis_results.prompts(root / "analysis" / "/".join(place), *place)
    analysis_results.interventions(root / "analysis" / "first" / SITE / "wide", "first", SITE, "wide")
    analysis_results.make(root, "first", 1, ["other", "permuted"])
