"""Language models as Hugging Face folders: trained here, shuffled as a control, or pretrained and found here."""


rule train_language_model:
    """Train a small GPT-2 on the train split and score it on held-out text."""
    input:
        tokens=tokens_of,
        tokenizer=f"results/data/{CORPUS}/tokenizer/tokenizer.json",
        tokenizer_config=f"results/data/{CORPUS}/tokenizer/tokenizer_config.json",
        code=code_of("train_language_model"),
    output:
        config="results/models/{model}/config.json",
        weights="results/models/{model}/model.safetensors",
        tokenizer="results/models/{model}/tokenizer.json",
        tokenizer_config="results/models/{model}/tokenizer_config.json",
        summary="results/models/{model}/training.json",
        curve="results/models/{model}/training.jsonl",
    log:
        "results/logs/train_language_model/{model}.log",
    benchmark:
        "results/benchmarks/train_language_model/{model}.tsv"
    wildcard_constraints:
        model=one_of(PLAN.of_kind("train")),
    priority: 1  # everything else waits for it
    conda:
        "../envs/monosem.yaml"
    threads: config["threads"]["language_models"]
    resources:
        mem_mb=2500,
    params:
        train=lookup("models/{model}/train", within=config),
        seed=config["seed"],
        device=config["device"],
    message:
        "Training the language model {wildcards.model}"
    script:
        "../scripts/train_language_model.py"


rule shuffle_language_model:
    """Permute the entries of every weight matrix of a trained model: the control that must fail."""
    input:
        unpack(source_model),
        tokens=tokens_of,
        code=code_of("shuffle_language_model"),
    output:
        config="results/models/{model}/config.json",
        weights="results/models/{model}/model.safetensors",
        tokenizer="results/models/{model}/tokenizer.json",
        tokenizer_config="results/models/{model}/tokenizer_config.json",
        summary="results/models/{model}/training.json",
    log:
        "results/logs/shuffle_language_model/{model}.log",
    benchmark:
        "results/benchmarks/shuffle_language_model/{model}.tsv"
    wildcard_constraints:
        model=one_of(PLAN.of_kind("shuffle")),
    conda:
        "../envs/monosem.yaml"
    threads: config["threads"]["language_models"]
    resources:
        mem_mb=2500,
    params:
        shuffle=lookup("models/{model}/shuffle", within=config),
    message:
        "Shuffling weights into {wildcards.model}"
    script:
        "../scripts/shuffle_language_model.py"


rule link_language_model:
    """Bring a pretrained model that lies on this machine into the results, as a link."""
    input:
        code=code_of("link_language_model"),
    output:
        config="results/models/{model}/config.json",
        weights="results/models/{model}/model.safetensors",
        tokenizer="results/models/{model}/tokenizer.json",
        tokenizer_config="results/models/{model}/tokenizer_config.json",
        summary="results/models/{model}/training.json",
    log:
        "results/logs/link_language_model/{model}.log",
    benchmark:
        "results/benchmarks/link_language_model/{model}.tsv"
    wildcard_constraints:
        model=one_of(PLAN.of_kind("pretrained")),
    conda:
        "../envs/monosem.yaml"
    threads: 1
    resources:
        mem_mb=2500,
    params:
        pretrained=pretrained_model,
    message:
        "Linking the pretrained model {wildcards.model}"
    script:
        "../scripts/link_language_model.py"
