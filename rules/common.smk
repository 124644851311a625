"""Everything that rules share: the checked configuration, what it asks to build, and functions for inputs and params."""

import os
import re
from functools import cache
from pathlib import Path

from scripts.monosem.core import artefacts, timing
from scripts.monosem.core.artefacts import sha256_json
from scripts.monosem.models import source
from scripts.monosem.models.site_names import inner_of
from scripts.monosem.text import external
from scripts.monosem.workflow import (
    captions, code_inputs, contents, outputs, outputs_analysis, outputs_browser, outputs_dictionaries, outputs_features,
    outputs_toy, plan, roles, shipped, sweeps, validate,
)
from scripts.monosem.workflow.checks import interventions, pretrained_saes
from scripts.monosem.workflow.estimates import planned

try:
    validate.check_files(workflow.configfiles)
    validate.type_command_line_(config, workflow.config_settings.config)
    validate.check(config)
    PLAN = plan.make_plan(config)
    SHIPPED = shipped.of(config)
    if workflow.is_main_process:
        for sentence in (*plan.left_out(config), *SHIPPED.reasons):
            print(sentence, file=sys.stderr)
        validate.check_models(config, PLAN.of_kind("pretrained"))
except (validate.ConfigError, artefacts.ArtefactError) as error:
    sys.exit(f"The configuration cannot be run. {error}")
CORPUS = config["corpus"]["name"]
CAPTIONS = captions.read(sorted(captions.TEMPLATES.glob("*.md.j2")))
SITES = [f"{model}/{site}" for model, site in PLAN.sites]
INTERPRETED = ["/".join(names) for names in PLAN.interpreted]
SCORED = ["/".join(names) for names in PLAN.scored]

MODEL = {
    "model": "results/models/{model}/config.json",
    "weights": "results/models/{model}/model.safetensors",
    "tokenizer": "results/models/{model}/tokenizer.json",
}
"""Inputs of a rule that computes on a model."""
ACTIVATIONS = {
    "activations": "results/activations/{model}/{site}/manifest.json",
    "rows": "results/activations/{model}/{site}/activations.npy",
    "positions": "results/activations/{model}/{site}/positions.npy",
}
"""Files of the activations of a site: outputs of their extraction, and inputs of what reads them."""
TOKEN_SHARDS = [
    f"{split}.{part}.npy"
    for split in ("train", "validation", "test")
    for part in ("tokens", "labels", "documents", "characters", "natural")
]
SAE = "results/sae/{model}/{site}/{run}/sae_weights.safetensors"
SAE_CFG = "results/sae/{model}/{site}/{run}/cfg.json"
CODES = "results/evaluation/{model}/{site}/{run}/codes.npz"
"""Active latents on held-out text."""

WITHIN_A_RUN = session.RUN_PID in os.environ  # as the call that draws the rule graph is
session.begin(os.environ, offline="hub" not in config["corpus"])
places.give_caches(os.environ)
if workflow.is_main_process:
    session.clear_stale_lock(SNAKEMAKE)


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


def code_of(*paths):
    """Digest of files and every module of the library that they import: a parameter, see "What reruns when".

    No input: one that is not in the bucket of a run on Kubernetes would keep the job on the calling machine.
    """
    files = {path for start in paths for path in code_inputs.closure(Path(start))}
    return contents.digest(sorted(files), root=".")


def tokens_of_model(model):
    """Manifest and shards of the tokens that a model reads."""
    folder = f"results/data/{CORPUS}/tokens/{plan.tokenizer_of(config, model)}"
    return [f"{folder}/manifest.json", *(f"{folder}/{name}" for name in TOKEN_SHARDS)]


def tokens_of(wildcards):
    """Manifest and shards of the tokens that the job's model reads."""
    return tokens_of_model(wildcards.model)


def sae_files_of(model, site, run):
    """Files of an autoencoder that is read."""
    return [path.format(model=model, site=site, run=run) for path in (SAE, SAE_CFG)]


def sae_files(wildcards):
    """Files of the job's autoencoder."""
    return sae_files_of(wildcards.model, wildcards.site, wildcards.run)


def device_of_model(wildcards):
    """Device of a job that computes on a model: the model's own, else that of the run."""
    return plan.device_of(config, wildcards.model)


def activation_settings(wildcards):
    """Settings of the extraction for one model."""
    settings = config["activations"]
    same = {key: settings[key] for key in ("dtype", "drop_first_position", "exclude_norm_above", "context")}
    return {**same, "tokens": plan.wanted_tokens(config, wildcards.model)}


def model_files(model):
    """Files of a model folder."""
    names = {"config": "config.json", "weights": "model.safetensors", "tokenizer": "tokenizer.json"}
    names["tokenizer_config"] = "tokenizer_config.json"
    return {key: f"results/models/{model}/{name}" for key, name in names.items()}


def svg_files(folder, figures):
    """Figures of a folder as svg; each has a png beside it."""
    return [f"{folder}/{figure}.svg" for figure in figures]


def drawn(folder, figures, category):
    """Outputs of a plot, svg and png of every figure; `snakemake --report` shows the svg by category, with captions."""
    family = folder.removeprefix("results/").removeprefix("figures/")
    shown = [{"figure": name, "shows": captions.of(CAPTIONS, f"{family}/{name}")} for name in figures]
    svg = svg_files(folder, figures)
    return {
        "svg": [report(path, category=category, labels=labels) for path, labels in zip(svg, shown)],
        "png": [path.removesuffix("svg") + "png" for path in svg],
    }


def estimated(rule):
    """Memory, time and disk that the jobs of a rule ask a batch system for; more on every further attempt."""
    return {
        name: lambda wildcards, attempt, name=name: planned.request(config, PLAN, rule, dict(wildcards), attempt)[name]
        for name in ("mem_mb", "runtime", "disk_mb")
    }


# data.smk


def tokenizer_of(wildcards):
    """The files behind a tokenizer's name: the corpus's own, or those that a pretrained model brings."""
    pretrained = wildcards.tokenizer in PLAN.models
    folder = f"models/{wildcards.tokenizer}" if pretrained else f"data/{wildcards.corpus}/tokenizer"
    return {name: f"results/{folder}/{name}.json" for name in ("tokenizer", "tokenizer_config")}


def corpus_contents(wildcards):
    """Digest of the files of `corpus.folder`; nothing for a corpus from elsewhere."""
    corpus = config["corpus"]
    if "folder" not in corpus or "hub" in corpus:
        return None
    return contents.digest(sorted(external.text_files(corpus["folder"])), corpus["folder"])


def shipped_text():
    """Folder of the models that come with the checkout, with the digest of what they share; None if none is used."""
    return SHIPPED.folder and {"folder": SHIPPED.folder, "contents": contents.digest(SHIPPED.files, root=SHIPPED.folder)}


# model.smk


def shipped_model(wildcards):
    """Folder of the models that come with the checkout, with the digest of what the job's model depends on."""
    return {"folder": SHIPPED.folder, "contents": contents.digest(SHIPPED.files_of(wildcards.model), root=SHIPPED.folder)}


def source_model(wildcards):
    """Files of the model that a shuffled one is made from."""
    return model_files(config["models"][wildcards.model]["shuffle"]["of"])


def pretrained_model(wildcards):
    """Name of a pretrained model, its folder or GGUF file on this machine, and its options."""
    return {
        "name": source.name_of(config["models"][wildcards.model]["pretrained"]),
        "source": str(plan.pretrained_source(config, wildcards.model)),
        "settings": plan.model_settings(config, wildcards.model),
    }


def pretrained_model_contents(wildcards):
    """Digest of the files of a pretrained model, wherever they are."""
    settings = config["models"][wildcards.model]["pretrained"]
    return contents.digest(source.files_of(source.find(settings), settings.get("allow_pickle", False)))


# activations.smk


def sites_of_pass(wildcards):
    """The other sites that are read in the same pass, as a list; empty for a site that is read in another's."""
    return list(PLAN.passes.get((wildcards.model, wildcards.site), ()))


def reading_pass(wildcards):
    """Manifest of the site in whose pass this one is read, as a list; empty for a site that has its own job."""
    reader = PLAN.reader_of(wildcards.model, wildcards.site)
    return [f"results/activations/{wildcards.model}/{reader}/manifest.json"] if reader else []


# sae.smk


def runs_trained(here):
    """Runs that are trained here, or (False) pretrained."""
    return [name for name, run in config["sae"]["runs"].items() if pretrained_saes.is_pretrained(run) != here]


def pretrained_sae(wildcards):
    """Configuration of a pretrained autoencoder, and its folder on this machine."""
    return pretrained_saes.resolved(config["sae"]["runs"][wildcards.run], wildcards.site)


def pretrained_sae_files(wildcards):
    """The files of a pretrained autoencoder, wherever they are."""
    return pretrained_saes.files(config["sae"]["runs"][wildcards.run])


def pretrained_sae_contents(wildcards):
    """Digest of the files of a pretrained autoencoder."""
    return contents.digest(pretrained_sae_files(wildcards))


def sae_settings(wildcards):
    """Settings of one run over the defaults of all; without threads, which change no result's meaning."""
    settings = {**config["sae"]["defaults"], **config["sae"]["runs"][wildcards.run]}
    return {key: value for key, value in settings.items() if key != "threads"}


def sae_threads(wildcards):
    """Threads of a run: its own, or those of all."""
    return config["sae"]["runs"][wildcards.run].get("threads", config["threads"]["autoencoders"])


def sae_seed(wildcards):
    """A run's own seed, else the configuration's."""
    return sae_settings(wildcards).get("seed", config["seed"])


# evaluate.smk


def saes_of_site(wildcards):
    """Files of every run trained at a site."""
    model, site = wildcards.model, wildcards.site
    return [path for run in PLAN.sites[model, site] for path in sae_files_of(model, site, run)]


def neighbour_of_site(wildcards):
    """Files of the autoencoder of another layer; none where there is none."""
    model, place = wildcards.model, (wildcards.model, wildcards.site)
    if place not in PLAN.neighbours:
        return []
    other = PLAN.neighbours[place]
    return sae_files_of(model, other, PLAN.references[model, other])


def twin_of_site(wildcards):
    """Files of the same model trained without MLPs, for an MLP of the model of chapter 2; none where there is none."""
    chapter = config["chapters"]["one_layer"]
    if wildcards.model != chapter["model"] or ".mlp." not in wildcards.site or not chapter.get("without_mlp"):
        return []
    return [path.format(model=chapter["without_mlp"]) for path in (MODEL["model"], MODEL["weights"])]


def evaluation_settings(wildcards):
    """Settings of the evaluation, the sweeps of the site, and the run whose L0 the baselines get."""
    place = (wildcards.model, wildcards.site)
    settings = config["evaluation"]
    return {
        "tokens": settings.get("tokens_of", {}).get(wildcards.model, settings["tokens"]),
        "split": settings.get("split", "test"),
        "bootstrap": settings["bootstrap"],
        "reference": PLAN.references[place],
        "sweeps": sweeps.trained(config, PLAN.sites[place]),
        "sparsities": sweeps.sparsities(config),
    }


def control_of_scores(wildcards):
    """The shuffled model, if it has an autoencoder of the scored run at the site."""
    control = PLAN.controls.get((wildcards.model, wildcards.site))
    return control if wildcards.run in PLAN.sites.get((control, wildcards.site), ()) else None


def control_model_of_scores(wildcards):
    """Files of the shuffled model; none where there is none."""
    control = control_of_scores(wildcards)
    return [path.format(model=control) for path in MODEL.values()] if control else []


def control_sae_of_scores(wildcards):
    """Files of the shuffled model's autoencoder; none where there is none."""
    control = control_of_scores(wildcards)
    return sae_files_of(control, wildcards.site, wildcards.run) if control else []


def control_codes_of_scores(wildcards):
    """Codes of that autoencoder; none where there is none."""
    control = control_of_scores(wildcards)
    return [CODES.format(model=control, site=wildcards.site, run=wildcards.run)] if control else []


def judge_of_scores(wildcards):
    """Files of the model whose hidden states compare examples."""
    model, _ = PLAN.scored[wildcards.model, wildcards.site, wildcards.run]
    return [path.format(model=model) for path in MODEL.values()]


def contexts_of_features(wildcards):
    """contexts.json, as a list, of the headline's autoencoder; of others none: their pages are named."""
    return of_headline(wildcards, "contexts.json") if outputs_features.planted(config, PLAN) else []


def cases_of_features(wildcards):
    """cases.json likewise."""
    return of_headline(wildcards, "cases.json") if outputs_features.natural(config, PLAN) else []


def of_headline(wildcards, name):
    """A file, as a list, of the headline's autoencoder; of others none."""
    place = (wildcards.model, wildcards.site, wildcards.run)
    return [f"results/evaluation/{'/'.join(place)}/{name}"] if place == tuple(outputs.headline(config).values()) else []


def named_latents(wildcards):
    """Named pages of the autoencoder."""
    return outputs_features.latents(config, (wildcards.model, wildcards.site, wildcards.run))


def judge_site(wildcards):
    """Site of these hidden states."""
    return PLAN.scored[wildcards.model, wildcards.site, wildcards.run][1]


def score_settings():
    """Numbers of units and examples, and resamplings over units."""
    counts = {name: config["scores"][name] for name in ("units", "examples")}
    return counts | {"bootstrap": config["evaluation"]["bootstrap"]}


def interpreted_tokens(wildcards):
    """Held-out tokens that a model's units are read on, of each of validation and test."""
    settings = config["interpretation"]
    return (settings.get("tokens_of") or {}).get(wildcards.model, settings["tokens"])


def interpretation_settings(wildcards):
    """Numbers of units, examples and tokens."""
    counts = {name: config["interpretation"][name] for name in ("units", "examples")}
    return counts | {"tokens": interpreted_tokens(wildcards)}


def control_model_of_cases(wildcards):
    """Files of the permuted model, where it has an autoencoder of the same run at the same site."""
    control = outputs_dictionaries.others(config).get("control")
    return [path.format(model=control) for path in (MODEL["model"], MODEL["weights"])] if control else []


def control_sae_of_cases(wildcards):
    """Files of its autoencoder."""
    control = outputs_dictionaries.others(config).get("control")
    return sae_files_of(control, wildcards.site, wildcards.run) if control else []


def tokens_of_cases(wildcards):
    """Tokens of the test split that case studies read; of a pretrained model no more than its fidelity is scored on."""
    wanted, scored = config["cases"]["tokens"], evaluation_settings(wildcards)["tokens"]
    return min(wanted, scored) if PLAN.models[wildcards.model] == "pretrained" else wanted


# dictionaries.smk


def place_of(role):
    """Model files, dictionary and codes of the headline's run on the model that plays a role; empty lists if none."""
    headline, others = config["evaluation"]["headline"], outputs_dictionaries.others(config)
    names = dict(headline) | ({"model": others[role]} if role in others else {})
    is_there = role == "model" or role in others
    model = [MODEL["model"], MODEL["weights"]]
    paths = {"model": model, "sae": [SAE, SAE_CFG], "codes": [CODES]}
    return {f"{role}_{part}": [path.format_map(names) for path in paths[part] if is_there] for part in paths}


def narrower_files(path):
    """A file of every narrower dictionary."""
    headline = config["evaluation"]["headline"]
    return [path.format_map(headline | {"run": run}) for run in config["dictionaries"]["narrower"]]


# analysis.smk


def saes_of_model(wildcards):
    """Files of the reference run of a model's sites; of several layers of one place the first that is configured."""
    chosen = {}
    for (model, site), run in PLAN.references.items():
        if model == wildcards.model:
            chosen.setdefault(inner_of(site), sae_files_of(model, site, run))
    return [path for files in chosen.values() for path in files]


def peers_of_model(wildcards):
    """Files of the models that one is compared with."""
    return [MODEL[name].format(model=peer) for peer in PLAN.analysed[wildcards.model] for name in ("model", "weights")]


def analysis_settings():
    """Tokens, their context, and the texts that are looked at."""
    tokens, context = config["analysis"]["tokens"], config["activations"]["context"]
    return {"tokens": tokens, "context": context, "texts": outputs_analysis.texts(config)}


def prompt_settings():
    """Settings of the comparison of sets of prompts."""
    names = ("baseline", "always_on", "false_discovery_rate", "shuffles")
    return {name: config["prompts"][name] for name in names} | {"context": config["activations"]["context"]}


def intervention_settings():
    """Doses, samples, random latents, and the texts of the analysis."""
    settings = {key: value for key, value in config["interventions"].items() if key not in ("use", "named")}
    return settings | {"texts": outputs_analysis.texts(config)}


# interventions.smk


def named_intervention(wildcards):
    """Settings of a named intervention."""
    return interventions.settings(config, wildcards.intervention)


def pinned_model(wildcards):
    """Files of the model that a named intervention is about, and its tokens."""
    model = named_intervention(wildcards)["model"]
    files = {name: path.format(model=model) for name, path in MODEL.items()}
    return files | {"tokens": tokens_of_model(model)}


def pinned_sae(wildcards):
    """Files of the autoencoder whose latent is pinned; none for a neuron."""
    settings = named_intervention(wildcards)
    return sae_files_of(settings["model"], settings["site"], settings["run"]) if settings["run"] else []


def device_of_pinned(wildcards):
    """Device of a job that computes on the model of a named intervention."""
    return plan.device_of(config, named_intervention(wildcards)["model"])


# report.smk


def explanations_browsed(browsed, name):
    """A file of the scores of each browsed autoencoder that is scored."""
    places = [(each.model, each.site, each.run) for each in browsed]
    return [f"results/evaluation/{'/'.join(place)}/{name}" for place in places if place in PLAN.scored]


def prompts_browsed(browsed):
    """prompts.json of each browsed autoencoder that reads sets of prompts."""
    places = [(each.model, each.site, each.run) for each in browsed]
    return [f"results/analysis/{'/'.join(place)}/prompts.json" for place in places if place in PLAN.prompted]


def features_browsed(browsed):
    """features.json of each browsed autoencoder whose latents have pages."""
    described = outputs_features.pages(config, PLAN).values()
    places = [(each.model, each.site, each.run) for each in browsed]
    return [f"results/evaluation/{'/'.join(place)}/features.json" for place in places if place in described]


def beside_browsed(browsed):
    """Files that the feature browser reads beside those it is given: weights, tokenizers, shards, cfg.json, rows."""
    files = []
    for each in browsed:
        files += [*model_files(each.model).values(), *tokens_of_model(each.model)]
        files += sae_files_of(each.model, each.site, each.run)
        if not each.runs:
            files += [path.format(model=each.model, site=each.site) for path in ACTIVATIONS.values()]
    return list(dict.fromkeys(files))


# toy.smk


def toy_settings(wildcards):
    """Kind and parameters of a toy experiment without its seed."""
    return {key: value for key, value in config["toy"][wildcards.experiment].items() if key != "seed"}


def toy_seed(wildcards):
    """An experiment's own seed, else the configuration's."""
    return config["toy"][wildcards.experiment].get("seed", config["seed"])


def code_of_experiment(wildcards):
    """Digest of the code of an experiment's kind, so that an edit reruns the experiments of that kind."""
    return code_of(f"scripts/monosem/toy/experiments/{outputs_toy.stem(config['toy'][wildcards.experiment]['kind'])}.py")


def code_of_toy_figures(experiments):
    """Digest of the modules that draw the figures of the given experiments."""
    stems = {outputs_toy.stem(settings["kind"]) for settings in experiments.values()}
    return code_of(*(f"scripts/monosem/figures/toy/{stem}.py" for stem in stems))


# Snakefile


def final_outputs():
    """Files of a plain call: the report, which has most of the rest among its inputs, and every evaluation."""
    return [
        "results/report.md",
        "results/report.html",
        "results/toy.html",
        *outputs_browser.pages(PLAN),
        *expand("results/evaluation/{site}/fidelity.json", site=SITES),
        *expand("results/evaluation/{sae}/interpretation.json", sae=INTERPRETED),
        *expand("results/evaluation/{sae}/scores.json", sae=SCORED),
        *outputs_features.files(config, PLAN, ".html"),
        *expand("results/interventions/{name}/intervention.md", name=interventions.entries(config)),
    ]
