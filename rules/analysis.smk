"""What activations show: single tokens, similarity, layers, sets of prompts, interventions."""

PROMPT_SETS = outputs_analysis.prompt_sets(config)
ANALYSIS_FIGURES = outputs_analysis.figure_names(config, PLAN)


rule compare_representations:
    """Look at one model's activations on held-out text, at every layer, and compare it with others."""
    input:
        model="results/models/{model}/config.json",
        weights="results/models/{model}/model.safetensors",
        tokenizer="results/models/{model}/tokenizer.json",
        tokens=tokens_of,
        saes=saes_of_model,
        peers=peers_of_model,
        words=config["analysis"]["words"],
        code=code_of("compare_representations"),
    output:
        tokens="results/analysis/{model}/tokens.json",
        similarity="results/analysis/{model}/similarity.json",
        layers="results/analysis/{model}/layers.json",
        arrays="results/analysis/{model}/arrays.npz",
    log:
        "results/logs/compare_representations/{model}.log",
    benchmark:
        "results/benchmarks/compare_representations/{model}.tsv"
    wildcard_constraints:
        model=one_of(PLAN.analysed),
    conda:
        "../envs/monosem.yaml"
    threads: config["threads"]["evaluation"]
    resources:
        mem_mb=3000,
    params:
        analysis=analysis_settings(),
        seed=config["seed"],
        device=device_of_model,
    message:
        "Comparing representations of {wildcards.model}"
    script:
        "../scripts/compare_representations.py"


rule compare_prompt_sets:
    """Find latents that tell sets of prompts from the baseline, and confirm them on other prompts."""
    input:
        sets=list(PROMPT_SETS.values()),
        model="results/models/{model}/config.json",
        weights="results/models/{model}/model.safetensors",
        tokenizer="results/models/{model}/tokenizer.json",
        sae="results/sae/{model}/{site}/{run}/sae_weights.safetensors",
        code=code_of("compare_prompt_sets"),
    output:
        prompts="results/analysis/{model}/{site}/{run}/prompts.json",
        arrays="results/analysis/{model}/{site}/{run}/prompts.npz",
    log:
        "results/logs/compare_prompt_sets/{model}_{site}_{run}.log",
    benchmark:
        "results/benchmarks/compare_prompt_sets/{model}_{site}_{run}.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: config["threads"]["evaluation"]
    resources:
        mem_mb=3000,
    params:
        prompts=prompt_settings(),
        sets=list(PROMPT_SETS),
        seed=config["seed"],
        device=device_of_model,
    message:
        "Comparing sets of prompts with {wildcards.run} on {wildcards.model} at {wildcards.site}"
    script:
        "../scripts/compare_prompt_sets.py"


rule pin_context_latents:
    """Pin latents of the planted contexts, and random ones, while the model reads and writes."""
    input:
        model="results/models/{model}/config.json",
        weights="results/models/{model}/model.safetensors",
        tokenizer="results/models/{model}/tokenizer.json",
        tokens=tokens_of,
        sae="results/sae/{model}/{site}/{run}/sae_weights.safetensors",
        contexts="results/evaluation/{model}/{site}/{run}/contexts.json",
        code=code_of("pin_context_latents"),
    output:
        interventions="results/analysis/{model}/{site}/{run}/interventions.json",
    log:
        "results/logs/pin_context_latents/{model}_{site}_{run}.log",
    benchmark:
        "results/benchmarks/pin_context_latents/{model}_{site}_{run}.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: config["threads"]["evaluation"]
    resources:
        mem_mb=3000,
    params:
        interventions=intervention_settings(),
        seed=config["seed"],
        device=device_of_model,
    message:
        "Pinning context latents of {wildcards.run} on {wildcards.model} at {wildcards.site}"
    script:
        "../scripts/pin_context_latents.py"


rule plot_analysis:
    """Draw the figures of what activations show."""
    input:
        results=outputs_analysis.results(PLAN),
        arrays=outputs_analysis.arrays(PLAN),
        code=code_of("plot_analysis"),
    output:
        svg=report(
            expand("results/figures/analysis/{figure}.svg", figure=ANALYSIS_FIGURES),
            category="Activations",
        ),
        png=expand("results/figures/analysis/{figure}.png", figure=ANALYSIS_FIGURES),
    log:
        "results/logs/plot_analysis/plot_analysis.log",
    benchmark:
        "results/benchmarks/plot_analysis/plot_analysis.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    message:
        "Drawing the figures of what activations show"
    script:
        "../scripts/plot_analysis.py"
