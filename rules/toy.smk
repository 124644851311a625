"""Toy models, where the features are known: superposition appears, and an autoencoder finds the features again."""

TOY = outputs_toy.experiments(config["toy"])
TOY_RESULTS = expand("results/toy/{experiment}/result.json", experiment=TOY)
TOY_FIGURES = outputs_toy.figure_names(config["toy"])


rule run_toy_experiment:
    """Train and grade the toy models of one experiment."""
    output:
        result="results/toy/{experiment}/result.json",
        arrays="results/toy/{experiment}/arrays.npz",
    log: "results/logs/run_toy_experiment/{experiment}.log"
    benchmark: "results/benchmarks/run_toy_experiment/{experiment}.tsv"
    wildcard_constraints:
        experiment=one_of(TOY),
    threads: config["threads"]["toy"]
    resources:
        **estimated("run_toy_experiment"),
    params:
        experiment_code=code_of_experiment,
        toy=toy_settings,
        seed=toy_seed,
        device=config["device"],
    script: "../scripts/run_toy_experiment.py"


rule plot_toy:
    """Draw the figures of the toy chapter."""
    input:
        results=TOY_RESULTS,
        arrays=expand("results/toy/{experiment}/arrays.npz", experiment=TOY),
    output:
        **drawn("results/figures/toy", TOY_FIGURES, "Toy models"),
    log: "results/logs/plot_toy/plot_toy.log"
    benchmark: "results/benchmarks/plot_toy/plot_toy.tsv"
    params:
        panels=code_of_toy_figures(TOY),
    script: "../scripts/plot_toy.py"


rule compile_toy_report:
    """Fill the toy chapter's template as a page of its own, with the verdicts on its claims."""
    input:
        template=local("paper/toy_alone.md.j2"),
        parts=local(["paper/toy.md.j2"]),
        style=local("paper/report.css"),
        results=TOY_RESULTS,
        figures=svg_files("results/figures/toy", TOY_FIGURES),
    output:
        markdown="results/toy.md",
        html="results/toy.html",
    log: "results/logs/compile_toy_report/compile_toy_report.log"
    benchmark: "results/benchmarks/compile_toy_report/compile_toy_report.tsv"
    params:
        roles=roles.toy_roles(config),
        settings={"toy": TOY},
    script: "../scripts/compile_toy_report.py"
