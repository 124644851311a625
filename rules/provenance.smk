"""Records of the run itself: its environment, and the graph of its rules."""


rule record_environment:
    """Check the environment against the lock and write down versions, machine and commit."""
    input:
        lock=local("envs/requirements.lock"),
    output:
        environment="results/environment.json",
    log: "results/logs/record_environment/record_environment.log"
    benchmark: "results/benchmarks/record_environment/record_environment.tsv"
    priority: 100  # first: a missing package or too little disk stops the run before it has begun
    params:
        device=config["device"],
        threads=config["threads"],
        disk_need_bytes=plan.disk_need_bytes(config, PLAN),
    script: "../scripts/record_environment.py"


rule draw_rulegraph:
    """Draw the rules of this workflow as Mermaid text."""
    input:
        rules=local(["Snakefile", *map(str, sorted(Path("rules").glob("*.smk")))]),
    output:
        graph="results/rulegraph.mmd",
    log: "results/logs/draw_rulegraph/draw_rulegraph.log"
    benchmark: "results/benchmarks/draw_rulegraph/draw_rulegraph.tsv"
    params:
        configfiles=[os.path.relpath(path) for path in workflow.config_settings.configfiles],
        replace=workflow.config_settings.replace_workflow_config,
        config=list(workflow.config_settings.config_args or []),
    script: "../scripts/draw_rulegraph.py"
