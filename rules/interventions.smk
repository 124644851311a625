"""Interventions that the configuration names: any latent or neuron, any text; see interventions.named."""


rule pin_unit:
    """Pin one latent or neuron to several values while a model reads a text and continues a prompt."""
    input:
        unpack(pinned_model),
        sae=pinned_sae,
        code=code_of("pin_unit"),
    output:
        intervention="results/interventions/{intervention}/intervention.json",
    log:
        "results/logs/pin_unit/{intervention}.log",
    benchmark:
        "results/benchmarks/pin_unit/{intervention}.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: config["threads"]["evaluation"]
    resources:
        mem_mb=3000,
    params:
        intervention=named_intervention,
        seed=config["seed"],
        device=device_of_pinned,
    message:
        "Pinning the latent or neuron of {wildcards.intervention}"
    script:
        "../scripts/pin_unit.py"


rule show_intervention:
    """Draw an intervention and write it as a page."""
    input:
        intervention="results/interventions/{intervention}/intervention.json",
        code=code_of("show_intervention"),
    output:
        page="results/interventions/{intervention}/intervention.md",
        svg=report(
            [
                "results/interventions/{intervention}/dose-response.svg",
                "results/interventions/{intervention}/loss-by-token.svg",
            ],
            category="Interventions",
        ),
        png=[
            "results/interventions/{intervention}/dose-response.png",
            "results/interventions/{intervention}/loss-by-token.png",
        ],
    log:
        "results/logs/show_intervention/{intervention}.log",
    benchmark:
        "results/benchmarks/show_intervention/{intervention}.tsv"
    conda:
        "../envs/monosem.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    message:
        "Drawing the intervention {wildcards.intervention}"
    script:
        "../scripts/show_intervention.py"
