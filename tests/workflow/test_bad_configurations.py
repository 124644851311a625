"""A mistake in a configuration is one sentence: key, what was expected and found, nearest name."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from scripts.monosem.workflow import validate
from scripts.monosem.workflow.checks import text_files
from scripts.monosem.workflow.checks.evaluation import analysed_models_are_alike
from scripts.monosem.workflow.declaration.configuration import CONFIGS, configuration_schema, experiment_schema
from scripts.monosem.workflow.validate import ConfigError
from tests.helpers import configuration, family_models

VALID = yaml.safe_load(Path("tests/workflow/valid.yaml").read_text(encoding="utf-8"))
POST = "blocks.0.mlp.hook_post"
RUN = {"architecture": "topk", "d_sae": 64, "k": 4, "vectors": 9999}
PINNED = {"model": "onelayer-a", "site": POST, "unit": 3, "text": "a"}
NAMED = {"model": "onelayer-a", "site": POST, "run": "topk-4096", "latent": 7}
GONE = object()


def use(model="onelayer-a", site=POST, **others):
    return [{"model": model, "site": site, **others}]


def scored(**others):
    return use(**{"run": "topk-4096", "judge": {"model": "onelayer-b", "site": POST}} | others)


# One sentence per kind of mistake: where, the value there (GONE: the key is taken away), the whole sentence.
SENTENCES = {
    "unknown key": ("sae.deafults", {}, "sae.deafults is no known key; did you mean 'defaults'?"),
    "unknown key far from any": (
        "zzz",
        1,
        "zzz is no known key; known are seed, device, threads, corpus, tokenizer, shipped, models, chapters, "
        "activations, sae, evaluation, interpretation, cases, dictionaries, scores, analysis, prompts, interventions, "
        "browser, toy",
    ),
    "missing key": ("evaluation.bootstrap", GONE, "evaluation.bootstrap is missing"),
    "text for a number": (
        "evaluation.tokens",
        "many",
        "evaluation.tokens: expected a whole number, found the text 'many'",
    ),
    "1e-3 in YAML is text": (
        "sae.defaults.learning_rate",
        yaml.safe_load("1e-3"),
        "sae.defaults.learning_rate: expected a number, found the text '1e-3'; YAML reads that as text, write 1.0e-3",
    ),
    "1e6 for a count": (
        "sae.runs.topk-4096.vectors",
        yaml.safe_load("1e6"),
        "sae.runs.topk-4096.vectors: expected a whole number, found the text '1e6'; write 1000000",
    ),
    "no such choice": (
        "sae.defaults.b_dec_init",
        "geomtric_median",
        "sae.defaults.b_dec_init: expected one of geometric_median, mean, zero, found the text 'geomtric_median'; "
        "did you mean 'geometric_median'?",
    ),
    "below a bound": ("evaluation.bootstrap", 0, "evaluation.bootstrap: expected at least 1, found 0"),
    "on an excluded bound": (
        "toy.superposition.probabilities",
        [1.0, 0],
        "toy.superposition.probabilities[1]: expected more than 0, found 0",
    ),
    "above a bound": ("sae.defaults.decay_share", 2, "sae.defaults.decay_share: expected at most 1, found 2"),
    "empty list": ("sae.use", [], "sae.use: expected at least 1 entries, found 0"),
    "too long a list": (
        "toy.non-uniform.points",
        [4, 3, 2, 2, 2, 1],
        "toy.non-uniform.points: expected at most 5 entries, found 6",
    ),
    "empty text": ("analysis.words", "", "analysis.words: expected some text, found none"),
    "twice the same": ("corpus.planted.contexts", ["dna", "dna"], "corpus.planted.contexts: 'dna' is there twice"),
    "a name that is no path": (
        "sae.runs.Top K",
        RUN,
        "sae.runs: 'Top K' is no name: use lower-case letters, digits, hyphens; a letter or digit first",
    ),
    "a name of two lines": (
        "sae.runs.topk\n",
        RUN,
        "sae.runs: 'topk\\n' is no name: use lower-case letters, digits, hyphens; a letter or digit first",
    ),
    "a name too long for files": (
        f"sae.runs.{'a' * 65}",
        RUN,
        f"sae.runs: '{'a' * 20}…' has 65 characters, expected at most 64",
    ),
    "a run named like a baseline": (
        "sae.runs.pca",
        RUN,
        "sae.runs.pca: expected another name, 'pca' is what results call a baseline",
    ),
    "no scored token in a window": (
        "activations.context",
        2,
        "activations.context: expected at least 3 where the first position is dropped, found 2",
    ),
    "two kinds of model": (
        "models.onelayer-b.shuffle",
        {"of": "onelayer-a", "seed": 1},
        "models.onelayer-b: expected exactly one of train, shuffle, pretrained, found train, shuffle",
    ),
    "name of nothing": (
        "sae.use",
        use(runs=["topk-4069"]),
        "sae.use[0].runs: the run 'topk-4069' does not exist; did you mean 'topk-4096'?",
    ),
    "numbers that do not fit together": (
        "sae.runs.topk-4096.k",
        4097,
        "sae.runs.topk-4096.k: expected at most d_sae = 4096, found 4097",
    ),
}

# Where, the value there, and parts of the sentence: its path if that is not `where`, an expectation, the nearest name.
MISTAKES = [
    # the schema
    ("models.onelayer-a.train.architecture.n_heads", 4, "no known key", "'n_head'"),
    ("toy.superposition.n_seeds", 3, "no known key", "did you mean"),
    ("toy.recovery.kind", GONE, "missing"),
    ("sae.runs.topk-4096.d_sae", GONE, "missing"),
    ("seed", "3", "a whole number", "write 3"),
    ("seed", True, "a whole number", "found true"),
    ("evaluation.bootstrap", 10.0, "a whole number", "found 10.0"),
    ("sae.defaults.learning_rate", float("nan"), "expected a number", "found nan"),
    ("sae.defaults.learning_rate", float("inf"), "expected a number", "found inf"),
    ("sae.runs.topk-4096.d_sae", "a\nb", "expected a whole number, found the text 'a\\nb'"),
    ("toy.recovery", {"kidn": "recovery"}, "toy.recovery.kind is missing; is it 'kidn'?"),
    ("toy", None, "a mapping", "found nothing"),
    ("sae.use", {}, "a list", "found a mapping"),
    ("sae.runs.topk-4096.d_sae", 0, "at least 1"),
    ("sae.runs.relu-4096.resample.at", [0.5, 1.0], "less than 1", "found 1.0"),
    ("sae.runs.topk-4096.architecture", "batch-topk", "one of relu,", "'batchtopk'"),
    ("toy.superposition.kind", [[]], "one of superposition, phase-diagram", "found a list"),
    ("toy.superposition.kind", "superpositoin", "one of superposition, phase-diagram", "'superposition'"),
    ("toy.recovery.grids.batch-topk", {}, "no known key", "'batchtopk'"),
    ("toy.recovery.grids", {}, "at least 1 entries"),
    ("toy.phase-diagram.probabilities.low", 0, "more than 0"),
    ("toy.phase-diagram.n", 4, "at most 3"),
    ("toy.non-uniform.points", [4, 3], "at least 5 entries"),
    ("toy.superposition.restarts", 0, "at least 1"),
    ("models.new", {}, "exactly one of train, shuffle, pretrained", "found none"),
    ("corpus.min_characters", 0, "at least 1"),
    ("corpus.folder", None, "expected text"),
    ("interventions.prompt", "half \ud83d", "half of a character", "write the character itself"),
    # text and models
    ("corpus.installed", GONE, "corpus: expected one of hub, folder, installed"),
    ("corpus.folder", "no-such-folder", "a folder with text files", "'no-such-folder'"),
    ("corpus.folder", "profiles", "files ending in .markdown, .md", "'profiles'"),
    ("corpus.split.test", 0.04, "corpus.split: expected shares that add up to 1, found 0.98"),
    ("corpus.min_characters", 200_000, "less than max_characters = 100000"),
    ("models.onelayer-a.train.architecture.n_head", 3, "a divisor of n_embd (128)"),
    ("models.onelayer-a.train.tokens", 128, "at least one step of batch_size x n_positions = 4096 tokens"),
    ("models.onelayer-a-shuffled.shuffle.of", "onelayer-a-shuffled", "the trained model", "'onelayer-a'"),
    ("chapters.one_layer.control", "onelayer-b", "a model of kind shuffle"),
    ("chapters.one_layer.without_mlp", "onelayer-b", "a model with architecture.n_inner 0, found 512"),
    ("chapters.language_model.candidates", ["gpt2", "smollm2"], "candidates[1]: the model 'smollm2' does not exist"),
    ("chapters.language_model.model", "gpt-2", "does not exist", "'gpt2'"),
    ("activations.tokens.onelayr-a", 5, "does not exist", "'onelayer-a'"),
    ("evaluation.tokens_of", {"onelayer-c": 5}, "does not exist", "'onelayer-"),
    ("activations.context", 256, "at most 128, the n_positions of 'onelayer-a'"),
    # autoencoders
    ("sae.runs.topk-4096.k", GONE, "is missing: the architecture topk needs it"),
    ("sae.runs.topk-4096.k", None, "is missing: the architecture topk needs it"),
    ("sae.runs.new", {**RUN, "architecture": "jumprelu"}, "l0_coefficient is missing", "jumprelu needs it"),
    ("sae.runs.new", {**RUN, "architecture": "gated"}, "l1_coefficient is missing", "gated needs it"),
    ("sae.runs.relu-4096.k", 5, "the architecture relu has none"),
    ("sae.runs.topk-4096.tied_decoder", True, "the architecture topk has none"),
    ("sae.runs.topk-4096.resample", {"at": [0.5], "window": 0.1, "inputs": 9}, "the architecture topk has none"),
    ("sae.runs.new", {**RUN, "architecture": "batchtopk", "prefixes": [32, 64]}, "prefixes", "batchtopk has none"),
    ("sae.runs.new", {**RUN, "architecture": "matryoshka_batchtopk", "prefixes": [16]}, "rise to d_sae = 64"),
    ("sae.runs.topk-4096.vectors", 100, "at least one batch of 4096"),
    ("sae.runs.new", {"pretrained": {"name": "a/b"}, "k": 3}, "k: a pretrained autoencoder has no parameters"),
    ("sae.use", use("one-layer-a", runs=["topk-4096"]), "does not exist", "'onelayer-a'"),
    (
        "sae.use",
        use("gpt2-mini", "blocks.7.mlp.hook_post", runs=["topk-4096"]),
        "4 block(s)",
        "'blocks.3.mlp.hook_post",
    ),
    ("sae.use", use(site="blocks.0.mlp.hook_psot", runs=["topk-4096"]), "no site of this model", f"'{POST}'"),
    ("sae.use", use(site=[POST, "blocks.0.hook_resid_pots"], runs=["topk-4096"]), "'blocks.0.hook_resid_post'"),
    ("sae.use", use(runs=["topk-4096"], sweeps=["mine"]), "the sweep 'mine' does not exist", "there is none"),
    ("corpus.installed.packages", ["networks"], "corpus.installed.packages[0]: expected the import name", "'networks'"),
    ("corpus.installed", {"packages": [], "standard_library": False}, "packages or standard_library", "found neither"),
    # evaluation
    ("evaluation.headline.run", "topk-1024", f"for 'onelayer-a' at {POST}, the run", "did you mean"),
    ("dictionaries.narrower", ["relu-409"], f"for 'onelayer-a' at {POST}, the run", "did you mean"),
    ("dictionaries.narrower", ["topk-4096"], "another run than that of evaluation.headline"),
    ("evaluation.headline.model", "chapters.language_model", "a name under models"),
    ("interpretation.use", use(run="topk-1024"), "the run 'topk-1024' does not exist", "did you mean"),
    ("analysis.use", [{"model": "onelayer-c"}], "does not exist", "'onelayer-"),
    ("analysis.use", [{"model": "onelayer-a", "against": ["gpt2-mini"]}], "the n_layer of 'onelayer-a' (1)", "has 4"),
    ("analysis.words", "paper/wrods.yaml", "cannot be read", "expected a YAML file"),
    ("prompts.baseline", "sober", "one of prompts.sets (happy, neutral)"),
    ("prompts.sets.happy", "happy.yaml", "cannot be read", "expected a YAML file"),
    (
        "prompts.use",
        use("chapters.language_model", "blocks.1.hook_resid_post", run="topk-4096"),
        "under sae.use for 'gpt2-mini', the site 'blocks.1.hook_resid_post' does not exist",
        "did you mean",
    ),
    ("interventions.use", use(run="relu-4096"), "an autoencoder of interpretation.use"),
    ("interventions.named", {"mine": {**PINNED, "run": "topk-4096", "unit": 4096}}, "0 to 4095", "latents of"),
    ("interventions.named", {"mine": {**PINNED, "unit": 512}}, "0 to 511", "neurons of"),
    ("interventions.named", {"mine": {**PINNED, "doses": [1], "values": [1]}}, "doses or values, found both"),
    ("interventions.named", {"mine": {"model": "onelayer-a", "site": POST, "unit": 3}}, "a text that the model reads"),
    ("interventions.named", {"mine": {**PINNED, "model": "onelayer-c"}}, "mine.model: the model 'onelayer-c' does not"),
    (
        "interventions.named",
        {"mine": {**PINNED, "model": "onelayer-b", "run": "topk-4096"}},
        "under sae.use, the model",
    ),
    ("interventions.named", {"mine": {**PINNED, "site": "blocks.4.mlp.hook_post"}}, "the model has 1 block(s)"),
    ("interventions.doses", [], "at least 1 entries"),
    ("interventions.prompt", "", "some text"),
    # scores and pages of single latents
    (
        "interpretation.named",
        {"mine": {**NAMED, "latent": 4096}},
        "interpretation.named.mine.latent: expected a number",
    ),
    ("interpretation.named", {"mine": {**NAMED, "run": "topk-409"}}, "did you mean 'topk-4096'?"),
    ("interpretation.named", {"dna": NAMED}, "interpretation.named.dna: expected a name that no context has"),
    ("scores.use", scored(judge={"model": "onelayer-c", "site": POST}), "did you mean 'onelayer-b'?"),
    ("scores.use", scored(judge={"model": "onelayer-b", "site": "blocks.1.hook_resid_mid"}), "1 block(s)"),
    ("scores.use", scored(run="relu-409"), "did you mean 'relu-4096'?"),
    ("scores.units", 0, "at least 1"),
    # toy experiments
    ("toy.recovery.grids.topk.sae", {"k": 3}, "sae.k: the grids set it"),
    ("toy.recovery.grids.topk.sae", {"tied_decoder": True}, "the architecture topk has none"),
    ("toy.phase-diagram.importances.low", 20.0, "toy.phase-diagram.importances.high: expected more than low = 20.0"),
    ("toy.uniform-geometry.m", 40, "toy.uniform-geometry.n: expected more features than the m = 40"),
    ("toy.uniform-geometry.inverse_probabilities.low", 0.5, "at least 1, for it is 1/p"),
    ("toy.non-uniform.ratios.high", 30.0, "a ratio that leaves a probability, found 1.5"),
    ("toy.superposition.n", 4, "more features than the m = 5"),
]


def put(config: dict, where: str, value) -> None:
    """Set a value by its path, or take the key away."""
    *parents, last = where.split(".")
    for key in parents:
        config = config[key]
    if value is GONE:
        del config[last]
    else:
        config[last] = value


def refusal(where: str, value) -> str:
    """The sentence about the valid configuration with one mistake."""
    config = copy.deepcopy(VALID)
    put(config, where, value)
    with pytest.raises(ConfigError) as caught:
        validate.check(config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("where, value, sentence", SENTENCES.values(), ids=SENTENCES)
def test_each_kind_of_mistake_has_its_sentence(where, value, sentence):
    assert refusal(where, value) == sentence


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: f"{mistake[0]} {mistake[2]}")
def test_the_sentence_names_key_expectation_and_nearest_name(mistake):
    where, value, *parts = mistake
    found = refusal(where, value)
    path = parts[0].split(": expected")[0] if ": expected" in parts[0] else where
    assert found.startswith(path), found
    assert all(part in found for part in parts), found


def test_a_pretrained_model_that_is_not_here_is_refused_with_the_way_to_fetch_it():
    found = refusal("sae.use", use("gpt2", runs=["topk-4096"]))
    assert found.startswith("models.gpt2.pretrained.name: 'gpt2' is neither a folder with config.json,")
    assert "`python -m scripts.fetch_model gpt2` fetches it" in found
    assert refusal("chapters.one_layer.second", "gpt2") == found


def test_a_run_with_the_name_of_one_of_a_sweep_is_refused():
    config = copy.deepcopy(VALID)
    config["sae"]["sweeps"] = {"a": {"base": {**RUN}, "variants": {"b": {}}, "seeds": [0]}}
    validate.check(config)
    validate.check(config)  # what is expanded already
    config["sae"]["runs"]["a-b-seed0"] = {**RUN, "k": 3}
    with pytest.raises(ConfigError, match="^sae.runs.a-b-seed0: a sweep makes a run of this name"):
        validate.check(config)


@pytest.mark.parametrize(
    "pretrained, sentence",
    [
        ({}, "expected name (a folder or hub name) or gguf (a file), found neither"),
        ({"name": "a", "gguf": "b"}, "expected name (a folder or hub name) or gguf (a file), found both"),
        ({"gguf": "a.gguf", "revision": "1"}, "revision: a GGUF file has none; take the key away"),
        ({"gguf": "a.gguf"}, "gguf: 'a.gguf' is no file; give a GGUF file's path, or package:file"),
        ({"gguf": "jinja2:a.gguf"}, "the package 'jinja2' has no file 'a.gguf'; its GGUF files: none"),
        ({"gguf": "config.yaml"}, "config.yaml is cut short or no GGUF file (it does not begin with 'GGUF')"),
    ],
)
def test_a_pretrained_model_has_one_source_that_is_there(pretrained, sentence):
    config = copy.deepcopy(VALID)
    config["models"]["mine"] = {"pretrained": pretrained}
    config["sae"]["use"] = use("mine", runs=["topk-4096"])
    with pytest.raises(ConfigError) as caught:
        validate.check(config)
    assert sentence in str(caught.value)


def pretrained(folder, n_tokens=family_models.VOCAB, **changes):
    folder.mkdir()
    shape = family_models.CONFIGS["llama"].to_dict() | changes
    (folder / "config.json").write_text(json.dumps(shape, default=str))
    (folder / "model.safetensors").write_bytes(b"")
    family_models.save_tokenizer(folder, n_tokens)
    return {"pretrained": {"name": str(folder)}}


def compared(models: dict, model: str, other: str) -> str | None:
    """The sentence about a comparison of two models, None if it is accepted."""
    config = copy.deepcopy(VALID)
    config["models"] |= models
    config["activations"]["context"] = 12
    config["analysis"]["use"] = [{"model": model, "against": [other]}]
    return next(analysed_models_are_alike(config), None)


def test_pretrained_models_are_compared_by_their_tokens(tmp_path):
    models = {name: pretrained(tmp_path / name) for name in ("a", "b")}
    models["larger"] = pretrained(tmp_path / "larger", n_tokens=60)
    assert compared(models, "a", "b") is None and compared(models, "a", "larger") is None
    text = (tmp_path / "b" / "tokenizer.json").read_text()
    (tmp_path / "b" / "tokenizer.json").write_text(text.replace('"w7"', '"x7"'))
    sentence = "expected a model with the tokenizer of 'a', in which token 7 is 'w7'; in 'b' it is 'x7'"
    assert compared(models, "a", "b") == f"analysis.use[0].against: {sentence}"
    found = compared(models, "a", "gpt2")
    assert found.startswith("models.gpt2.pretrained.name: 'gpt2' is neither a folder")
    assert "expected a model with the tokenizer of 'a', 'onelayer-a' has another" in compared(
        {"a": pretrained(tmp_path / "one", num_hidden_layers=1)}, "a", "onelayer-a"
    )


def test_right_configurations_pass():
    validate.check(copy.deepcopy(VALID))
    validate.check({**VALID, "sae": {**VALID["sae"], "defaults": {}}})
    validate.check({**VALID, "toy": {**VALID["toy"], "superposition": None}})
    for overlay in (
        None,
        "tests/smoke.yaml",
        *(f"paper/{name}.yaml" for name in ("full", "sae-settings")),
    ):
        validate.check(configuration.default(*filter(None, [overlay])))


def test_files_of_words_and_prompts_hold_whole_characters(tmp_path):
    path = tmp_path / "words.yaml"
    path.write_text('[["half \\ud83d", "whole"]]\n')
    (problem,) = text_files.words(str(path))
    assert problem.startswith("analysis.words:") and "is not YAML" in problem


def test_a_key_that_is_twice_in_a_file_is_refused_with_its_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("sae: &sae\n  runs: {a: {k: 1}}\n  use: [{model: a}]\nother: {<<: *sae, runs: {}}\n")
    validate.check_files([path, tmp_path / "missing.yaml"])
    path.write_text("sae:\n  runs:\n    a: {k: 1,\n        d_sae: 3, k: 2}\n")
    with pytest.raises(ConfigError) as caught:
        validate.check_files([path])
    assert str(caught.value) == f"{path}, line 4: the key 'k' is there twice, first in line 3"


def test_home_is_expanded_in_paths(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("A text.")
    config = copy.deepcopy(VALID)
    config["corpus"]["folder"], config["models"]["gpt2"]["pretrained"]["name"] = "~/texts", "~/gpt2"
    config["analysis"]["texts"]["tilde"] = "~/not/a/path"
    validate.check(config)
    assert config["corpus"]["folder"] == f"{tmp_path}/texts"
    assert config["models"]["gpt2"]["pretrained"]["name"] == f"{tmp_path}/gpt2"
    assert config["analysis"]["texts"]["tilde"] == "~/not/a/path"


def test_the_command_line_can_give_nested_numbers():
    """Snakemake reads what stands inside a mapping of --config as text."""
    given = yaml.load(
        "{sae: {runs: {new: {architecture: topk, d_sae: 64, k: 4, vectors: 9999}}}, analysis: {texts: {sentence: null}}"
        ", interventions: {named: {mine: {model: onelayer-a, site: blocks.0.mlp.hook_post, unit: 7, doses: [0, 1.5],"
        " text: '12'}}}, toy: {superposition: {steps: 30, probabilities: [1.0, 0.2]}}}",
        Loader=yaml.loader.BaseLoader,
    )
    config = copy.deepcopy(VALID)
    validate.type_command_line_(config, given)
    validate.check(config)
    mine = config["interventions"]["named"]["mine"]
    assert (mine["unit"], mine["doses"], mine["text"]) == (7, [0, 1.5], "12")
    assert config["sae"]["runs"]["new"]["k"] == 4 and config["analysis"]["texts"]["sentence"] is None
    assert config["toy"]["superposition"]["steps"] == 30 and config["toy"]["superposition"]["n"] == 20


def test_text_that_the_command_line_cannot_carry_is_refused():
    with pytest.raises(ConfigError, match="^interventions.prompt: text with line breaks or backslashes cannot be"):
        validate.type_command_line_(copy.deepcopy(VALID), {"interventions": {"prompt": "a\nb"}})


def keywords_of(schema) -> set[str]:
    """Every keyword in a schema, and none of a form that has no plain sentence."""
    if isinstance(schema, list):
        return set().union(*map(keywords_of, schema))
    if not isinstance(schema, dict):
        return set()
    if schema.get("type") == "object":
        assert "additionalProperties" in schema, f"an open mapping: {schema}"
    inner = [value for key, value in schema.items() if key not in ("properties", "default")]
    return {*schema}.union(*map(keywords_of, [*inner, *schema.get("properties", {}).values()]))


def test_every_keyword_of_the_schema_has_a_sentence():
    known = {
        "propertyNames",
        "pattern",
        "enum",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "type",
        "maxLength",
    }
    known |= {"minProperties", "maxProperties", "minItems", "maxItems", "uniqueItems", "minLength", "required"}
    known |= {"additionalProperties", "properties", "items", "description", "default"}
    used = keywords_of([configuration_schema(VALID), *map(experiment_schema, CONFIGS)])
    assert used == known


def test_snakemake_stops_before_any_job(clone, snakemake, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("evaluation: {bootstrap: 0}\n")
    done = snakemake(clone, configfile=str(bad))
    assert done.returncode == 1
    sentence = "The configuration cannot be run. evaluation.bootstrap: expected at least 1, found 0"
    assert done.stdout.splitlines()[-1] == sentence
    assert "Traceback" not in done.stdout and "File " not in done.stdout
    assert not (clone / "results").exists()
