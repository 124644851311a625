"""Draw the graph of the rules: asked of Snakemake in a call of its own, which neither locks nor runs anything."""

import subprocess
import sys

from scripts.monosem.core import artefacts, job


def main(configfiles: list[str], replace: bool, path_to_graph: str) -> None:
    """`configfiles` and `replace` repeat the run's command line, so that the graph is that of its configuration."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js", "--nolock", "--quiet", "all"]
    if configfiles:
        command += ["--configfile", *configfiles]
    if replace:
        command += ["--replace-workflow-config"]
    graph = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    if "-->" not in graph:
        raise RuntimeError("Snakemake printed no rule graph; its messages are above")
    artefacts.write_text(graph, path_to_graph)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(snakemake.params.configfiles, snakemake.params.replace, snakemake.output.graph)
