"""The rules as a set: each has its script, log and message, and the shipped configuration can be planned."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

RULE_FILES = sorted(Path("rules").glob("*.smk"))
RULES = {
    name: body
    for path in RULE_FILES
    for name, body in re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", path.read_text(), re.M | re.S)
}


def test_there_are_rules():
    assert {"build_corpus", "train_language_model", "train_sae", "evaluate_fidelity", "compile_report"} <= set(RULES)


@pytest.fixture(scope="module")
def parsed(clone, snakemake) -> dict[str, dict]:
    """Rule -> its directives as Snakemake holds them, in a configuration where gpt2 has a device of its own."""
    (clone / "options.yaml").write_text("models: {gpt2: {pretrained: {device: mps}}}\n")
    (clone / "probe.smk").write_text(PROBE)
    words = ("-n", "--snakefile", "probe.smk", "--config", *COMMAND_LINE)
    done = snakemake(clone, *words, configfile="options.yaml")
    return dict(json.loads(line) for line in re.findall(r"^PARSED (.*)$", done.stdout, re.M))


COMMAND_LINE = ["seed=1", "evaluation={tokens: 900}"]
PROBE = """
import json
from types import SimpleNamespace
include: "Snakefile"
named_intervention = lambda wildcards: {"model": wildcards.model}
for rule in workflow.rules:
    device = dict(rule.params.items()).get("device")
    facts = {name: getattr(rule, name) for name in ("docstring", "script", "message", "conda_env")}
    facts |= {"log": list(map(str, rule.log)), "benchmark": str(rule.benchmark)}
    facts["config"] = dict(rule.params.items()).get("config")
    facts["code"] = len(dict(rule.params.items()).get("code", "")) == 64
    facts["sources"] = [str(path) for path in rule.input if not callable(path) and not str(path).startswith("results/")]
    facts["local"] = workflow.is_local(rule)
    facts["device"] = device(SimpleNamespace(model="gpt2")) if callable(device) else device
    print("PARSED", json.dumps([rule.name, facts], default=str))
"""


def lacking(rule: str, facts: dict) -> list[str]:
    """Names of the directives in which a rule is not like the others."""
    wholesome = {
        "docstring": bool(facts["docstring"]),
        "script": facts["script"] == f"../scripts/{rule}.py" and Path("scripts", f"{rule}.py").is_file(),
        "code": facts["code"],
        "no input that only the calling machine has": facts["local"] or not facts["sources"],
        "log": bool(facts["log"]) and all(path.startswith(f"results/logs/{rule}/") for path in facts["log"]),
        "benchmark": facts["benchmark"].startswith(f"results/benchmarks/{rule}/"),
        "message": (facts["message"] or "").startswith(f"[{rule}"),
        "conda_env": facts["conda_env"] == "../envs/monosem.yaml",
    }
    return [name for name, whole in wholesome.items() if not whole]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_whole(rule, parsed):
    assert lacking(rule, parsed[rule]) == []


def test_a_rule_without_a_log_is_found(parsed):
    assert lacking("train_sae", parsed["train_sae"] | {"log": [], "benchmark": "None"}) == ["log", "benchmark"]


def test_every_script_has_its_rule():
    by_hand = {
        "__init__",
        "fetch_model",
        "verify",
        "convert_sae",
        "compare_saes",
        "export_sae",
        "estimate",
        "describe_run",
        "ship_models",
    }  # called by people, or by make
    assert {path.stem for path in Path("scripts").glob("*.py")} - by_hand == set(RULES)


def test_profiles_give_memory_and_name_rules_that_exist():
    profiles = [yaml.safe_load(path.read_text()) for path in Path("profiles").glob("*/config.yaml")]
    assert len(profiles) == 4
    for profile in profiles:
        assert set(profile.get("set-resources", {})) <= set(RULES)
        assert profile["default-resources"]["mem_mb"] == 3000


def test_slurm_is_asked_by_squeue_which_needs_no_accounting():
    """sacct, the plugin's default, says nothing on a cluster without a database: jobs are never seen to end there."""
    assert yaml.safe_load(Path("profiles/slurm/config.yaml").read_text())["slurm-status-command"] == "squeue"


def test_scripts_take_everything_through_their_rule():
    for rule in RULES:
        assert "snakemake.config" not in Path("scripts", f"{rule}.py").read_text(), rule


def test_the_library_does_not_know_snakemake():
    for path in Path("scripts/monosem").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) snakemake", path.read_text(), re.M), path


def test_parsing_loads_nothing_heavy(clone):
    script = (
        "import sys\n"
        "from scripts.monosem.workflow import code_inputs, outputs, plan, roles, validate\n"
        "from scripts.monosem.core import session, timing\n"
        "print([name for name in ('torch', 'transformers', 'pandas', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=clone, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_shipped_configuration_can_be_planned(clone, snakemake):
    done = snakemake(clone, "-n", configfile=None)
    assert done.returncode == 0, done.stdout[-3000:]
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.M))
    assert set(RULES) - set(jobs) <= {
        "link_language_model",
        "train_language_model",
        "train_tokenizer",
        "import_sae",
        "pin_unit",
        "show_intervention",
    }


def test_a_wrong_target_is_named_at_once(clone, snakemake):
    target = "results/models/onelayer-x/config.json"
    done = snakemake(clone, "-n", target, configfile=None)
    assert done.returncode == 1 and "MissingRuleException" in done.stdout and target in done.stdout


def test_a_call_from_another_folder_is_one_sentence(clone, snakemake, tmp_path):
    for folder, words in (
        (tmp_path, ("--snakefile", str(clone / "Snakefile"))),
        (clone, ("--directory", str(tmp_path))),
    ):
        done = snakemake(folder, "-n", *words, configfile=None)
        assert done.returncode == 1 and f"`cd {clone}` and call it there" in done.stdout.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_results_on_a_disk_that_is_missing_are_one_sentence(fresh, snakemake):
    folder = fresh()
    (folder / "results").symlink_to(folder / "disk")
    done = snakemake(folder, "-n")
    assert done.returncode == 1 and "results is a link to" in done.stdout.splitlines()[-1]


def test_the_rule_graph_is_drawn_with_what_the_command_line_said(parsed):
    assert parsed["draw_rulegraph"]["config"] == COMMAND_LINE


def test_lint_has_nothing_to_say(clone, snakemake):
    done = snakemake(clone, "--lint")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "Congratulations, your workflow is in a good condition!" in done.stdout


def test_jobs_on_a_model_compute_where_its_options_say(parsed):
    assert {rule for rule, facts in parsed.items() if facts["device"] == "mps"} == {
        "extract_activations", "evaluate_fidelity", "encode_text", "score_units", "interpret_latents",
        "describe_features", "compare_representations", "compare_prompt_sets", "pin_context_latents", "pin_unit",
        "study_contexts",
    }  # fmt: skip
    assert all(parsed[rule]["device"] == "auto" for rule in ("train_language_model", "train_sae", "run_toy_experiment"))
