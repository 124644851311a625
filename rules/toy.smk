"""Toy models, where the features are known: superposition appears, and an autoencoder finds the features again."""


rule train_toy_superposition:
    """Train toy models across sparsities and watch superposition appear."""
    input:
        code=code_of("train_toy_superposition"),
    output:
        result="results/toy/superposition/result.json",
        weights="results/toy/superposition/weights.npz",
    log:
        "results/logs/train_toy_superposition/train_toy_superposition.log",
    benchmark:
        "results/benchmarks/train_toy_superposition/train_toy_superposition.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        toy=toy_settings("superposition"),
        seed=toy_seed("superposition"),
    message:
        "Training toy models of superposition"
    script:
        "../scripts/train_toy_superposition.py"


rule recover_toy_features:
    """Train an autoencoder on a toy model's hidden activations and match its features to the true ones."""
    input:
        code=code_of("recover_toy_features"),
    output:
        result="results/toy/recovery/result.json",
        cosines="results/toy/recovery/cosines.npz",
    log:
        "results/logs/recover_toy_features/recover_toy_features.log",
    benchmark:
        "results/benchmarks/recover_toy_features/recover_toy_features.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        toy=toy_settings("recovery"),
        seed=toy_seed("recovery"),
    message:
        "Recovering the features of a toy model"
    script:
        "../scripts/recover_toy_features.py"


rule plot_toy:
    """Draw the figures of the toy chapter."""
    input:
        superposition="results/toy/superposition/weights.npz",
        superposition_result="results/toy/superposition/result.json",
        recovery="results/toy/recovery/cosines.npz",
        recovery_result="results/toy/recovery/result.json",
        code=code_of("plot_toy"),
    output:
        svg=expand("results/figures/toy/{figure}.svg", figure=TOY_FIGURES),
        png=expand("results/figures/toy/{figure}.png", figure=TOY_FIGURES),
    log:
        "results/logs/plot_toy/plot_toy.log",
    benchmark:
        "results/benchmarks/plot_toy/plot_toy.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    message:
        "Drawing the figures of the toy chapter"
    script:
        "../scripts/plot_toy.py"
