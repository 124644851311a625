"""Language models as Hugging Face folders: trained here, shuffled as a control, or pretrained and linked."""

MADE = {**model_files("{model}"), "summary": "results/models/{model}/training.json"}


rule unpack_language_model:
    """Read a language model that comes with the checkout, and score it on held-out text."""
    input:
        tokens=tokens_of,
        tokenizer=f"results/data/{CORPUS}/tokenizer/tokenizer.json",
        tokenizer_config=f"results/data/{CORPUS}/tokenizer/tokenizer_config.json",
    output:
        **MADE,
        curve="results/models/{model}/training.jsonl",
    log: "results/logs/unpack_language_model/{model}.log"
    benchmark: "results/benchmarks/unpack_language_model/{model}.tsv"
    wildcard_constraints:
        model=one_of(SHIPPED.models),
    priority: 1  # everything else waits for it
    params:
        shipped=shipped_model,
    script: "../scripts/unpack_language_model.py"


rule train_language_model:
    """Train a small GPT-2 on the train split and score it on held-out text."""
    input:
        tokens=tokens_of,
        tokenizer=f"results/data/{CORPUS}/tokenizer/tokenizer.json",
        tokenizer_config=f"results/data/{CORPUS}/tokenizer/tokenizer_config.json",
    output:
        **MADE,
        curve="results/models/{model}/training.jsonl",
    log: "results/logs/train_language_model/{model}.log"
    benchmark: "results/benchmarks/train_language_model/{model}.tsv"
    wildcard_constraints:
        model=one_of(set(PLAN.of_kind("train")) - set(SHIPPED.models)),
    priority: 1  # everything else waits for it
    threads: config["threads"]["language_models"]
    resources:
        **estimated("train_language_model"),
    params:
        train=lookup("models/{model}/train", within=config),
        seed=config["seed"],
        device=config["device"],
    script: "../scripts/train_language_model.py"


rule shuffle_language_model:
    """Permute the entries of every weight matrix of a trained model: the control that must fail."""
    input:
        unpack(source_model),
        tokens=tokens_of,
    output:
        **MADE,
    log: "results/logs/shuffle_language_model/{model}.log"
    benchmark: "results/benchmarks/shuffle_language_model/{model}.tsv"
    wildcard_constraints:
        model=one_of(PLAN.of_kind("shuffle")),
    threads: config["threads"]["language_models"]
    resources:
        **estimated("shuffle_language_model"),
    params:
        shuffle=lookup("models/{model}/shuffle", within=config),
    script: "../scripts/shuffle_language_model.py"


rule link_language_model:
    """Link a pretrained model of this machine into the results."""
    output:
        **MADE,
    log: "results/logs/link_language_model/{model}.log"
    benchmark: "results/benchmarks/link_language_model/{model}.tsv"
    wildcard_constraints:
        model=one_of(PLAN.of_kind("pretrained")),
    params:
        pretrained=pretrained_model,
        contents=pretrained_model_contents,
    script: "../scripts/link_language_model.py"
