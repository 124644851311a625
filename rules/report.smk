"""Figures, notebooks, claims and the compiled report. Nothing here trains; only notebooks load torch."""

PAGE = {"template": "paper/browser/page.html", "style": "paper/browser/style.css", "entry": "paper/browser/ui/main.js"}
ROLES = roles.roles(config, PLAN.language_model)
BROWSED = outputs_browser.browsed(config, PLAN)
NOTEBOOKS = outputs.notebooks(config)
HEADLINE_SITE = "results/evaluation/{model}/{site}".format_map(ROLES)
HEADLINE_RUN = "results/evaluation/{model}/{site}/{run}".format_map(ROLES)


rule plot_models:
    """Draw the figures of the language models."""
    input:
        curves=outputs.curves(PLAN),
        trainings=outputs.trainings(PLAN),
    output:
        **drawn("results/figures/models", outputs.FIGURES["models"], "Language models"),
    log: "results/logs/plot_models/plot_models.log"
    benchmark: "results/benchmarks/plot_models/plot_models.tsv"
    params:
        headline=outputs.headline(config),
    script: "../scripts/plot_models.py"


rule plot_fidelity:
    """Draw the figures of the autoencoders' fidelity."""
    input:
        results=outputs.fidelities(PLAN),
        densities=f"{HEADLINE_SITE}/densities.npz",
        norms=outputs.norms(config, PLAN),
        curves=outputs.sae_curves(config, PLAN),
    output:
        **drawn("results/figures/fidelity", outputs.FIGURES["fidelity"], "Fidelity"),
    log: "results/logs/plot_fidelity/plot_fidelity.log"
    benchmark: "results/benchmarks/plot_fidelity/plot_fidelity.tsv"
    params:
        headline=outputs.headline(config),
        deep=PLAN.language_model,
    script: "../scripts/plot_fidelity.py"


rule plot_sweeps:
    """Draw the figures of runs that differ in one thing and in their seed."""
    input:
        fidelity=f"{HEADLINE_SITE}/fidelity.json",
        curves=outputs.sae_curves(config, PLAN),
    output:
        **drawn("results/figures/sweeps", outputs.FIGURES["sweeps"], "Fidelity"),
    log: "results/logs/plot_sweeps/plot_sweeps.log"
    benchmark: "results/benchmarks/plot_sweeps/plot_sweeps.tsv"
    script: "../scripts/plot_sweeps.py"


rule plot_interpretation:
    """Draw the figures of single latents and neurons."""
    input:
        units=outputs.interpreted(config, PLAN, "interpretation.json"),
        contexts=f"{HEADLINE_RUN}/contexts.json",
        histograms=f"{HEADLINE_RUN}/contexts.npz",
        scores=outputs.scored(config, PLAN, "scores.json"),
        units_scored=outputs.scored(config, PLAN, "scores.npz"),
        cases=outputs.cases(config),
    output:
        **drawn("results/figures/interpretation", outputs.FIGURES["interpretation"], "Latents and neurons"),
    log: "results/logs/plot_interpretation/plot_interpretation.log"
    benchmark: "results/benchmarks/plot_interpretation/plot_interpretation.tsv"
    params:
        control=outputs.control(config),
    script: "../scripts/plot_interpretation.py"


rule show_features:
    """Draw the pages of single latents and write them as HTML."""
    input:
        features=outputs_features.results(config, PLAN, "features.json"),
        arrays=outputs_features.results(config, PLAN, "features.npz"),
        template=local("paper/feature.html.j2"),
        style=local("paper/report.css"),
    output:
        html=outputs_features.files(config, PLAN, ".html"),
        **drawn(outputs_features.FOLDER, outputs_features.pages(config, PLAN), "Latents and neurons"),
    log: "results/logs/show_features/show_features.log"
    benchmark: "results/benchmarks/show_features/show_features.tsv"
    params:
        browsed=[(each.model, each.site, each.run) for each in BROWSED],
    script: "../scripts/show_features.py"


rule run_notebook:
    """Execute a notebook on results; if it fails, the notebook as far as it got is beside the log."""
    input:
        results=lookup("{notebook}/results", within=NOTEBOOKS),
    output:
        notebook="results/notebooks/{notebook}.ipynb",
        html=report("results/notebooks/{notebook}.html", category="Notebooks", labels={"notebook": "{notebook}"}),
    log:
        text="results/logs/run_notebook/{notebook}.log",
        notebook="results/logs/run_notebook/{notebook}.ipynb",
    benchmark: "results/benchmarks/run_notebook/{notebook}.tsv"
    wildcard_constraints:
        notebook=one_of(NOTEBOOKS),
    params:
        source="paper/notebooks/{notebook}.py",
        template=contents.digest(["paper/unit_cards.html.j2"]),
        source_code=lambda wildcards: code_of(f"paper/notebooks/{wildcards.notebook}.py"),
        parameters=lookup("{notebook}/parameters", within=NOTEBOOKS),
    script: "../scripts/run_notebook.py"


rule build_browser:
    """Build the feature browser: a page that runs the small models and their autoencoders."""
    input:
        models=[f"results/models/{each.model}/config.json" for each in BROWSED],
        tokens=[tokens_of_model(each.model)[0] for each in BROWSED],
        saes=[sae_files_of(each.model, each.site, each.run)[0] for each in BROWSED],
        read=[each.read for each in BROWSED],
        explanations=explanations_browsed(BROWSED, "explanations.json"),
        scores=explanations_browsed(BROWSED, "scores.json"),
        prompts=prompts_browsed(BROWSED),
        features=features_browsed(BROWSED),
        beside=beside_browsed(BROWSED),
    output:
        page=report(outputs_browser.PAGE, category="Report", labels={"page": "Feature browser"}),
        data=outputs_browser.data_files(config, PLAN),
    log: "results/logs/build_browser/build_browser.log"
    benchmark: "results/benchmarks/build_browser/build_browser.tsv"
    resources:
        **estimated("build_browser"),
    params:
        **PAGE,
        contents=contents.digest([*PAGE.values(), *sorted(Path("paper/browser").glob("*/*.js"))], root="."),
        tokens=config["browser"]["tokens"],
        seed=config["seed"],
    script: "../scripts/build_browser.py"


rule collect_metrics:
    """Collect every number of the run in one flat table."""
    input:
        results=outputs.results(config, PLAN),
    output:
        metrics="results/metrics.json",
    log: "results/logs/collect_metrics/collect_metrics.log"
    benchmark: "results/benchmarks/collect_metrics/collect_metrics.tsv"
    script: "../scripts/collect_metrics.py"


rule check_claims:
    """Judge the published claims by their acceptance rules, controls included."""
    input:
        metrics="results/metrics.json",
    output:
        claims="results/claims.json",
    log: "results/logs/check_claims/check_claims.log"
    benchmark: "results/benchmarks/check_claims/check_claims.tsv"
    params:
        roles=ROLES,
        stand_ins=outputs.stand_ins(PLAN),
    script: "../scripts/check_claims.py"


rule verify_run:
    """Compare numbers and verdicts with those of the reference run."""
    input:
        metrics="results/metrics.json",
        claims="results/claims.json",
        environment="results/environment.json",
    output:
        agreement=outputs.AGREEMENT,
    log: "results/logs/verify_run/verify_run.log"
    benchmark: "results/benchmarks/verify_run/verify_run.tsv"
    params:
        reference=outputs.REFERENCE,
        contents=contents.digest([outputs.REFERENCE]),
        configuration=sha256_json({key: value for key, value in config.items() if key not in ("device", "threads")}),
    script: "../scripts/verify_run.py"


rule compile_report:
    """Fill the report's template: strict about missing values, figures and numbers typed by hand."""
    input:
        template=local("paper/report.md.j2"),
        parts=local(["paper/toy.md.j2", "paper/dictionaries.md.j2", "paper/language_model.md.j2"]),
        style=local("paper/report.css"),
        metrics="results/metrics.json",
        claims="results/claims.json",
        agreement=outputs.AGREEMENT,
        rulegraph="results/rulegraph.mmd",
        environment="results/environment.json",
        corpus=outputs.corpus_manifest(config),
        toys=TOY_RESULTS,
        trainings=outputs.trainings(PLAN),
        fidelities=outputs.fidelities(PLAN),
        interpretation=f"{HEADLINE_RUN}/interpretation.json",
        contexts=f"{HEADLINE_RUN}/contexts.json",
        cases=outputs.cases(config),
        scores=outputs.scored(config, PLAN, "scores.json"),
        features=outputs_features.files(config, PLAN, ".html"),
        analyses=outputs_analysis.results(PLAN),
        dictionaries=list(DICTIONARIES.values()),
        figures=[
            *svg_files("results/figures/toy", TOY_FIGURES),
            *svg_files("results/figures/dictionaries", DICTIONARY_FIGURES),
            *svg_files("results/figures/analysis", ANALYSIS_FIGURES),
            *(path for family in outputs.families(config, PLAN) for path in outputs.figures(family, ".svg")),
        ],
        notebooks=expand("results/notebooks/{notebook}.html", notebook=NOTEBOOKS),
    output:
        markdown="results/report.md",
        html=report("results/report.html", category="Report", labels={"page": "The report"}),
    log: "results/logs/compile_report/compile_report.log"
    benchmark: "results/benchmarks/compile_report/compile_report.tsv"
    params:
        roles=ROLES,
        settings=outputs.settings(config, PLAN),
    script: "../scripts/compile_report.py"
