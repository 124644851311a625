"""What a reader sees: figures, notebooks, claims and the compiled report. Nothing here trains; only notebooks load torch."""

ROLES = roles.roles(config, PLAN.gpt2)
NOTEBOOKS = outputs.notebooks(config)


rule plot_models:
    """Draw the figures of the language models."""
    input:
        curves=outputs.curves(PLAN),
        trainings=outputs.trainings(PLAN),
        code=code_of("plot_models"),
    output:
        svg=report(outputs.figures("models", ".svg"), category="Language models"),
        png=outputs.figures("models", ".png"),
    log:
        "results/logs/plot_models/plot_models.log",
    benchmark:
        "results/benchmarks/plot_models/plot_models.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        headline=outputs.headline(config),
    message:
        "Drawing the figures of the language models"
    script:
        "../scripts/plot_models.py"


rule plot_fidelity:
    """Draw the figures of the autoencoders' fidelity."""
    input:
        results=outputs.fidelities(PLAN),
        densities="results/evaluation/{model}/{site}/densities.npz".format_map(ROLES),
        curves=outputs.sae_curves(config, PLAN),
        code=code_of("plot_fidelity"),
    output:
        svg=report(outputs.figures("fidelity", ".svg"), category="Fidelity"),
        png=outputs.figures("fidelity", ".png"),
    log:
        "results/logs/plot_fidelity/plot_fidelity.log",
    benchmark:
        "results/benchmarks/plot_fidelity/plot_fidelity.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        headline=outputs.headline(config),
        deep=PLAN.gpt2,
    message:
        "Drawing the figures of fidelity"
    script:
        "../scripts/plot_fidelity.py"


rule plot_sweeps:
    """Draw the figures of runs that differ in one thing and in their seed."""
    input:
        fidelity="results/evaluation/{model}/{site}/fidelity.json".format_map(ROLES),
        curves=outputs.sae_curves(config, PLAN),
        code=code_of("plot_sweeps"),
    output:
        svg=report(outputs.figures("sweeps", ".svg"), category="Fidelity"),
        png=outputs.figures("sweeps", ".png"),
    log:
        "results/logs/plot_sweeps/plot_sweeps.log",
    benchmark:
        "results/benchmarks/plot_sweeps/plot_sweeps.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    message:
        "Drawing the figures of the sweeps"
    script:
        "../scripts/plot_sweeps.py"


rule plot_interpretation:
    """Draw the figures of single latents and neurons."""
    input:
        units=outputs.interpreted(config, PLAN, "interpretation.json"),
        contexts="results/evaluation/{model}/{site}/{run}/contexts.json".format_map(
            ROLES
        ),
        histograms="results/evaluation/{model}/{site}/{run}/contexts.npz".format_map(
            ROLES
        ),
        code=code_of("plot_interpretation"),
    output:
        svg=report(
            outputs.figures("interpretation", ".svg"),
            category="Latents and neurons",
        ),
        png=outputs.figures("interpretation", ".png"),
    log:
        "results/logs/plot_interpretation/plot_interpretation.log",
    benchmark:
        "results/benchmarks/plot_interpretation/plot_interpretation.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        control=outputs.control(config),
    message:
        "Drawing the figures of latents and neurons"
    script:
        "../scripts/plot_interpretation.py"


rule run_notebook:
    """Execute a notebook on results; if it fails, the notebook as far as it got lies beside the log."""
    input:
        source="paper/notebooks/{notebook}.py",
        results=lookup("{notebook}/results", within=NOTEBOOKS),
        code=code_of("run_notebook"),
        library=lookup("{notebook}/code", within=NOTEBOOKS),
    output:
        notebook="results/notebooks/{notebook}.ipynb",
        html=report("results/notebooks/{notebook}.html", category="Notebooks"),
    log:
        text="results/logs/run_notebook/{notebook}.log",
        notebook="results/logs/run_notebook/{notebook}.ipynb",
    benchmark:
        "results/benchmarks/run_notebook/{notebook}.tsv"
    wildcard_constraints:
        notebook=one_of(NOTEBOOKS),
    conda:
        "../envs/monosem.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        parameters=lookup("{notebook}/parameters", within=NOTEBOOKS),
    message:
        "Running the notebook {wildcards.notebook}"
    script:
        "../scripts/run_notebook.py"


rule collect_metrics:
    """Gather every number of the run in one flat table."""
    input:
        results=outputs.results(config, PLAN),
        code=code_of("collect_metrics"),
    output:
        metrics="results/metrics.json",
    log:
        "results/logs/collect_metrics/collect_metrics.log",
    benchmark:
        "results/benchmarks/collect_metrics/collect_metrics.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: 1
    resources:
        mem_mb=500,
    message:
        "Collecting the numbers of the run"
    script:
        "../scripts/collect_metrics.py"


rule check_claims:
    """Judge the published claims by their acceptance rules, controls included."""
    input:
        metrics="results/metrics.json",
        claims="paper/claims.yaml",
        code=code_of("check_claims"),
    output:
        claims="results/claims.json",
    log:
        "results/logs/check_claims/check_claims.log",
    benchmark:
        "results/benchmarks/check_claims/check_claims.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        roles=ROLES,
    message:
        "Checking the published claims"
    script:
        "../scripts/check_claims.py"


rule compile_report:
    """Fill the report's template: strict about missing values, figures and numbers typed by hand."""
    input:
        template="paper/report.md.j2",
        parts=["paper/toy.md.j2", "paper/gpt2.md.j2"],
        style="paper/report.css",
        metrics="results/metrics.json",
        claims="results/claims.json",
        rulegraph="results/rulegraph.mmd",
        environment="results/environment.json",
        corpus=outputs.corpus_manifest(config),
        toys=TOY_RESULTS,
        trainings=outputs.trainings(PLAN),
        fidelities=outputs.fidelities(PLAN),
        interpretation="results/evaluation/{model}/{site}/{run}/interpretation.json".format_map(
            ROLES
        ),
        contexts="results/evaluation/{model}/{site}/{run}/contexts.json".format_map(
            ROLES
        ),
        analyses=outputs_analysis.results(PLAN),
        figures=[
            *expand("results/figures/toy/{figure}.svg", figure=TOY_FIGURES),
            *expand("results/figures/analysis/{figure}.svg", figure=ANALYSIS_FIGURES),
            *(
                path
                for family in outputs.families(config, PLAN)
                for path in outputs.figures(family, ".svg")
            ),
        ],
        notebooks=expand("results/notebooks/{notebook}.html", notebook=NOTEBOOKS),
        code=code_of("compile_report"),
    output:
        markdown="results/report.md",
        html=report("results/report.html", category="Report"),
    log:
        "results/logs/compile_report/compile_report.log",
    benchmark:
        "results/benchmarks/compile_report/compile_report.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        roles=ROLES,
        settings=outputs.settings(config, PLAN),
    message:
        "Compiling the report"
    script:
        "../scripts/compile_report.py"
