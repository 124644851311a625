"""Text in, labelled token shards out."""


rule build_corpus:
    """Collect text, split it by document, add planted documents with labels."""
    output:
        documents="results/data/{corpus}/documents.jsonl",
        manifest="results/data/{corpus}/manifest.json",
    log: "results/logs/build_corpus/{corpus}.log"
    benchmark: "results/benchmarks/build_corpus/{corpus}.tsv"
    priority: 1  # everything else waits for it
    threads: 1
    resources:
        **estimated("build_corpus"),
    params:
        corpus=config["corpus"],
        contents=corpus_contents,
        shipped=shipped_text(),
        seed=config["seed"],
    script: "../scripts/build_corpus.py"


rule unpack_tokenizer:
    """Read the tokenizer of the models that come with the checkout."""
    output:
        tokenizer="results/data/{corpus}/tokenizer/tokenizer.json",
        config="results/data/{corpus}/tokenizer/tokenizer_config.json",
    log: "results/logs/unpack_tokenizer/{corpus}.log"
    benchmark: "results/benchmarks/unpack_tokenizer/{corpus}.tsv"
    wildcard_constraints:
        corpus=one_of([CORPUS] if SHIPPED.folder else []),
    params:
        shipped=shipped_text(),
    script: "../scripts/unpack_tokenizer.py"


rule train_tokenizer:
    """Train a byte-level BPE on the train split."""
    input:
        documents="results/data/{corpus}/documents.jsonl",
    output:
        tokenizer="results/data/{corpus}/tokenizer/tokenizer.json",
        config="results/data/{corpus}/tokenizer/tokenizer_config.json",
    log: "results/logs/train_tokenizer/{corpus}.log"
    benchmark: "results/benchmarks/train_tokenizer/{corpus}.tsv"
    wildcard_constraints:
        corpus=one_of([] if SHIPPED.folder else [CORPUS]),
    priority: 1  # everything else waits for it
    threads: 1
    resources:
        **estimated("train_tokenizer"),
    params:
        tokenizer=config["tokenizer"],
    script: "../scripts/train_tokenizer.py"


rule tokenize_corpus:
    """Encode every document with one tokenizer into shards with labels and document boundaries."""
    input:
        unpack(tokenizer_of),
        documents="results/data/{corpus}/documents.jsonl",
    output:
        manifest="results/data/{corpus}/tokens/{tokenizer}/manifest.json",
        files=expand("results/data/{{corpus}}/tokens/{{tokenizer}}/{name}", name=TOKEN_SHARDS),
    log: "results/logs/tokenize_corpus/{corpus}_{tokenizer}.log"
    benchmark: "results/benchmarks/tokenize_corpus/{corpus}_{tokenizer}.tsv"
    priority: 1  # everything else waits for it
    threads: 1
    resources:
        **estimated("tokenize_corpus"),
    script: "../scripts/tokenize_corpus.py"
