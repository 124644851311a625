"""Everything that rules share: the checked configuration, what it asks to build, and functions for inputs and params."""

import os
import re
from functools import cache
from pathlib import Path

from scripts.monosem.core import session, timing
from scripts.monosem.models.site_names import inner_of
from scripts.monosem.workflow import (
    code_inputs,
    outputs,
    outputs_analysis,
    outputs_toy,
    plan,
    roles,
    sweeps,
    validate,
)
from scripts.monosem.workflow.checks import interventions, pretrained_saes

try:
    SCHEMA = Path(workflow.basedir, "rules", "config.schema.yaml")
    validate.type_command_line_(config, workflow.config_settings.config, SCHEMA)
    validate.check(config, SCHEMA)
except validate.ConfigError as error:
    sys.exit(f"The configuration cannot be run. {error}")
PLAN = plan.make_plan(config)
CORPUS = config["corpus"]["name"]
SITES = [f"{model}/{site}" for model, site in PLAN.sites]
SAES = [
    f"{model}/{site}/{run}"
    for (model, site), runs in PLAN.sites.items()
    for run in runs
]
INTERPRETED = ["/".join(names) for names in PLAN.interpreted]

session.begin(os.environ, offline="hub" not in config["corpus"])
if workflow.is_main_process:
    session.clear_stale_lock(Path(".snakemake"))


def one_of(names):
    """A wildcard's pattern: exactly these names, or nothing at all."""
    return "|".join(re.escape(name) for name in sorted(set(names))) or "(?!)"


wildcard_constraints:
    corpus=one_of([CORPUS]),
    tokenizer=one_of(plan.tokenizer_of(config, model) for model in PLAN.models),
    model=one_of(PLAN.models),
    site=one_of(site for _, site in PLAN.sites),
    run=one_of(config["sae"]["runs"]),
    intervention=one_of(interventions.entries(config)),


@cache
def code_of(rule):
    """The rule's script and every module of the library that it imports: compared by content, see "What reruns when"."""
    return code_inputs.closure(Path("scripts", f"{rule}.py"))


def tokens_of(wildcards):
    """Manifest of the token shards that a model reads."""
    return f"results/data/{CORPUS}/tokens/{plan.tokenizer_of(config, wildcards.model)}/manifest.json"


def tokenizer_of(wildcards):
    """The files behind a tokenizer's name: the corpus's own, or those that a pretrained model brings."""
    pretrained = wildcards.tokenizer in PLAN.models
    folder = (
        f"results/models/{wildcards.tokenizer}"
        if pretrained
        else f"results/data/{wildcards.corpus}/tokenizer"
    )
    return {
        "tokenizer": f"{folder}/tokenizer.json",
        "tokenizer_config": f"{folder}/tokenizer_config.json",
    }


def source_model(wildcards):
    """Files of the model that a shuffled one is made from."""
    source = config["models"][wildcards.model]["shuffle"]["of"]
    names = {"config": "config.json", "weights": "model.safetensors"}
    names |= {
        "tokenizer": "tokenizer.json",
        "tokenizer_config": "tokenizer_config.json",
    }
    return {key: f"results/models/{source}/{name}" for key, name in names.items()}


def pretrained_model(wildcards):
    """The configured name of a pretrained model, the folder where it was found, and what is told to that folder."""
    settings = config["models"][wildcards.model]["pretrained"]
    return {
        "name": settings["name"],
        "folder": str(plan.pretrained_folder(config, wildcards.model)),
        "settings": plan.model_settings(config, wildcards.model),
    }


def device_of_model(wildcards):
    """Device of a job that computes on a model: the model's own, else that of the run."""
    return plan.device_of(config, wildcards.model)


def activation_settings(wildcards):
    """What to store for one model."""
    settings = config["activations"]
    same = {key: settings[key] for key in ("dtype", "drop_first_position", "context")}
    return {**same, "tokens": plan.wanted_tokens(config, wildcards.model)}


def sites_of_pass(wildcards):
    """The other sites that are read in the same pass, as a list; empty for a site that is read in another's."""
    return list(PLAN.passes.get((wildcards.model, wildcards.site), ()))


def reading_pass(wildcards):
    """Manifest of the site in whose pass this one is read, as a list; empty for a site that has its own job."""
    reader = PLAN.reader_of(wildcards.model, wildcards.site)
    return [f"results/activations/{wildcards.model}/{reader}/manifest.json"] if reader else []


def extraction_memory_mb(wildcards):
    """What a pass takes: weights up to its last site, and working memory."""
    shape = plan.architecture(config, wildcards.model)
    wanted = [wildcards.site, *sites_of_pass(wildcards)]
    return max(
        2500,
        plan.extraction_bytes(config, wildcards.model, wanted, shape) // 10**6,
    )


def runs_trained(here):
    """Runs that are trained here, or (False) elsewhere."""
    return [
        name
        for name, run in config["sae"]["runs"].items()
        if pretrained_saes.is_pretrained(run) != here
    ]


def pretrained_sae(wildcards):
    """What is configured about a pretrained autoencoder, and the folder where it was found."""
    return pretrained_saes.resolved(config["sae"]["runs"][wildcards.run], wildcards.site)


def pretrained_sae_files(wildcards):
    """The files of a pretrained autoencoder, wherever they lie."""
    return pretrained_saes.files(config["sae"]["runs"][wildcards.run])


def sae_settings(wildcards):
    """The defaults of all runs, overlaid with one run's own; not its threads, which change no result's meaning."""
    settings = {**config["sae"]["defaults"], **config["sae"]["runs"][wildcards.run]}
    return {key: value for key, value in settings.items() if key != "threads"}


def sae_threads(wildcards):
    """Threads of a run: its own, or those of all."""
    runs = config["sae"]["runs"]
    return runs[wildcards.run].get("threads", config["threads"]["autoencoders"])


def sae_seed(wildcards):
    """A run's own seed, else the configuration's."""
    return sae_settings(wildcards).get("seed", config["seed"])


def saes_of_site(wildcards):
    """Weights of every run trained at a site."""
    folder = f"results/sae/{wildcards.model}/{wildcards.site}"
    return [
        f"{folder}/{run}/sae_weights.safetensors"
        for run in PLAN.sites[wildcards.model, wildcards.site]
    ]


def control_of_site(wildcards):
    """Weights of the shuffled model's autoencoder for a site, as a list; empty where there is none."""
    place = (wildcards.model, wildcards.site)
    if place not in PLAN.controls:
        return []
    return [
        f"results/sae/{PLAN.controls[place]}/{wildcards.site}/{PLAN.references[place]}/sae_weights.safetensors"
    ]


def neighbour_of_site(wildcards):
    """Weights of the autoencoder of another layer, as a list; empty where there is none."""
    model, place = wildcards.model, (wildcards.model, wildcards.site)
    if place not in PLAN.neighbours:
        return []
    other = PLAN.neighbours[place]
    return [
        f"results/sae/{model}/{other}/{PLAN.references[model, other]}/sae_weights.safetensors"
    ]


def evaluation_settings(wildcards):
    """What to evaluate with, and the run whose L0 the baselines get."""
    place = (wildcards.model, wildcards.site)
    settings = config["evaluation"]
    return {
        "tokens": settings.get("tokens_of", {}).get(
            wildcards.model, settings["tokens"]
        ),
        "split": settings.get("split", "test"),
        "bootstrap": settings["bootstrap"],
        "reference": PLAN.references[place],
        "sweeps": sweeps.trained(config, PLAN.sites[place]),
    }


def interpretation_settings():
    """How many units and examples, on how many tokens."""
    return {
        key: value for key, value in config["interpretation"].items() if key != "use"
    }


def saes_of_model(wildcards):
    """Weights of the reference run of a model's sites, as a list; of several layers the first that is configured."""
    chosen = {}
    for (model, site), run in PLAN.references.items():
        if model == wildcards.model:
            chosen.setdefault(inner_of(site), f"{site}/{run}")
    return [
        f"results/sae/{wildcards.model}/{sae}/sae_weights.safetensors"
        for sae in chosen.values()
    ]


def peers_of_model(wildcards):
    """Weights of the models that one is compared with, as a list."""
    return [
        f"results/models/{peer}/model.safetensors"
        for peer in PLAN.analysed[wildcards.model]
    ]


def analysis_settings():
    """Tokens, their context, and the texts that are looked at."""
    settings = {
        "tokens": config["analysis"]["tokens"],
        "context": config["activations"]["context"],
    }
    return settings | {"texts": outputs_analysis.texts(config)}


def prompt_settings():
    """How sets of prompts are compared."""
    names = ("baseline", "always_on", "false_discovery_rate", "shuffles")
    return {name: config["prompts"][name] for name in names} | {
        "context": config["activations"]["context"]
    }


def intervention_settings():
    """Doses, samples, random latents, and the texts of the analysis."""
    settings = {
        key: value
        for key, value in config["interventions"].items()
        if key not in ("use", "named")
    }
    return settings | {"texts": outputs_analysis.texts(config)}


def named_intervention(wildcards):
    """Everything that a named intervention asks for."""
    return interventions.settings(config, wildcards.intervention)


def pinned_model(wildcards):
    """Files of the model that a named intervention is about, and its tokens."""
    model = named_intervention(wildcards)["model"]
    folder, tokenizer = f"results/models/{model}", plan.tokenizer_of(config, model)
    return {
        "model": f"{folder}/config.json",
        "weights": f"{folder}/model.safetensors",
        "tokenizer": f"{folder}/tokenizer.json",
        "tokens": f"results/data/{CORPUS}/tokens/{tokenizer}/manifest.json",
    }


def pinned_sae(wildcards):
    """Weights of the autoencoder whose latent is pinned, as a list; empty for a neuron."""
    asked = named_intervention(wildcards)
    if asked["run"] is None:
        return []
    return [
        f"results/sae/{asked['model']}/{asked['site']}/{asked['run']}/sae_weights.safetensors"
    ]


def device_of_pinned(wildcards):
    """Device of a job that computes on the model of a named intervention."""
    return plan.device_of(config, named_intervention(wildcards)["model"])


def toy_settings(wildcards):
    """Kind and parameters of a toy experiment without its seed."""
    return {
        key: value
        for key, value in config["toy"][wildcards.experiment].items()
        if key != "seed"
    }


def toy_seed(wildcards):
    """An experiment's own seed, else the configuration's."""
    return config["toy"][wildcards.experiment].get("seed", config["seed"])


def code_of_experiment(wildcards):
    """The module of an experiment's kind and what it imports, so that an edit reruns the experiments of that kind."""
    stem = outputs_toy.stem(config["toy"][wildcards.experiment]["kind"])
    return code_inputs.closure(
        Path("scripts", "monosem", "toy", "experiments", f"{stem}.py")
    )


def code_of_toy_figures(experiments):
    """The modules that draw the figures of the given experiments, and what they import."""
    stems = {outputs_toy.stem(settings["kind"]) for settings in experiments.values()}
    paths = [Path("scripts", "monosem", "figures", "toy", f"{stem}.py") for stem in stems]
    return sorted({path for start in paths for path in code_inputs.closure(start)})


def final_outputs():
    """What a plain call makes: the report, which has most of the rest among its inputs, and every evaluation."""
    return [
        "results/report.md",
        "results/report.html",
        "results/toy.html",
        *expand("results/evaluation/{site}/fidelity.json", site=SITES),
        *expand("results/evaluation/{sae}/interpretation.json", sae=INTERPRETED),
        *expand(
            "results/interventions/{name}/intervention.md", name=interventions.entries(config)
        ),
    ]


def times_table():
    """Wall time per rule, its start-up (interpreter, imports) beside its work, and where the report lies."""
    rows = timing.times(Path("results/benchmarks"), Path("results/logs"))
    lines = [f"{'rule':<26}{'jobs':>5}{'wall s':>9}{'work s':>9}{'start s':>9}"]
    for row in rows:
        work = row.work_s or 0.0
        lines.append(
            f"{row.rule:<26}{row.jobs:>5}{row.wall_s:>9.1f}{work:>9.1f}{max(row.wall_s - work, 0.0):>9.1f}"
        )
    wall, work = sum(row.wall_s for row in rows), sum(row.work_s or 0.0 for row in rows)
    lines.append(
        f"{'together':<26}{sum(row.jobs for row in rows):>5}{wall:>9.1f}{work:>9.1f}{wall - work:>9.1f}"
    )
    pages = {"The report": "results/report", "The toy chapter": "results/toy"}
    lines += [
        "",
        *(
            f"{name}: {page}.html (and {page}.md)"
            for name, page in pages.items()
            if Path(f"{page}.html").exists()
        ),
    ]
    return "\n".join(lines)
