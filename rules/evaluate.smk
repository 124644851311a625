"""Autoencoders on held-out text: how faithful they are, and what their latents are about."""


rule evaluate_fidelity:
    """Score all autoencoders of one site beside ablations and baselines at equal L0."""
    input:
        **MODEL,
        tokens=tokens_of,
        **ACTIVATIONS,
        saes=saes_of_site,
        neighbour=neighbour_of_site,
        twin=twin_of_site,
    output:
        fidelity="results/evaluation/{model}/{site}/fidelity.json",
        densities="results/evaluation/{model}/{site}/densities.npz",
        norms="results/evaluation/{model}/{site}/norms.npz",
    log: "results/logs/evaluate_fidelity/{model}_{site}.log"
    benchmark: "results/benchmarks/evaluate_fidelity/{model}_{site}.tsv"
    threads: config["threads"]["evaluation"]
    resources:
        **estimated("evaluate_fidelity"),
    params:
        evaluation=evaluation_settings,
        seed=config["seed"],
        device=device_of_model,
    script: "../scripts/evaluate_fidelity.py"


rule encode_text:
    """Encode held-out text once, for everything that compares latents; others ask for `codes.npz` as an input."""
    input:
        **MODEL,
        tokens=tokens_of,
        sae=sae_files,
    output:
        codes=CODES,
    log: "results/logs/encode_text/{model}_{site}_{run}.log"
    benchmark: "results/benchmarks/encode_text/{model}_{site}_{run}.tsv"
    threads: config["threads"]["evaluation"]
    resources:
        **estimated("encode_text"),
    params:
        tokens=interpreted_tokens,
        seed=config["seed"],
        device=device_of_model,
    script: "../scripts/encode_text.py"


rule score_units:
    """Score latents beside neurons, rotated neurons, random directions and the permuted model's latents."""
    input:
        **MODEL,
        tokens=tokens_of,
        sae=sae_files,
        codes=CODES,
        control_model=control_model_of_scores,
        control_sae=control_sae_of_scores,
        control_codes=control_codes_of_scores,
        judge=judge_of_scores,
    output:
        scores="results/evaluation/{model}/{site}/{run}/scores.json",
        explanations="results/evaluation/{model}/{site}/{run}/explanations.json",
        arrays="results/evaluation/{model}/{site}/{run}/scores.npz",
    log: "results/logs/score_units/{model}_{site}_{run}.log"
    benchmark: "results/benchmarks/score_units/{model}_{site}_{run}.tsv"
    threads: 1
    resources:
        **estimated("score_units"),
    params:
        scores=score_settings(),
        judge_site=judge_site,
        seed=config["seed"],
        device=device_of_model,
    script: "../scripts/score_units.py"


rule study_contexts:
    """Hold the best latent of every natural and planted context against neurons, controls and the token alone."""
    input:
        **MODEL,
        tokens=tokens_of,
        sae=sae_files,
        control_model=control_model_of_cases,
        control_sae=control_sae_of_cases,
    output:
        cases="results/evaluation/{model}/{site}/{run}/cases.json",
    log: "results/logs/study_contexts/{model}_{site}_{run}.log"
    benchmark: "results/benchmarks/study_contexts/{model}_{site}_{run}.tsv"
    threads: config["threads"]["evaluation"]
    resources:
        **estimated("study_contexts"),
    params:
        tokens=tokens_of_cases,
        bootstrap=config["evaluation"]["bootstrap"],
        seed=config["seed"],
        device=device_of_model,
    script: "../scripts/study_contexts.py"


rule interpret_latents:
    """Look at random latents and neurons, and find those that detect the planted contexts."""
    input:
        **MODEL,
        tokens=tokens_of,
        sae=sae_files,
    output:
        interpretation="results/evaluation/{model}/{site}/{run}/interpretation.json",
        contexts="results/evaluation/{model}/{site}/{run}/contexts.json",
        histograms="results/evaluation/{model}/{site}/{run}/contexts.npz",
    log: "results/logs/interpret_latents/{model}_{site}_{run}.log"
    benchmark: "results/benchmarks/interpret_latents/{model}_{site}_{run}.tsv"
    threads: config["threads"]["evaluation"]
    resources:
        **estimated("interpret_latents"),
    params:
        interpretation=interpretation_settings,
        seed=config["seed"],
        device=device_of_model,
    script: "../scripts/interpret_latents.py"


rule describe_features:
    """Collect what the pages of single latents show: examples, ablation, samples, histograms, the best neuron."""
    input:
        **MODEL,
        tokens=tokens_of,
        sae=sae_files,
        codes=CODES,
        contexts=contexts_of_features,
        cases=cases_of_features,
    output:
        features="results/evaluation/{model}/{site}/{run}/features.json",
        arrays="results/evaluation/{model}/{site}/{run}/features.npz",
    log: "results/logs/describe_features/{model}_{site}_{run}.log"
    benchmark: "results/benchmarks/describe_features/{model}_{site}_{run}.tsv"
    threads: 1
    resources:
        **estimated("describe_features"),
    params:
        named=named_latents,
        seed=config["seed"],
        device=device_of_model,
    script: "../scripts/describe_features.py"
