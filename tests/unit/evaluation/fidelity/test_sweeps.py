"""Sweeps are written out once, and their runs are compared pair by pair."""

import copy

import pytest

from scripts.monosem.evaluation.documents import from_json, to_json
from scripts.monosem.evaluation.fidelity import seed_pairs
from scripts.monosem.evaluation.fidelity.document import MOST_ALONE, Variant, drawn_alone
from scripts.monosem.workflow import sweeps

CONFIG = {
    "sae": {
        "runs": {"alone": {"architecture": "topk"}},
        "sweeps": {
            "recipe": {
                "base": {"architecture": "relu", "d_sae": 8, "resample": {"at": [0.5]}},
                "variants": {"published": None, "bare": {"resample": None}},
                "seeds": [3, 1],
            }
        },
        "use": [{"runs": ["alone"], "sweeps": ["recipe"]}, {"runs": ["alone"]}],
    }
}


def test_a_sweep_is_a_run_per_variant_and_seed_where_it_is_used():
    config = copy.deepcopy(CONFIG)
    sweeps.expand_(config)
    runs = config["sae"]["runs"]
    names = ["recipe-published-seed3", "recipe-published-seed1", "recipe-bare-seed3", "recipe-bare-seed1"]
    assert list(runs) == ["alone", *names]
    assert runs["recipe-bare-seed3"] == {"architecture": "relu", "d_sae": 8, "resample": None, "seed": 3}
    assert runs["recipe-published-seed3"]["resample"] == {"at": [0.5]}
    assert [use["runs"] for use in config["sae"]["use"]] == [["alone", *names], ["alone"]]


def test_writing_out_twice_changes_nothing():
    once = copy.deepcopy(CONFIG)
    sweeps.expand_(once)
    twice = copy.deepcopy(once)
    sweeps.expand_(twice)
    assert twice == once


def test_only_whole_sweeps_are_compared():
    names = [run for runs in sweeps.members("recipe", CONFIG["sae"]["sweeps"]["recipe"]).values() for run in runs]
    assert list(sweeps.trained(CONFIG, ["alone", *names])) == ["recipe"]
    assert sweeps.trained(CONFIG, names[1:]) == {}


def test_pairs_take_out_what_the_seeds_have_in_common():
    def row(value):
        return dict.fromkeys(seed_pairs.MEASURES, value)

    # the seeds differ by 10, the variants by 1, 2 and 3
    rows = {"a0": row(0.0), "a1": row(10.0), "a2": row(20.0), "b0": row(1.0), "b1": row(12.0), "b2": row(23.0)}
    first, second = seed_pairs.compare(rows, {"a": ["a0", "a1", "a2"], "b": ["b0", "b1", "b2"]}).values()
    assert first.l0.difference is None and first.l0.spread == 20.0
    assert (second.l0.mean, second.l0.spread) == (12.0, None)
    paired = second.l0.difference
    assert (paired.difference, paired.smallest_difference, paired.largest_difference) == (2.0, 1.0, 3.0)
    # t(0.975; 2) = 4.3027, standard deviation 1, n = 3
    assert paired.difference_high - paired.difference == pytest.approx(4.30265 / 3**0.5, rel=1e-5)
    assert paired.difference_low == pytest.approx(4 - paired.difference_high)
    for variant in (first, second):
        assert from_json(Variant, to_json(variant)) == variant


def test_the_mean_over_seeds_has_its_interval():
    made = seed_pairs.over_seeds([1.0, 3.0], None)
    assert (made.mean, made.mean_low) == (2.0, pytest.approx(2 - 12.7062, abs=1e-3))
    assert seed_pairs.over_seeds([1.0], None).mean_low is None


def test_variants_are_compared_with_the_recipe_at_their_own_l0():
    """The recipe's loss is 1 at L0 4 and 0 at L0 16: 1/2 at L0 8."""
    rows = {
        name: {**dict.fromkeys(seed_pairs.MEASURES, 0.0), "l0": l0, "ce_increase_nats": loss}
        for name, (l0, loss) in {"weak": (16, 0.0), "base": (4, 1.0), "other": (8, 0.7), "sparse": (2, 1.0)}.items()
    }
    variants = {name: [name] for name in ("base", "weak", "other", "sparse")}
    made = seed_pairs.compare(rows, variants, ["base", "weak"])
    assert made["other"].ce_increase_at_equal_l0.difference == pytest.approx(0.2)
    assert made["sparse"].ce_increase_at_equal_l0 is None and made["weak"].ce_increase_at_equal_l0 is None
    sweep = {"variants": {"base": None, "weak": {"k": 3}, "other": {"k": 3, "aux_k": 1}}}
    assert sweeps.sparsities({"sae": {"sweeps": {"s": sweep}}}) == {"s": ["base", "weak"]}


def test_of_many_runs_figures_draw_the_first_and_the_reference():
    runs = {f"run-{i}": {} for i in range(100)} | {"parts-with-seed0": {}}
    fidelity = {"runs": runs, "reference": "run-99", "sweeps": {"parts": {"with": {"runs": ["parts-with-seed0"]}}}}
    drawn = drawn_alone(fidelity)
    assert len(drawn) == MOST_ALONE and drawn[0] == "run-0" and drawn[-1] == "run-99"
    few = {"runs": {"a": {}, "parts-with-seed0": {}, "b": {}}, "reference": "b", "sweeps": fidelity["sweeps"]}
    assert drawn_alone(few) == ["a", "b"]
