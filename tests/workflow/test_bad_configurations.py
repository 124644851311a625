"""What is wrong with a configuration is told in one sentence: key, what was expected and found, nearest name."""

import copy
from pathlib import Path

import pytest
import yaml

from scripts.monosem.workflow import validate
from scripts.monosem.workflow.validate import ConfigError

SCHEMA = Path("rules/config.schema.yaml")
VALID = yaml.safe_load(Path("tests/workflow/valid.yaml").read_text(encoding="utf-8"))
HEADLINE_SITE = "blocks.0.mlp.hook_post"

# where, what stands there (None: the key is taken away), and the sentence
BAD = {
    "unknown key": ("sae.deafults", {}, "sae.deafults is no known key; did you mean 'defaults'?"),
    "unknown key far from any": (
        "zzz",
        1,
        "zzz is no known key; known are seed, device, threads, corpus, tokenizer, models, chapters, activations, sae, "
        "evaluation, interpretation, analysis, prompts, interventions, toy",
    ),
    "unknown key deep inside": (
        "models.onelayer-a.train.architecture.n_heads",
        4,
        "models.onelayer-a.train.architecture.n_heads is no known key; did you mean 'n_head'?",
    ),
    "missing key": ("evaluation.bootstrap", None, "evaluation.bootstrap is missing"),
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
    "quoted number": ("seed", "3", "seed: expected a whole number, found the text '3'; write 3"),
    "a fraction for a count": (
        "evaluation.bootstrap",
        10.0,
        "evaluation.bootstrap: expected a whole number, found 10.0",
    ),
    "true for a count": ("seed", True, "seed: expected a whole number, found true"),
    "nothing for a mapping": ("toy", ..., "toy: expected a mapping, found nothing"),
    "a mapping for a list": ("sae.use", {}, "sae.use: expected a list, found a mapping"),
    "empty list": ("sae.use", [], "sae.use: expected at least 1 entries, found 0"),
    "no such choice": (
        "sae.defaults.b_dec_init",
        "geomtric_median",
        "sae.defaults.b_dec_init: expected one of geometric_median, mean, zero, found the text "
        "'geomtric_median'; did you mean "
        "'geometric_median'?",
    ),
    "width below one": ("sae.runs.topk-4096.d_sae", 0, "sae.runs.topk-4096.d_sae: expected at least 1, found 0"),
    "probability zero": (
        "toy.superposition.probabilities",
        [1.0, 0],
        "toy.superposition.probabilities[1]: expected more than 0, found 0",
    ),
    "probability above one": (
        "toy.superposition.probabilities",
        [1.5],
        "toy.superposition.probabilities[0]: expected at most 1, found 1.5",
    ),
    "share above one": ("sae.defaults.decay_share", 2, "sae.defaults.decay_share: expected at most 1, found 2"),
    "resampling at the end": (
        "sae.runs.relu-4096.resample.at",
        [0.5, 1.0],
        "sae.runs.relu-4096.resample.at[1]: expected less than 1, found 1.0",
    ),
    "a name that is no path": (
        "sae.runs.Top K",
        {"architecture": "topk", "d_sae": 8, "k": 1, "vectors": 1},
        "sae.runs: 'Top K' is no name: use lower-case letters, digits, hyphens; a letter or digit first",
    ),
    "two kinds of model": (
        "models.onelayer-b.shuffle",
        {"of": "onelayer-a", "seed": 1},
        "models.onelayer-b: expected exactly one of train, shuffle, pretrained, found train, shuffle",
    ),
    "no kind of model": (
        "models.new",
        {},
        "models.new: expected exactly one of train, shuffle, pretrained, found none",
    ),
    "twice the same": ("corpus.planted.contexts", ["dna", "dna"], "corpus.planted.contexts: 'dna' is there twice"),
    # what fits together
    "shares of splits": (
        "corpus.split",
        {"train": 0.9, "validation": 0.04, "test": 0.04},
        "corpus.split: expected shares that add up to 1, found 0.98",
    ),
    "unknown run": (
        "sae.use",
        [{"model": "onelayer-a", "site": HEADLINE_SITE, "runs": ["topk-4069"]}],
        "sae.use[0].runs: the run 'topk-4069' does not exist; did you mean 'topk-4096'?",
    ),
    "unknown model": (
        "sae.use",
        [{"model": "one-layer-a", "site": HEADLINE_SITE, "runs": ["topk-4096"]}],
        "sae.use[0].model: the model 'one-layer-a' does not exist; did you mean 'onelayer-a'?",
    ),
    "a block that the model lacks": (
        "sae.use",
        [{"model": "gpt2-mini", "site": "blocks.7.mlp.hook_post", "runs": ["topk-4096"]}],
        "sae.use[0].site: for the model 'gpt2-mini', 'blocks.7.mlp.hook_post': the model has 4 block(s), so the "
        "last is "
        "'blocks.3.mlp.hook_post'",
    ),
    "a site that no model has": (
        "sae.use",
        [{"model": "onelayer-a", "site": "blocks.0.mlp.hook_psot", "runs": ["topk-4096"]}],
        "sae.use[0].site: for the model 'onelayer-a', 'blocks.0.mlp.hook_psot' is no site of this model; the "
        "nearest is "
        "'blocks.0.mlp.hook_post'",
    ),
    "a site of a list that no model has": (
        "sae.use",
        [{"model": "onelayer-a", "site": [HEADLINE_SITE, "blocks.0.hook_resid_pots"], "runs": ["topk-4096"]}],
        "sae.use[0].site: for the model 'onelayer-a', 'blocks.0.hook_resid_pots' is no site of this model; the "
        "nearest is 'blocks.0.hook_resid_post'",
    ),
    "a pretrained model that is not here": (
        "sae.use",
        [{"model": "gpt2", "site": HEADLINE_SITE, "runs": ["topk-4096"]}],
        "models.gpt2.pretrained.name: 'gpt2' is neither a folder with config.json, model.safetensors (or "
        "model.safetensors.index.json and its files) and tokenizer.json nor in the hub cache of this machine; "
        "`python -m scripts.fetch_model gpt2` fetches it",
    ),
    "more latents kept than there are": (
        "sae.runs.topk-4096.k",
        4097,
        "sae.runs.topk-4096.k: expected at most d_sae = 4096, found 4097",
    ),
    "topk without k": (
        "sae.runs.topk-4096.k",
        None,
        "sae.runs.topk-4096.k is missing: the architecture topk needs it",
    ),
    "k for relu": ("sae.runs.relu-4096.k", 5, "sae.runs.relu-4096.k: the architecture relu has none"),
    "an architecture's name with a hyphen": (
        "sae.runs.topk-4096.architecture",
        "batch-topk",
        "sae.runs.topk-4096.architecture: expected one of relu, relu_decoder_norm, topk, batchtopk, "
        "matryoshka_batchtopk, jumprelu, gated, found the text 'batch-topk'; did you mean 'batchtopk'?",
    ),
    "prefixes for batchtopk": (
        "sae.runs.new",
        {"architecture": "batchtopk", "d_sae": 64, "k": 4, "vectors": 9999, "prefixes": [32, 64]},
        "sae.runs.new.prefixes: the architecture batchtopk has none",
    ),
    "prefixes that end below the width": (
        "sae.runs.new",
        {"architecture": "matryoshka_batchtopk", "d_sae": 64, "k": 4, "vectors": 9999, "prefixes": [16, 32]},
        "sae.runs.new.prefixes: expected numbers that rise to d_sae = 64, found [16, 32]",
    ),
    "matryoshka without k": (
        "sae.runs.new",
        {"architecture": "matryoshka_batchtopk", "d_sae": 64, "vectors": 9999},
        "sae.runs.new.k is missing: the architecture matryoshka_batchtopk needs it",
    ),
    "jumprelu with L1": (
        "sae.runs.new",
        {"architecture": "jumprelu", "d_sae": 64, "vectors": 9999, "l0_coefficient": 1.0, "l1_coefficient": 1.0},
        "sae.runs.new.l1_coefficient: the architecture jumprelu has none",
    ),
    "jumprelu without a penalty": (
        "sae.runs.new",
        {"architecture": "jumprelu", "d_sae": 64, "vectors": 9999},
        "sae.runs.new.l0_coefficient is missing: the architecture jumprelu needs it",
    ),
    "gated without a penalty": (
        "sae.runs.new",
        {"architecture": "gated", "d_sae": 64, "vectors": 9999},
        "sae.runs.new.l1_coefficient is missing: the architecture gated needs it",
    ),
    "resampling for topk": (
        "sae.runs.topk-4096.resample",
        {"at": [0.5], "window": 0.1, "inputs": 9},
        "sae.runs.topk-4096.resample: the architecture topk has none",
    ),
    "an ablation of another architecture": (
        "sae.runs.topk-4096.tied_decoder",
        True,
        "sae.runs.topk-4096.tied_decoder: the architecture topk has none",
    ),
    "less than a batch": (
        "sae.runs.topk-4096.vectors",
        100,
        "sae.runs.topk-4096.vectors: expected at least one batch of 4096, found 100",
    ),
    "windows longer than the model's": (
        "activations.context",
        256,
        "activations.context: expected at most 128, the n_positions of 'onelayer-a', found 256",
    ),
    "tokens of no model": (
        "activations.tokens.onelayr-a",
        5,
        "activations.tokens.onelayr-a: the model 'onelayr-a' does not exist; did you mean 'onelayer-a'?",
    ),
    "heads that do not divide": (
        "models.onelayer-a.train.architecture.n_head",
        3,
        "models.onelayer-a.train.architecture.n_head: expected a divisor of n_embd (128), found 3",
    ),
    "less than a step": (
        "models.onelayer-a.train.tokens",
        128,
        "models.onelayer-a.train.tokens: expected at least one step of batch_size x n_positions = 4096 tokens, "
        "found 128",
    ),
    "shuffle of a shuffle": (
        "models.onelayer-a-shuffled.shuffle.of",
        "onelayer-a-shuffled",
        "models.onelayer-a-shuffled.shuffle.of: the trained model 'onelayer-a-shuffled' does not exist; did you mean "
        "'onelayer-a'?",
    ),
    "control that is none": (
        "chapters.one_layer.control",
        "onelayer-b",
        "chapters.one_layer.control: expected a model of kind shuffle, found 'onelayer-b'",
    ),
    "headline that is not trained": (
        "evaluation.headline.run",
        "topk-1024",
        f"evaluation.headline.run: under sae.use for 'onelayer-a' at {HEADLINE_SITE}, the run 'topk-1024' does "
        "not exist; "
        "did you mean",
    ),
    "an analysis of no model": (
        "analysis.use",
        [{"model": "onelayer-c"}],
        "analysis.use[0].model: the model 'onelayer-c' does not exist; did you mean 'onelayer-",
    ),
    "a comparison of models of unequal depth": (
        "analysis.use",
        [{"model": "onelayer-a", "against": ["gpt2-mini"]}],
        "analysis.use[0].against: expected a model with the n_layer of 'onelayer-a' (1), 'gpt2-mini' has 4",
    ),
    "a file of words that is not there": (
        "analysis.words",
        "paper/wrods.yaml",
        "analysis.words: 'paper/wrods.yaml' cannot be read; expected a YAML file",
    ),
    "a baseline that is no set": (
        "prompts.baseline",
        "sober",
        "prompts.baseline: expected one of prompts.sets (happy, neutral), found 'sober'",
    ),
    "a file of prompts that is not there": (
        "prompts.sets.happy",
        "happy.yaml",
        "prompts.sets.happy: 'happy.yaml' cannot be read; expected a YAML file",
    ),
    "prompts on an autoencoder that is not trained": (
        "prompts.use",
        [{"model": "chapters.gpt2", "site": "blocks.1.hook_resid_post", "run": "topk-4096"}],
        "prompts.use[0].site: under sae.use for 'gpt2-mini', the site 'blocks.1.hook_resid_post' does not exist; did",
    ),
    "an intervention on latents that nobody has looked for": (
        "interventions.use",
        [{"model": "onelayer-a", "site": HEADLINE_SITE, "run": "relu-4096"}],
        "interventions.use[0]: expected an autoencoder of interpretation.use",
    ),
    "a latent beyond the last": (
        "interventions.named",
        {"mine": {"model": "onelayer-a", "site": HEADLINE_SITE, "run": "topk-4096", "unit": 4096, "text": "a"}},
        "interventions.named.mine.unit: expected 0 to 4095, the latents of 'topk-4096', found 4096",
    ),
    "a neuron beyond the last": (
        "interventions.named",
        {"mine": {"model": "chapters.gpt2", "site": "blocks.3.hook_resid_mid", "unit": 128, "text": "a"}},
        "interventions.named.mine.unit: expected 0 to 127, the neurons of 'blocks.3.hook_resid_mid', found 128",
    ),
    "an intervention on nothing": (
        "interventions.named",
        {"mine": {"model": "onelayer-a", "site": HEADLINE_SITE, "unit": 3}},
        "interventions.named.mine: expected a text that the model reads, a prompt that it continues, or both",
    ),
    "doses and values": (
        "interventions.named",
        {"mine": {"model": "onelayer-a", "site": HEADLINE_SITE, "unit": 3, "text": "a", "doses": [1], "values": [1]}},
        "interventions.named.mine.values: expected doses or values, found both",
    ),
    "a latent of no autoencoder": (
        "interventions.named",
        {"mine": {"model": "onelayer-b", "site": HEADLINE_SITE, "run": "topk-4096", "unit": 3, "text": "a"}},
        "interventions.named.mine.model: under sae.use, the model 'onelayer-b' does not exist; did you mean",
    ),
    "a neuron of no site": (
        "interventions.named",
        {"mine": {"model": "onelayer-a", "site": "blocks.4.mlp.hook_post", "unit": 3, "text": "a"}},
        "interventions.named.mine.site: for the model 'onelayer-a', 'blocks.4.mlp.hook_post': the model has 1 block(s)",
    ),
    "tokens of no model in the evaluation": (
        "evaluation.tokens_of",
        {"onelayer-c": 5},
        "evaluation.tokens_of.onelayer-c: the model 'onelayer-c' does not exist; did you mean",
    ),
    "a run without its width": ("sae.runs.topk-4096.d_sae", None, "sae.runs.topk-4096.d_sae is missing"),
    "no such kind of toy experiment": (
        "toy.superposition.kind",
        "superpositoin",
        "toy.superposition.kind: expected one of superposition, phase-diagram",
    ),
    "a range that goes down": (
        "toy.phase-diagram.importances.low",
        20.0,
        "toy.phase-diagram.importances.high: expected more than low = 20.0, found 10.0",
    ),
    "sparsity of one": (
        "toy.phase-diagram.probabilities.low",
        0,
        "toy.phase-diagram.probabilities.low: expected more than 0, found 0",
    ),
    "negative importance of a feature": (
        "toy.phase-diagram.importances.low",
        -1,
        "toy.phase-diagram.importances.low: expected more than 0, found -1",
    ),
    "a phase diagram of four features": (
        "toy.phase-diagram.n",
        4,
        "toy.phase-diagram.n: expected at most 3, found 4",
    ),
    "as many dimensions as features": (
        "toy.uniform-geometry.m",
        40,
        "toy.uniform-geometry.n: expected more features than the m = 40 hidden dimensions, found 40",
    ),
    "a probability above one, inverted": (
        "toy.uniform-geometry.inverse_probabilities.low",
        0.5,
        "toy.uniform-geometry.inverse_probabilities.low: expected at least 1, for it is 1/p, found 0.5",
    ),
    "a ratio that leaves no probability": (
        "toy.non-uniform.ratios.high",
        30.0,
        "toy.non-uniform.ratios.high: expected a ratio that leaves a probability, found 1.5 with it",
    ),
    "nodes for too few features": (
        "toy.non-uniform.points",
        [4, 3],
        "toy.non-uniform.points: expected at least 5 entries, found 2",
    ),
    "a toy experiment without a kind": ("toy.recovery.kind", None, "toy.recovery.kind is missing"),
    "a key of another kind of toy experiment": (
        "toy.superposition.n_seeds",
        3,
        "toy.superposition.n_seeds is no known key; did you mean",
    ),
    "negative importance": (
        "toy.superposition.importance",
        -0.7,
        "toy.superposition.importance: expected more than 0, found -0.7",
    ),
    "no instance": ("toy.superposition.restarts", 0, "toy.superposition.restarts: expected at least 1, found 0"),
    "more dimensions than features": (
        "toy.superposition.n",
        4,
        "toy.superposition.n: expected more features than the m = 5 hidden dimensions, found 4",
    ),
}


def put(config: dict, where: str, value) -> None:
    """Set a value by its path; None takes the key away, ... stands for an empty value."""
    *parents, last = where.split(".")
    for key in parents:
        config = config[key]
    if value is None:
        del config[last]
    else:
        config[last] = None if value is ... else value


@pytest.mark.parametrize("where, value, sentence", BAD.values(), ids=BAD)
def test_sentence(where, value, sentence):
    config = copy.deepcopy(VALID)
    put(config, where, value)
    with pytest.raises(ConfigError) as caught:
        validate.check(config, SCHEMA)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_right_configurations_pass():
    validate.check(VALID, SCHEMA)
    validate.check(yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8")), SCHEMA)


def test_the_command_line_can_give_nested_numbers():
    """Snakemake reads what stands inside a mapping of --config as text."""
    given = yaml.load(
        "{sae: {runs: {new: {architecture: topk, d_sae: 64, k: 4, vectors: 9999}}}, analysis: {texts: {sentence: null}}"
        ", interventions: {named: {mine: {model: onelayer-a, site: blocks.0.mlp.hook_post, unit: 7, doses: [0, 1.5],"
        " text: '12'}}}, toy: {superposition: {steps: 30, probabilities: [1.0, 0.2]}}}",
        Loader=yaml.loader.BaseLoader,
    )
    config = copy.deepcopy(VALID)
    validate.type_command_line_(config, given, SCHEMA)
    validate.check(config, SCHEMA)
    mine = config["interventions"]["named"]["mine"]
    assert (mine["unit"], mine["doses"], mine["text"]) == (7, [0, 1.5], "12")
    assert config["sae"]["runs"]["new"]["k"] == 4 and config["analysis"]["texts"]["sentence"] is None
    assert config["toy"]["superposition"]["steps"] == 30 and config["toy"]["superposition"]["n"] == 20


def test_text_that_the_command_line_cannot_carry_is_refused():
    with pytest.raises(ConfigError, match="^interventions.prompt: text with line breaks or backslashes cannot be"):
        validate.type_command_line_(copy.deepcopy(VALID), {"interventions": {"prompt": "a\nb"}}, SCHEMA)


def test_a_toy_experiment_can_be_left_out():
    validate.check({**VALID, "toy": {**VALID["toy"], "superposition": None}}, SCHEMA)


def test_a_schema_dump_is_never_shown():
    schema = [yaml.safe_load(path.read_text()) for path in (SCHEMA, SCHEMA.with_name("toy.schema.yaml"))]
    used = set()

    def collect(node):
        if isinstance(node, dict):
            closed = node.get("additionalProperties") is not None or node.get("type") != "object"
            assert closed, f"an open mapping: {node}"
            used.update(node)
            for inner in node.values():
                collect(inner)
        if isinstance(node, list):
            for inner in node:
                collect(inner)

    collect(schema)
    words = {"propertyNames", "pattern", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    words |= {"minProperties", "maxProperties", "minItems", "uniqueItems", "minLength", "required", "type"}
    combined = {"oneOf", "anyOf", "allOf", "not", "if", "const", "format", "maxItems", "contains"}
    assert words <= used and not combined & used


def test_snakemake_stops_before_any_job(clone, snakemake, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("sae: {defaults: {batch_size: 0}}\n")
    done = snakemake(clone, configfile=str(bad))
    assert done.returncode == 1
    sentence = "The configuration cannot be run. sae.defaults.batch_size: expected at least 1, found 0"
    assert done.stdout.splitlines()[-1] == sentence
    assert "Traceback" not in done.stdout and "File " not in done.stdout
    assert not (clone / "results").exists()
