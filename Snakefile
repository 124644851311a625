"""monosem: a reproduction of Towards Monosemanticity (Bricken et al. 2023), from text to a compiled report.

results/data/{corpus}/…                                 documents, labels, tokens
results/toy/{experiment}/…                              toy models of superposition
results/models/{model}/                                 language models as Hugging Face folders
results/activations/{model}/{site}/                     rows, their positions, and their manifest
results/sae/{model}/{site}/{run}/                       sparse autoencoders in SAELens' format
results/evaluation/{model}/{site}/{run}/{what}.json     fidelity (one per site), latents, contexts
results/analysis/{model}/…                              tokens, similarity, layers
results/interventions/{intervention}/                   latents and neurons pinned, as interventions.named asks
results/figures/{chapter}/{figure}.svg and .png
results/notebooks/{notebook}.ipynb and .html
results/metrics.json, claims.json, report.md, report.html; toy.md, toy.html (`snakemake toy`)
results/logs/{rule}/… and results/benchmarks/{rule}/…

Data flows one way: text → tokens → model → activations → autoencoder → evaluation → figures → report.
"""

import os
import sys

from snakemake.utils import min_version

from scripts.monosem.core import places, session

min_version("9.19")
SNAKEMAKE, RESULTS = Path(".snakemake"), Path("results")

if workflow.is_main_process:
    try:
        places.require_checkout(Path(workflow.basedir), Path.cwd())
        places.require_writable([SNAKEMAKE, RESULTS])
        sys.executable = places.shell_word(sys.executable, Path.cwd())
    except places.Unusable as error:
        sys.exit(str(error))


# One configuration in four files; `--configfile mine.yaml` is put over all of them.
configfile: "config.yaml"
configfile: "config/toy.yaml"
configfile: "config/frontier.yaml"
configfile: "config/interventions.yaml"


include: "rules/common.smk"
include: "rules/provenance.smk"
include: "rules/data.smk"
include: "rules/toy.smk"
include: "rules/model.smk"
include: "rules/activations.smk"
include: "rules/sae.smk"
include: "rules/evaluate.smk"
include: "rules/dictionaries.smk"
include: "rules/analysis.smk"
include: "rules/interventions.smk"
include: "rules/report.smk"
include: "rules/defaults.smk"


localrules:
    all,
    record_environment,
    draw_rulegraph,
    collect_metrics,
    check_claims,
    verify_run,
    compile_report,
    toy,
    compile_toy_report,


rule all:
    """Everything, down to the report."""
    default_target: True
    input:
        final_outputs(),


rule toy:
    """Chapter 1 alone, as a page of its own."""
    input:
        "results/toy.html",


onstart:
    from scripts.monosem.workflow.estimates import prediction

    prediction.begin(workflow, config, PLAN)


onsuccess:
    from scripts.monosem.workflow.estimates import prediction

    print(timing.table(RESULTS), file=sys.stderr)
    prediction.end(workflow, RESULTS)
