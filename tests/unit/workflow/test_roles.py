"""Roles: parts of a run under names that no configuration chooses."""

from scripts.monosem.workflow import roles

RELU = {"architecture": "relu", "encoder_init": "kaiming", "d_sae": 8, "resample": {"at": [0.5]}}


def config(**runs) -> dict:
    used = [{"model": "m", "site": "s", "runs": [*runs]}, {"model": "m", "site": "other", "runs": ["other"]}]
    kept = runs | {"other": RELU | {"l1_coefficient": 9.0}}
    sae = {"defaults": {"batch_size": 4}, "runs": kept, "use": used}
    chapters = {"language_model": {"model": "m", "candidates": ["m"]}}
    return {
        "sae": sae,
        "chapters": chapters,
        "evaluation": {"headline": {"model": "m", "site": "s", "run": "headline"}},
    }


def test_the_published_method_has_the_headline_s_width_and_two_penalties():
    headline, narrow = {"architecture": "topk", "d_sae": 8}, RELU | {"d_sae": 4, "l1_coefficient": 0.1}
    runs = {"headline": headline, "b": RELU | {"l1_coefficient": 5.0}, "a": RELU | {"l1_coefficient": 2.0}}
    assert roles.published_method(config(**runs, narrow=narrow)) == ("a", "b")
    without = {name: run | {"resample": None} for name, run in runs.items()}
    assert roles.published_method(config(**without)) == (None, None)
    assert roles.published_method(config(headline=headline, a=runs["a"])) == (None, None)
