"""Autoencoders on held-out text: how faithful they are, and what their latents are about."""


rule evaluate_fidelity:
    """Score all autoencoders of one site beside ablations and baselines at equal L0."""
    input:
        model="results/models/{model}/config.json",
        weights="results/models/{model}/model.safetensors",
        tokens=tokens_of,
        activations="results/activations/{model}/{site}/manifest.json",
        saes=saes_of_site,
        control=control_of_site,
        neighbour=neighbour_of_site,
        code=code_of("evaluate_fidelity"),
    output:
        fidelity="results/evaluation/{model}/{site}/fidelity.json",
        densities="results/evaluation/{model}/{site}/densities.npz",
    log:
        "results/logs/evaluate_fidelity/{model}_{site}.log",
    benchmark:
        "results/benchmarks/evaluate_fidelity/{model}_{site}.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: config["threads"]["evaluation"]
    resources:
        mem_mb=3000,
    params:
        evaluation=evaluation_settings,
        seed=config["seed"],
        device=device_of_model,
    message:
        "Evaluating the autoencoders of {wildcards.model} at {wildcards.site}"
    script:
        "../scripts/evaluate_fidelity.py"


rule interpret_latents:
    """Look at random latents and neurons, and find those that know the planted contexts."""
    input:
        model="results/models/{model}/config.json",
        weights="results/models/{model}/model.safetensors",
        tokenizer="results/models/{model}/tokenizer.json",
        tokens=tokens_of,
        sae="results/sae/{model}/{site}/{run}/sae_weights.safetensors",
        code=code_of("interpret_latents"),
    output:
        interpretation="results/evaluation/{model}/{site}/{run}/interpretation.json",
        contexts="results/evaluation/{model}/{site}/{run}/contexts.json",
        histograms="results/evaluation/{model}/{site}/{run}/contexts.npz",
    log:
        "results/logs/interpret_latents/{model}_{site}_{run}.log",
    benchmark:
        "results/benchmarks/interpret_latents/{model}_{site}_{run}.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: config["threads"]["evaluation"]
    resources:
        mem_mb=3000,
    params:
        interpretation=interpretation_settings(),
        seed=config["seed"],
        device=device_of_model,
    message:
        "Interpreting latents of {wildcards.run} on {wildcards.model} at {wildcards.site}"
    script:
        "../scripts/interpret_latents.py"
