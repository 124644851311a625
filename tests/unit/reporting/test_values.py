"""Numbers of a run in one table, and those that compare several runs."""

import json
from pathlib import Path

import pytest

from scripts.monosem.core.artefacts import key_prefix, source_of
from scripts.monosem.reporting import derived_values
from scripts.monosem.reporting.values import Values, collect, flatten, unit_of


def test_flatten_keeps_numbers_and_positions_and_leaves_text_and_curves():
    document = {"a": {"b": 1, "text": "x", "curve": [1, 2]}, "rows": [{"c": True}, {"c": None}], "empty": []}
    assert flatten(document) == {"a/b": 1, "rows/0/c": True, "rows/1/c": None}


def test_keys_name_their_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "results/models/a/training.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"nats_per_token": 3.5, "natural": {"tokens": 7}}')
    table = collect(["results/models/a/training.json"])
    assert table["models/a/training:nats_per_token"] == {
        "value": 3.5,
        "unit": "nats per token",
        "source": "results/models/a/training.json",
    }
    assert all(source_of(key) == row["source"] for key, row in table.items())
    assert key_prefix(source_of("models/a/training:x")) == "models/a/training"
    assert unit_of("a:b/wall_s") == "s" and unit_of("a:cosine") == ""


def test_numbers_are_derived_from_the_file_of_a_name_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bins = [{"lower": low, "upper": low + 1, "n_tokens": 4, "in_context_share": 0.5} for low in (0, 1)]
    unit = {"specificity_by_activation": bins}
    scored = {"latent": unit, "neuron": unit, "controls": {"shuffled_labels": unit}}
    for name, document in {
        "contexts": {"contexts": {"dna": scored}},
        "cases": {"contexts": ["dna"], "runs": {}, "baselines": {}},
    }.items():
        Path(f"results/evaluation/m/{name}.json").parent.mkdir(parents=True, exist_ok=True)
        Path(f"results/evaluation/m/{name}.json").write_text(json.dumps(document))
    table = collect([f"results/evaluation/m/{name}.json" for name in ("contexts", "cases")])
    assert table["evaluation/m/contexts:summary/latent/upper_half_specificity"]["value"] == 0.5
    assert not [key for key in table if key.startswith("evaluation/m/cases")]


def test_curves_over_intervals_are_no_numbers_of_the_run():
    rows = [{"value": 0.1, "low": 0.0, "high": 0.2, "n": 3}]
    assert flatten({"raw": {"scores": {"f1": {"value": 1.0}}, "by_interval": {"f1": rows}}}) == {
        "raw/scores/f1/value": 1.0
    }


def run(architecture="topk", d_sae=8, k=4, l0=4.0, added=0.2, l1=None, vectors=1000) -> dict:
    shape = {"architecture": architecture, "d_sae": d_sae, "k": k, "l1_coefficient": l1, "vectors": vectors}
    return shape | {"l0": l0, "ce_increase_nats": added}


def test_frontier_compares_only_runs_that_differ_in_one_thing():
    ordered = {"a": run(), "b": run(k=8, l0=8.0, added=0.1), "c": run(d_sae=16, added=0.15)}
    one_pair = derived_values.frontier(ordered)
    assert (one_pair["sparsity_pairs"], one_pair["sparsity_ordered"], one_pair["width_pairs"]) == (1, 1.0, 1)
    assert one_pair["sparsity_p"] == pytest.approx(0.5, abs=0.05)  # half of all orders have the pair right
    worse = {**ordered, "d": run(d_sae=32, added=0.3)}
    assert derived_values.frontier(worse)["width_ordered"] == pytest.approx(1 / 3)
    assert derived_values.frontier({"a": run(), "b": run("relu", k=None, l0=9.0)}) == {}
    assert derived_values.frontier({"a": run(), "longer": run(k=8, l0=8.0, vectors=2000)}) == {}
    relu = {"a": run("relu", k=None, l1=5.0, l0=9.0), "resampled": run("relu", k=None, l1=5.0, l0=9.1)}
    assert derived_values.frontier(relu) == {}


def test_one_ordered_pair_may_be_chance_and_nine_runs_in_order_are_not():
    grid = {
        f"{d_sae}-{k}": run(d_sae=d_sae, k=k, l0=float(k), added=1 / (d_sae * k))
        for d_sae in (8, 16, 32)
        for k in (4, 8, 16)
    }
    found = derived_values.frontier(grid)
    assert found["sparsity_pairs"] == found["width_pairs"] == 9
    assert found["sparsity_ordered"] == found["width_ordered"] == 1.0
    assert found["sparsity_p"] < 0.02 and found["width_p"] < 0.02
    assert found["sparsity_p_permuted"] > 0.02


def test_specificity_pools_the_upper_half_by_tokens():
    bins = [
        {"lower": 0.0, "upper": 1.0, "n_tokens": 10, "in_context_share": 0.2},
        {"lower": 1.0, "upper": 2.0, "n_tokens": 0, "in_context_share": None},
        {"lower": 2.0, "upper": 3.0, "n_tokens": 3, "in_context_share": 1.0},
        {"lower": 3.0, "upper": 4.0, "n_tokens": 1, "in_context_share": 0.0},
    ]
    assert derived_values.specificity(bins) == (0.2, 0.75)
    assert derived_values.specificity([{**row, "n_tokens": 0} for row in bins]) == (None, None)


def test_a_role_that_is_left_out_makes_its_keys_missing():
    values = Values({}, {"control": None})
    assert values.get("models/{control}/training:x") is None
    assert values.missing == {"models/(no control)/training:x"}
