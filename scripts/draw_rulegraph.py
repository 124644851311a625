"""Draw the graph of the rules: Snakemake prints it in a call of its own, which neither locks nor runs anything."""

import subprocess
import sys

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    """Repeat the run's configuration, files and command line, so that the graph is that of the run."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js", "--nolock", "--quiet", "all"]
    if job.params.configfiles:
        command += ["--configfile", *job.params.configfiles]
    if job.params.replace:
        command += ["--replace-workflow-config"]
    if job.params.config:
        command += ["--config", *job.params.config]
    graph = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    if "-->" not in graph:
        raise RuntimeError("Snakemake printed no rule graph; its messages are above")
    artefacts.write_text(graph, job.output.graph)


if __name__ == "__main__":
    run(main, snakemake)
