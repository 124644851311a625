"""Work of every job of the workflow, from the configuration alone. Imports neither torch nor transformers.

One function per rule that computes; rules that draw, collect and print take the time of LIGHT_S. Coefficients with the
reason for each formula are beside the functions. Those of training, encoding and starting were measured on the
reference machine of work.py; those of evaluation are counted from the passes and baselines that it makes.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from scripts.monosem.models import cost
from scripts.monosem.models.families import family_of, shape_of
from scripts.monosem.models.model_folder import OPTIONS
from scripts.monosem.models.site_names import parse
from scripts.monosem.sae.config import SaeConfig
from scripts.monosem.workflow import plan as plans
from scripts.monosem.workflow.estimates import autoencoders, toys
from scripts.monosem.workflow.estimates.work import Work, product

Config = dict[str, Any]
Wildcards = Mapping[str, str]

PYTHON_S = 1.0
"""Start of the interpreter, with numpy."""
TORCH_S = 3.7
"""Start of the interpreter, torch, and the compiled loops from their cache."""
LIGHT_S = {
    "plot_toy": 70.0,
    "plot_dictionaries": 8.0,
    "plot_fidelity": 8.0,
    "plot_interpretation": 7.0,
    "plot_sweeps": 4.0,
    "plot_models": 3.0,
    "plot_analysis": 8.0,
    "show_features": 8.0,
    "run_notebook": 12.0,
    "compile_report": 6.0,
    "draw_rulegraph": 6.0,
    "record_environment": 3.0,
    "link_language_model": 8.0,
    "pin_unit": 6.0,
}
"""Rule that hardly depends on the configuration -> its core-seconds; the others take OTHER_S."""
OTHER_S = 2.5
LIGHT_BYTES = 3e8
"""Memory of these."""
TRAINED = 1.2
"""Training of a language model: everything beside its products, in multiples of them."""
READ = 1.3
"""A pass of a model over text, likewise: attention's softmax, LayerNorms, activation functions."""
SCORED = 1.9
"""A pass that scores every token: the softmax over the vocabulary comes on top."""
WRITTEN = 300.0
"""FLOPs of a product that take as long as converting, ordering and writing a byte of activations."""
COUNTED_S = 15.0
"""Scores of n-grams, counted on the train split, beside those of a model."""
BASELINES = 9
"""Reconstructions beside the autoencoders: ablations, neurons, principal components, random and token tables."""
LOADED_BYTE_S = 6e-9
"""Reading a byte of a model's weights in float32, converted from its file."""
PACKAGES_S = {"build_corpus": 2.0, "train_tokenizer": 0.7, "tokenize_corpus": 3.8}
"""Rule -> core-seconds per documented package (a megabyte and a half of text); the standard library is three."""
TEXT_BYTES = 3e6
"""Documents and token shards of a package on disk."""


def _packages(config: Config) -> float:
    installed = config["corpus"].get("installed", {})
    return len(installed.get("packages", ())) + 3 * installed.get("standard_library", False)


def _text(rule: str) -> Callable[..., Work]:
    def work(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
        size = _packages(config)
        disk = TEXT_BYTES * size if rule != "train_tokenizer" else 0.0
        return Work(interpreter_s=PYTHON_S + PACKAGES_S[rule] * size, memory_bytes=6e8, disk_bytes=disk)

    return work


def shape_config(config: Config, model: str) -> dict[str, Any] | None:
    """config.json of a model as far as its size goes; None for one that is not here or of no known family."""
    shape = plans.architecture(config, model)
    if shape is None or family_of(shape) is None:
        return None
    kind = plans.kind_of(config, model)
    return shape if kind == "pretrained" else {**shape, "vocab_size": config["tokenizer"]["vocab_size"]}


def _weights(shape: Mapping[str, Any]) -> float:
    return 4.0 * cost.size_of(shape).total


def _d_model(shape: Mapping[str, Any]) -> int:
    return shape_of(shape, family_of(shape)).d_model


def _run(config: Config, name: str) -> dict[str, Any]:
    return {"batch_size": SaeConfig.batch_size, **config["sae"].get("defaults", {}), **config["sae"]["runs"][name]}


def _width(config: Config, model: str, site: str) -> int:
    return parse(site, plans.architecture(config, model))[2]


def _d_sae(config: Config, name: str) -> int:
    return plans.pretrained_saes.d_sae(config["sae"]["runs"][name])


def reading(config: Config, model: str, tokens: float, up_to: int | None = None, unembedded: bool = False) -> Work:
    """Work of running a model over text up to the end of a block (None: the last one), with or without logits.

    A token costs two FLOPs per weight that it meets, and attention over half a window (`cost.flops_per_token`).
    """
    shape = shape_config(config, model)
    if shape is None:
        return Work()
    layers = cost.size_of(shape).n_blocks - 1 if up_to is None else up_to
    flops = READ * cost.flops_per_token(shape, layers, config["activations"]["context"])
    logits = SCORED * 2.0 * shape["vocab_size"] * _d_model(shape) if unembedded else 0.0
    load = LOADED_BYTE_S * _weights(shape)
    needed = cost.memory_bytes(shape, shape.get(OPTIONS, {}).get("dtype", "float32"), layers)
    return product((flops + logits) * tokens, _d_model(shape)) + Work(interpreter_s=load, memory_bytes=float(needed))


def train_language_model(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """Forward and backward are six FLOPs per weight and token; then 300,000 held-out tokens are scored."""
    settings, shape = config["models"][wildcards["model"]]["train"], shape_config(config, wildcards["model"])
    size, inner = cost.size_of(shape), _d_model(shape)
    flops = 6.0 * (size.n_blocks * size.block + shape["vocab_size"] * inner) * settings["tokens"]
    memory = 5e8 + 20.0 * size.total + 12.0 * settings["batch_size"] * shape["n_positions"] * shape["vocab_size"]
    scored = reading(config, wildcards["model"], 300_000, unembedded=True)
    beside = Work(interpreter_s=COUNTED_S, memory_bytes=memory, disk_bytes=_weights(shape))
    return product(TRAINED * flops, inner) + scored + beside


def shuffle_language_model(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """Held-out tokens are scored."""
    shape = shape_config(config, wildcards["model"])
    beside = Work(interpreter_s=COUNTED_S, memory_bytes=8e8, disk_bytes=_weights(shape))
    return reading(config, wildcards["model"], 300_000, unembedded=True) + beside


def extract_activations(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """One pass up to the last site of its list; a site that is read in another's pass only takes its files."""
    model, site = wildcards["model"], wildcards["site"]
    shape, tokens = shape_config(config, model), plans.wanted_tokens(config, model)
    disk = float(cost.disk_bytes(tokens, [_width(config, model, site)]))
    if plan.reader_of(model, site) or shape is None:
        return Work(interpreter_s=-TORCH_S + PYTHON_S, disk_bytes=disk)
    layers = [parse(each, shape)[0] for each in (site, *plan.passes.get((model, site), ()))]
    last = None if None in layers else max(layers)
    return reading(config, model, tokens, last) + Work(passes=WRITTEN * disk, disk_bytes=disk)


def train_sae(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """See autoencoders.py."""
    return autoencoders.training(_width(config, wildcards["model"], wildcards["site"]), _run(config, wildcards["run"]))


def import_sae(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """Its weights are read and written."""
    size = autoencoders.weight_bytes(
        _width(config, wildcards["model"], wildcards["site"]), _d_sae(config, wildcards["run"])
    )
    return Work(interpreter_s=LOADED_BYTE_S * size, memory_bytes=5e8 + 3 * size, disk_bytes=size)


def evaluate_fidelity(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """The model once, then its suffix for every reconstruction (`cost.evaluation_flops`), and every autoencoder."""
    model, site = wildcards["model"], wildcards["site"]
    shape, runs = shape_config(config, model), plan.sites[model, site]
    tokens = config["evaluation"].get("tokens_of", {}).get(model, config["evaluation"]["tokens"])
    d = _width(config, model, site)
    coded = [autoencoders.codes(d, _d_sae(config, run), tokens) for run in runs]
    work = sum(coded, Work(interpreter_s=3.0, memory_bytes=9e8, disk_bytes=2e6))
    if shape is None or parse(site, shape)[0] is None:
        return work
    flops = SCORED * cost.evaluation_flops(shape, site, config["activations"]["context"], len(runs) + BASELINES)
    components = Work(products=2.0 * d**3 * 10, memory_bytes=9e8 + 2 * _weights(shape))
    return work + product(flops * tokens, _d_model(shape)) + components


def _coded(config: Config, wildcards: Wildcards, tokens: float) -> Work:
    model, site, run = (wildcards[key] for key in ("model", "site", "run"))
    return reading(config, model, tokens) + autoencoders.codes(_width(config, model, site), _d_sae(config, run), tokens)


def _interpreted(config: Config, model: str) -> float:
    settings = config["interpretation"]
    return (settings.get("tokens_of") or {}).get(model, settings["tokens"])


def encode_text(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """Validation and test text through the model and the autoencoder."""
    tokens = 2.0 * _interpreted(config, wildcards["model"])
    return _coded(config, wildcards, tokens) + Work(memory_bytes=5e8 + 400 * tokens, disk_bytes=200 * tokens)


def interpret_latents(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """The same, and every latent and neuron compared with every label."""
    tokens = 2.0 * _interpreted(config, wildcards["model"])
    units = _width(config, wildcards["model"], wildcards["site"]) + _d_sae(config, wildcards["run"])
    compared = Work(interpreter_s=4.0, passes=100.0 * tokens * units, memory_bytes=7e8 + 1000 * tokens, disk_bytes=1e6)
    return _coded(config, wildcards, tokens) + compared


def score_units(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """Five populations of units, whose examples are compared and whose patterns are searched."""
    tokens, units = 2.0 * _interpreted(config, wildcards["model"]), 5 * config["scores"]["units"]
    scored = Work(
        interpreter_s=6.0 + 0.05 * units, passes=1e5 * tokens, memory_bytes=8e8 + 3000 * tokens, disk_bytes=2e6
    )
    return _coded(config, wildcards, tokens) + scored


def study_contexts(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """All held-out text, with the permuted model's latents beside."""
    model, wanted = wildcards["model"], config["cases"]["tokens"]
    if plan.models[model] == "pretrained":
        wanted = min(wanted, config["evaluation"].get("tokens_of", {}).get(model, config["evaluation"]["tokens"]))
    tokens = 2 * wanted * 4 / 3
    return _coded(config, wildcards, tokens) + Work(
        interpreter_s=15.0, passes=2e5 * tokens, memory_bytes=1.2e9, disk_bytes=1e6
    )


def describe_features(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """Examples from codes that are there; each page runs the model with its latent ablated and writes samples."""
    return Work(interpreter_s=15.0, memory_bytes=9e8, disk_bytes=1e6)


def compare_dictionaries(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """Correlations of every latent with every latent of another dictionary, over tokens on which both are active."""
    headline, settings = config["evaluation"]["headline"], config["dictionaries"]
    width, tokens = _d_sae(config, headline["run"]), 2.0 * settings["tokens"]
    narrower = sum(_d_sae(config, run) for run in settings["narrower"])
    pairs = float(width) * (3 * width + narrower)
    d = _width(config, headline["model"], headline["site"])
    return Work(
        products=3 * 2.0 * pairs * d, passes=400.0 * pairs + 1e5 * tokens, interpreter_s=10.0,
        memory_bytes=1e9 + 40.0 * width * width, disk_bytes=5e6,
    )  # fmt: skip


def compare_representations(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """Every layer of a model over the same tokens, and Gram matrices of all pairs of layers."""
    model = wildcards["model"]
    tokens, shape = config["analysis"]["tokens"], shape_config(config, model)
    if shape is None:
        return Work(interpreter_s=10.0, memory_bytes=1e9)
    layers, d = cost.size_of(shape).n_blocks, _d_model(shape)
    grams = 2.0 * tokens * d * d * layers * layers
    read = reading(config, model, 2.0 * tokens, unembedded=True)
    stored = 4.0 * tokens * d * (2 * layers + 2)
    return read + Work(products=grams, interpreter_s=8.0, memory_bytes=1e9 + stored + _weights(shape), disk_bytes=2e6)


def compare_prompt_sets(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """A few hundred prompts of twenty tokens."""
    return _coded(config, wildcards, 6000.0) + Work(interpreter_s=5.0, memory_bytes=9e8, disk_bytes=1e6)


def pin_context_latents(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """Every latent at every dose: a pass over some windows, and samples written token by token."""
    settings, model = config["interventions"], wildcards["model"]
    latents = 4 + settings["random_latents"]
    written = latents * len(settings["doses"]) * settings["samples"] * settings["sample_tokens"]
    read = reading(config, model, float(settings["tokens"]) + 16.0 * written, unembedded=True)
    steps = latents * len(settings["doses"]) * settings["sample_tokens"]
    return read + Work(interpreter_s=5.0 + 0.003 * steps, memory_bytes=9e8, disk_bytes=1e6)


def build_browser(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """Statistics of every latent of every browsed autoencoder, packed."""
    work = Work(interpreter_s=10.0, memory_bytes=1.2e9, disk_bytes=1e7)
    for model, site, run in plan.browsed:
        encoded = autoencoders.codes(_width(config, model, site), _d_sae(config, run), config["browser"]["tokens"])
        size = autoencoders.weight_bytes(_width(config, model, site), _d_sae(config, run))
        work += encoded + Work(interpreter_s=3.0, disk_bytes=size / 4)
    return work


def run_toy_experiment(config: Config, plan: plans.Plan, wildcards: Wildcards) -> Work:
    """See toys.py."""
    return toys.experiment(config["toy"][wildcards["experiment"]])


RULES: dict[str, Callable[[Config, plans.Plan, Wildcards], Work]] = {
    "build_corpus": _text("build_corpus"),
    "train_tokenizer": _text("train_tokenizer"),
    "tokenize_corpus": _text("tokenize_corpus"),
    "run_toy_experiment": run_toy_experiment,
    "train_language_model": train_language_model,
    "shuffle_language_model": shuffle_language_model,
    "extract_activations": extract_activations,
    "train_sae": train_sae,
    "import_sae": import_sae,
    "evaluate_fidelity": evaluate_fidelity,
    "encode_text": encode_text,
    "interpret_latents": interpret_latents,
    "score_units": score_units,
    "study_contexts": study_contexts,
    "describe_features": describe_features,
    "compare_dictionaries": compare_dictionaries,
    "compare_representations": compare_representations,
    "compare_prompt_sets": compare_prompt_sets,
    "pin_context_latents": pin_context_latents,
    "build_browser": build_browser,
}
"""Rule -> work of one of its jobs beyond starting torch."""
WITHOUT_TORCH = {"build_corpus", "train_tokenizer", "tokenize_corpus"}


def work_of(config: Config, plan: plans.Plan, rule: str, wildcards: Wildcards) -> Work:
    """Work of one job; a rule that is not in RULES takes LIGHT_S."""
    if rule not in RULES:
        return Work(interpreter_s=LIGHT_S.get(rule, OTHER_S), memory_bytes=LIGHT_BYTES, disk_bytes=1e6)
    work = RULES[rule](config, plan, wildcards)
    start = 0.0 if rule in WITHOUT_TORCH else TORCH_S
    return replace(work, interpreter_s=work.interpreter_s + start)
