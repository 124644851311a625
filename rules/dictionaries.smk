"""Whole dictionaries beside one another: two seeds, growing widths, and latents that lead to one another."""

DICTIONARIES = outputs_dictionaries.results(config)
DICTIONARY_FIGURES = outputs_dictionaries.figure_names(config)
DICTIONARY_ARRAYS = f"{outputs_dictionaries.folder(config)}/dictionaries.npz"


rule compare_dictionaries:
    """Match latents with those of another seed, follow them through wider dictionaries, and from token to token."""
    input:
        **place_of("model"),
        **place_of("second"),
        **place_of("control"),
        tokenizer=MODEL["tokenizer"].format_map(config["evaluation"]["headline"]),
        tokens=tokens_of_model(config["evaluation"]["headline"]["model"]),
        narrower=narrower_files(SAE),
        narrower_cfg=narrower_files(SAE_CFG),
        narrower_codes=narrower_files(CODES),
        contexts=outputs_dictionaries.contexts(config, PLAN),
    output:
        **DICTIONARIES,
        arrays=DICTIONARY_ARRAYS,
    log: "results/logs/compare_dictionaries/compare_dictionaries.log"
    benchmark: "results/benchmarks/compare_dictionaries/compare_dictionaries.tsv"
    threads: config["threads"]["evaluation"]
    resources:
        **estimated("compare_dictionaries"),
    params:
        parts=list(DICTIONARIES),
        tokens=config["dictionaries"]["tokens"],
        seed=config["seed"],
        device=plan.device_of(config, config["evaluation"]["headline"]["model"]),
    script: "../scripts/compare_dictionaries.py"


rule plot_dictionaries:
    """Draw the figures of universality, splitting and automata."""
    input:
        **DICTIONARIES,
        arrays=DICTIONARY_ARRAYS,
    output:
        **drawn("results/figures/dictionaries", DICTIONARY_FIGURES, "Dictionaries"),
    log: "results/logs/plot_dictionaries/plot_dictionaries.log"
    benchmark: "results/benchmarks/plot_dictionaries/plot_dictionaries.tsv"
    script: "../scripts/plot_dictionaries.py"
