"""A verdict is computed: bars, operands, controls that must fail, and values that are not there."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scripts.monosem.core.artefacts import ArtefactError, key_prefix, source_of
from scripts.monosem.reporting import derived_values
from scripts.monosem.reporting.claims import BARS, check_claim, check_claims, evaluate, judge
from scripts.monosem.reporting.values import MissingValues, Values, collect, flatten, unit_of

ROLES = {"fidelity": "evaluation/m/blocks.0.mlp.hook_post/fidelity", "run": "r"}
NUMBERS = {
    "evaluation/m/blocks.0.mlp.hook_post/fidelity:runs/r/ce_loss_score": 0.9,
    "evaluation/m/blocks.0.mlp.hook_post/fidelity:baselines/pca/ce_loss_score": 0.5,
    "evaluation/m/blocks.0.mlp.hook_post/fidelity:baselines/neurons/ce_loss_score": 0.7,
    "evaluation/m/blocks.0.mlp.hook_post/fidelity:undefined": None,
}


def make_values(numbers: dict) -> Values:
    return Values({key: {"value": v, "unit": "", "source": source_of(key)} for key, v in numbers.items()}, ROLES)


def claim(**changes) -> dict:
    ours = {"quantity": "loss recovered", "value": "{fidelity}:runs/{run}/ce_loss_score", "at_least": 0.79}
    worse = {"quantity": "loss recovered", "value": "{fidelity}:baselines/pca/ce_loss_score", "at_least": 0.79}
    base = {"id": "a", "claim": "c", "work": "w", "section": "s", "chapter": "one_layer", "published": []}
    return base | {"accept": [ours], "controls": [{"name": "PCA", "accept": [worse]}]} | changes


def test_reproduced_only_if_the_control_fails():
    assert check_claim(claim(), make_values(NUMBERS))["verdict"] == "reproduced"
    passing = dict.fromkeys(NUMBERS, 0.95)
    row = check_claim(claim(), make_values(passing))
    assert row["verdict"] == "not reproduced"
    assert "control passes too: PCA" in row["reason"]


def test_a_missed_bar_is_not_reproduced_and_says_which():
    row = check_claim(claim(), make_values(dict.fromkeys(NUMBERS, 0.1)))
    assert row["verdict"] == "not reproduced"
    assert row["reason"] == "loss recovered: bar missed"
    assert row["ours"][0]["value"] == 0.1 and row["ours"][0]["bar"] == 0.79


def test_an_undefined_value_satisfies_no_bar():
    for bar in BARS:
        assert not judge({"quantity": "q", "value": "{fidelity}:undefined", bar: 0.0}, make_values(NUMBERS)).holds


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_opposite_bars_are_complementary(value, bar):
    values = make_values({})

    def holds(sign):
        return judge({"quantity": "q", "value": value, sign: bar}, values).holds

    assert holds("at_least") != holds("below")
    assert holds("at_most") != holds("above")


def test_operands():
    values = make_values(NUMBERS)
    scores = "{fidelity}:baselines/*/ce_loss_score"
    assert evaluate({"max": [scores]}, values) == 0.7
    assert evaluate({"min": [scores, 0.1]}, values) == 0.1
    assert evaluate({"mean": [scores]}, values) == pytest.approx(0.6)
    assert evaluate({"minus": ["{fidelity}:runs/{run}/ce_loss_score", {"max": [scores]}]}, values) == pytest.approx(0.2)
    assert evaluate({"over": [1, 4]}, values) == 0.25
    assert evaluate({"times": [3, 4]}, values) == 12
    assert evaluate({"over": [1, 0]}, values) is None
    assert evaluate({"minus": [1, "{fidelity}:undefined"]}, values) is None
    assert evaluate({"steps": [1, 2, 5]}, values) == 1
    assert evaluate({"steps": [1, 3, 2]}, values) == -1


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=6))
def test_steps_are_positive_exactly_for_strictly_rising_lists(numbers):
    rising = all(a < b for a, b in zip(numbers, numbers[1:], strict=False))
    assert (evaluate({"steps": numbers}, make_values({})) > 0) == rising


@pytest.mark.parametrize("operand", [{"median": [1]}, {"max": [1], "min": [2]}, [1, 2], None])
def test_unknown_operands_are_refused(operand):
    with pytest.raises(ArtefactError, match="no operand"):
        evaluate(operand, make_values({}))


@pytest.mark.parametrize("bars", [{}, {"at_least": 1, "below": 2}, {"at_least": 1, "atleast": 2}])
def test_a_condition_has_exactly_one_bar(bars):
    with pytest.raises(ArtefactError, match="exactly one"):
        judge({"quantity": "q", "value": 1, **bars}, make_values({}))


def test_missing_values_are_listed_at_once_with_their_files():
    lacking = claim(
        accept=[{"quantity": "a", "value": "models/x/training:one", "above": 0}],
        controls=[{"name": "n", "accept": [{"quantity": "b", "value": "toy/y/result:two", "above": 0}]}],
    )
    with pytest.raises(MissingValues) as error:
        check_claims([lacking], make_values(NUMBERS))
    assert "2 value(s)" in str(error.value)
    assert "results/models/x/training.json" in str(error.value) and "results/toy/y/result.json" in str(error.value)


def test_an_optional_claim_without_its_values_is_not_attempted():
    lacking = claim(accept=[{"quantity": "a", "value": "x:one", "above": 0}], optional="a second width")
    row = check_claims([lacking], make_values(NUMBERS))["claims"][0]
    assert row["verdict"] == "not attempted" and "a second width" in row["reason"]


def test_unknown_keys_and_duplicate_ids_are_refused():
    with pytest.raises(ArtefactError, match="contrls"):
        check_claim(claim(contrls=[]), make_values(NUMBERS))
    with pytest.raises(ArtefactError, match="unique"):
        check_claims([claim(), claim()], make_values(NUMBERS))


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


def test_the_claims_file_is_sound():
    with open("paper/claims.yaml", encoding="utf-8") as file:
        claims = yaml.safe_load(file)
    ids = [claim["id"] for claim in claims]
    assert len(set(ids)) == len(ids)
    for entry in claims:
        assert entry["chapter"] in ("toy", "one_layer", "gpt2"), entry["id"]
        attempted = entry.get("status") != "not attempted"
        assert attempted == ("accept" in entry), entry["id"]
        assert attempted or entry["reason"], entry["id"]


def run(architecture="topk", d_sae=8, k=4, l0=4.0, added=0.2, l1=None, vectors=1000) -> dict:
    shape = {"architecture": architecture, "d_sae": d_sae, "k": k, "l1_coefficient": l1, "vectors": vectors}
    return shape | {"l0": l0, "ce_increase_nats": added}


def test_frontier_compares_only_runs_that_differ_in_one_thing():
    ordered = {"a": run(), "b": run(k=8, l0=8.0, added=0.1), "c": run(d_sae=16, added=0.15)}
    assert derived_values.frontier(ordered) == {
        "sparsity_pairs": 1, "sparsity_ordered": 1.0, "sparsity_ordered_by_chance": 1.0,
        "width_pairs": 1, "width_ordered": 1.0, "width_ordered_by_chance": 1.0,
    }  # fmt: skip
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
    assert 0.5 < found["sparsity_ordered_by_chance"] < 1.0 and 0.5 < found["width_ordered_by_chance"] < 1.0


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
