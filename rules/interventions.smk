"""Interventions that the configuration names: any latent or neuron, any text; see interventions.named."""


rule pin_unit:
    """Pin one latent or neuron to several values while a model reads a text and continues a prompt."""
    input:
        unpack(pinned_model),
        sae=pinned_sae,
    output:
        intervention="results/interventions/{intervention}/intervention.json",
    log: "results/logs/pin_unit/{intervention}.log"
    benchmark: "results/benchmarks/pin_unit/{intervention}.tsv"
    threads: config["threads"]["evaluation"]
    params:
        intervention=named_intervention,
        seed=config["seed"],
        device=device_of_pinned,
    script: "../scripts/pin_unit.py"


rule show_intervention:
    """Draw an intervention and write it as a page."""
    input:
        intervention="results/interventions/{intervention}/intervention.json",
    output:
        page="results/interventions/{intervention}/intervention.md",
        **drawn("results/interventions/{intervention}", ["dose-response", "loss-by-token"], "Interventions"),
    log: "results/logs/show_intervention/{intervention}.log"
    benchmark: "results/benchmarks/show_intervention/{intervention}.tsv"
    script: "../scripts/show_intervention.py"
