"""Activations of every site that an autoencoder is trained at."""


rule extract_activations:
    """Run a model up to one site over the train split and store what it computes there.

    Sites that config.yaml lists together are read in one pass, by the job of the first; the others' jobs take theirs.
    """
    input:
        **MODEL,
        tokens=tokens_of,
        reader=reading_pass,
    output:
        **ACTIVATIONS,
    log: "results/logs/extract_activations/{model}_{site}.log"
    benchmark: "results/benchmarks/extract_activations/{model}_{site}.tsv"
    threads: config["threads"]["activations"]
    resources:
        **estimated("extract_activations"),
    params:
        activations=activation_settings,
        together=sites_of_pass,
        seed=config["seed"],
        device=device_of_model,
    script: "../scripts/extract_activations.py"
