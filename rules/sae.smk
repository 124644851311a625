"""Sparse autoencoders, trained or pretrained: one job per run, so that changing one run retrains that one."""


rule train_sae:
    """Train one sparse autoencoder on stored activations."""
    input:
        **ACTIVATIONS,
    output:
        weights=SAE,
        cfg="results/sae/{model}/{site}/{run}/cfg.json",
        curve="results/sae/{model}/{site}/{run}/training.jsonl",
        summary="results/sae/{model}/{site}/{run}/training.json",
    log: "results/logs/train_sae/{model}_{site}_{run}.log"
    benchmark: "results/benchmarks/train_sae/{model}_{site}_{run}.tsv"
    wildcard_constraints:
        run=one_of(runs_trained(here=True)),
    threads: sae_threads
    resources:
        **estimated("train_sae"),
    params:
        train=sae_settings,
        seed=sae_seed,
        device=config["device"],
    script: "../scripts/train_sae.py"


rule import_sae:
    """Import a pretrained sparse autoencoder, folded so that it acts on raw activations."""
    input:
        model="results/models/{model}/model.safetensors",
        # its norm limit is the site's
        activations=ACTIVATIONS["activations"],
    output:
        weights=SAE,
        cfg="results/sae/{model}/{site}/{run}/cfg.json",
        summary="results/sae/{model}/{site}/{run}/training.json",
    log: "results/logs/import_sae/{model}_{site}_{run}.log"
    benchmark: "results/benchmarks/import_sae/{model}_{site}_{run}.tsv"
    wildcard_constraints:
        run=one_of(runs_trained(here=False)),
    resources:
        **estimated("import_sae"),
    params:
        pretrained=pretrained_sae,
        contents=pretrained_sae_contents,
        reading=activation_settings,
    script: "../scripts/import_sae.py"
