"""Analyses of activations: representations, sets of prompts, latents of planted contexts pinned."""

PROMPT_SETS = outputs_analysis.prompt_sets(config)
ANALYSIS_FIGURES = outputs_analysis.figure_names(config, PLAN)


rule compare_representations:
    """Look at one model's activations on held-out text, at every layer, and compare it with others."""
    input:
        **MODEL,
        tokens=tokens_of,
        saes=saes_of_model,
        peers=peers_of_model,
    output:
        tokens="results/analysis/{model}/tokens.json",
        similarity="results/analysis/{model}/similarity.json",
        layers="results/analysis/{model}/layers.json",
        arrays="results/analysis/{model}/arrays.npz",
    log: "results/logs/compare_representations/{model}.log"
    benchmark: "results/benchmarks/compare_representations/{model}.tsv"
    wildcard_constraints:
        model=one_of(PLAN.analysed),
    threads: config["threads"]["evaluation"]
    resources:
        **estimated("compare_representations"),
    params:
        analysis=analysis_settings(),
        words=config["analysis"]["words"],
        contents=contents.digest([config["analysis"]["words"]]),
        seed=config["seed"],
        device=device_of_model,
    script: "../scripts/compare_representations.py"


rule compare_prompt_sets:
    """Find latents that differ between sets of prompts and the baseline, and confirm them on other prompts."""
    input:
        **MODEL,
        sae=sae_files,
    output:
        prompts="results/analysis/{model}/{site}/{run}/prompts.json",
        arrays="results/analysis/{model}/{site}/{run}/prompts.npz",
    log: "results/logs/compare_prompt_sets/{model}_{site}_{run}.log"
    benchmark: "results/benchmarks/compare_prompt_sets/{model}_{site}_{run}.tsv"
    threads: config["threads"]["evaluation"]
    resources:
        **estimated("compare_prompt_sets"),
    params:
        prompts=prompt_settings(),
        sets=PROMPT_SETS,
        contents=contents.digest(PROMPT_SETS.values()),
        seed=config["seed"],
        device=device_of_model,
    script: "../scripts/compare_prompt_sets.py"


rule pin_context_latents:
    """Pin latents of the planted contexts, and random ones, while the model reads and writes."""
    input:
        **MODEL,
        tokens=tokens_of,
        sae=sae_files,
        contexts="results/evaluation/{model}/{site}/{run}/contexts.json",
    output:
        interventions="results/analysis/{model}/{site}/{run}/interventions.json",
    log: "results/logs/pin_context_latents/{model}_{site}_{run}.log"
    benchmark: "results/benchmarks/pin_context_latents/{model}_{site}_{run}.tsv"
    threads: config["threads"]["evaluation"]
    resources:
        **estimated("pin_context_latents"),
    params:
        interventions=intervention_settings(),
        seed=config["seed"],
        device=device_of_model,
    script: "../scripts/pin_context_latents.py"


rule plot_analysis:
    """Draw the figures of what activations show."""
    input:
        results=outputs_analysis.results(PLAN),
        arrays=outputs_analysis.arrays(PLAN),
    output:
        **drawn("results/figures/analysis", ANALYSIS_FIGURES, "Activations"),
    log: "results/logs/plot_analysis/plot_analysis.log"
    benchmark: "results/benchmarks/plot_analysis/plot_analysis.tsv"
    script: "../scripts/plot_analysis.py"
