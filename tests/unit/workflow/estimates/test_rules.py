"""Work of every job from the configuration: closed forms, and how it grows."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from scripts.monosem.workflow import outputs_toy, plan
from scripts.monosem.workflow.estimates import autoencoders, planned, rules, toys
from scripts.monosem.workflow.estimates.work import REFERENCE, Work
from tests.helpers import configuration

HEADLINE = {"model": "onelayer-a", "site": "blocks.0.mlp.hook_post", "run": "topk-4096"}


@pytest.fixture(scope="module")
def config():
    return configuration.default()


@pytest.fixture(scope="module")
def the_plan(config):
    return plan.make_plan(config)


def changed(config, section: str, **values):
    return {**config, section: {**config[section], **values}}


def test_an_autoencoder_costs_a_multiple_of_its_encoder(config, the_plan):
    run = config["sae"]["runs"]["topk-4096"]
    work = rules.work_of(config, the_plan, "train_sae", HEADLINE)
    assert work.products == pytest.approx(autoencoders.TRAINING["topk"] * 2 * 512 * 4096 * run["vectors"])
    assert work.disk_bytes == 4 * (2 * 512 + 2) * 4096


def test_every_architecture_has_a_multiple():
    from scripts.monosem.sae.architectures import ARCHITECTURES

    assert set(autoencoders.TRAINING) == set(ARCHITECTURES)


def test_every_kind_of_toy_experiment_has_a_formula(config):
    for entry in outputs_toy.experiments(config["toy"]).values():
        assert toys.experiment(entry).seconds(REFERENCE) > 0.1, entry["kind"]
    assert set(toys.PER_VALUE) == set(toys.MODELS) == set(outputs_toy.FIGURES) - {"recovery", "absorption"}


def test_twice_the_steps_of_a_toy_experiment_are_twice_the_work(config):
    entry = config["toy"]["superposition"]
    assert toys.experiment(entry | {"steps": 4000}).passes == pytest.approx(2 * toys.experiment(entry).passes)


def test_the_crossed_grid_of_a_recovery_trains_what_shares_value_or_width(config):
    """Four values and three widths that cross at the headline are six cells, the headline with three seeds: 8 runs."""
    of = toys.from_params(toys.toy.CONFIGS["recovery"], outputs_toy_settings(config["toy"]["recovery"]))
    assert len(list(toys._recovery_runs(of))) == 2 * 8


def outputs_toy_settings(entry):
    return {key: value for key, value in entry.items() if key not in ("kind", "seed")}


def test_a_language_model_costs_six_flops_per_weight_and_token(config, the_plan):
    settings = [dict(config["models"]["onelayer-a"]["train"], tokens=tokens) for tokens in (1_000_000, 2_000_000)]
    configs = [changed(config, "models", **{"onelayer-a": {"train": each}}) for each in settings]
    works = [rules.work_of(each, the_plan, "train_language_model", {"model": "onelayer-a"}) for each in configs]
    weights = 4 * 128**2 + 2 * 128 * 512 + 4096 * 128
    assert works[1].narrow - works[0].narrow == pytest.approx(rules.TRAINED * 6 * weights * 1e6)


def test_more_evaluated_tokens_cost_in_proportion(config, the_plan):
    place = {key: HEADLINE[key] for key in ("model", "site")}
    few, many = (
        rules.work_of(changed(config, "evaluation", tokens=tokens), the_plan, "evaluate_fidelity", place)
        for tokens in (10_000, 20_000)
    )
    assert many.narrow == pytest.approx(2 * few.narrow)


def test_a_site_that_is_read_in_the_pass_of_another_only_takes_its_files(config, the_plan):
    [((model, first), others)] = the_plan.passes.items()
    own, taken = (
        rules.work_of(config, the_plan, "extract_activations", {"model": model, "site": site})
        for site in (first, others[0])
    )
    assert taken.products == 0 and taken.seconds(REFERENCE) == pytest.approx(rules.PYTHON_S)
    assert own.seconds(REFERENCE) > taken.seconds(REFERENCE)


def test_a_pass_takes_the_memory_of_its_last_site(config, the_plan):
    """Bytes beside the blocks are the same; each of three blocks has 4 · 8² + 2 · 8 · 32 numbers in float32."""
    shape = {"n_layer": 3, "n_embd": 8, "n_head": 2, "n_inner": 32, "n_positions": 16}
    deep = changed(config, "models", deep={"train": {"architecture": shape}})
    early, late = "blocks.0.mlp.hook_post", "blocks.2.hook_resid_pre"

    def memory(site: str, *others: str) -> float:
        passes = replace(the_plan, passes={("deep", site): others})
        return rules.work_of(deep, passes, "extract_activations", {"model": "deep", "site": site}).memory_bytes

    assert memory(late) - memory(early) == 2 * 4 * (4 * 8**2 + 2 * 8 * 32)
    assert memory(early, late) == memory(late)


def test_rules_that_only_draw_or_print_take_their_own_time(config, the_plan):
    assert rules.work_of(config, the_plan, "plot_toy", {}).seconds(REFERENCE) == rules.LIGHT_S["plot_toy"]
    assert rules.work_of(config, the_plan, "collect_metrics", {}).seconds(REFERENCE) == rules.OTHER_S


def test_a_batch_system_is_asked_for_a_reserve_that_grows_with_every_attempt(config, the_plan):
    model = {"model": "onelayer-a"}
    first, second = (planned.request(config, the_plan, "train_language_model", model, attempt) for attempt in (1, 2))
    assert second["mem_mb"] == pytest.approx(2 * first["mem_mb"], abs=1)
    assert second["runtime"] == pytest.approx(2 * first["runtime"], abs=1)
    assert planned.request(config, the_plan, "collect_metrics", {}, 1) == {
        "mem_mb": planned.LEAST_MB, "runtime": planned.LEAST_MINUTES, "disk_mb": planned.LEAST_MB,
    }  # fmt: skip


def test_a_wider_autoencoder_asks_for_more_memory(config, the_plan):
    wide = changed(
        config,
        "sae",
        runs={**config["sae"]["runs"], "topk-4096": {**config["sae"]["runs"]["topk-4096"], "d_sae": 65_536}},
    )
    asked = [planned.request(each, the_plan, "train_sae", HEADLINE, 1)["mem_mb"] for each in (config, wide)]
    added = 1.5 * 4 * (4 * 2 * 512 + 3 * 1024) * (65_536 - 4096) / 1e6
    assert asked[1] - asked[0] == pytest.approx(added, abs=2)


class SnakemakeJob:
    """Attributes of a job of Snakemake."""

    def __init__(self, rule: str, wildcards: dict[str, str], norun: bool = False):
        self.rule, self.wildcards_dict = SimpleNamespace(name=rule, norun=norun), wildcards
        self.threads, self.priority = 2, 1


def test_the_jobs_of_a_dag_have_their_work_and_their_needs(config, the_plan):
    done, trained, plotted = (
        SnakemakeJob("build_corpus", {}),
        SnakemakeJob("train_sae", HEADLINE),
        SnakemakeJob("plot_toy", {}),
    )
    target = SnakemakeJob("all", {}, norun=True)
    dag = SimpleNamespace(
        needrun_jobs=lambda exclude_finished: iter([trained, plotted, target]),
        jobid=[done, trained, plotted].index,
        dependencies={trained: {}, plotted: {trained: set(), done: set()}, target: {plotted: set()}},
    )
    first, second = planned.jobs(dag, config, the_plan)
    assert (first.key, first.rule, first.threads, first.priority) == (1, "train_sae", 2, 1)
    assert first.work == rules.work_of(config, the_plan, "train_sae", HEADLINE) and first.work != Work()
    assert second.needs == frozenset({0, 1})
