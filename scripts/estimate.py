"""Print what a run takes before anything runs: jobs, core-hours, memory and disk per rule, and the wall time.

python -m scripts.estimate                                  everything that config.yaml asks for
python -m scripts.estimate --configfile paper/full.yaml     likewise, with an overlay
python -m scripts.estimate --nodes 8 --cores 16             the schedule on eight nodes like this one, of 16 cores
python -m scripts.estimate --cores 2 --gflops 62            on two cores of that product rate, not on this machine
python -m scripts.estimate --measured                       the run in results/ by rule, beside its estimate
python -m scripts.estimate --paper-scale                    the setting of Bricken et al. 2023 by the same formulas
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from scripts.monosem.core import timing
from scripts.monosem.workflow.estimates import machine as machines
from scripts.monosem.workflow.estimates import paper_scale, planned, tables
from scripts.monosem.workflow.estimates.schedule import Job

RESULTS = Path("results")


def planned_jobs(configfiles: list[Path], left: bool) -> list[Job]:
    """Jobs of a run with these overlays: all, or only what is left to do."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.enums import Quietness, RerunTrigger
    from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings

    triggers = frozenset(map(RerunTrigger.parse_choice, ("input", "mtime", "params", "software-env")))
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, enable_file_logging=False)) as api:
        workflow_api = api.workflow(
            ResourceSettings(cores=sys.maxsize), config_settings=ConfigSettings(configfiles=configfiles),
            snakefile=Path("Snakefile"),
        )  # fmt: skip
        dag_api = workflow_api.dag(DAGSettings(forceall=not left, rerun_triggers=triggers))
        dag_api.execute_workflow(executor="dryrun")
        workflow = workflow_api._workflow
        return planned.jobs(workflow.dag, workflow.globals["config"], workflow.globals["PLAN"])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.estimate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--configfile", type=Path, nargs="+", default=[], help="overlays, as for snakemake")
    parser.add_argument("--nodes", type=int, default=1, help="machines like this one")
    parser.add_argument("--cores", type=int, help="cores of each, as fast as those of this one")
    parser.add_argument("--gflops", type=float, help="product rate of a core, in place of measuring this machine")
    parser.add_argument("--measured", action="store_true", help="times of a finished run, for docs/speed.md")
    parser.add_argument("--left", action="store_true", help="only what is left to do, not the whole run")
    parser.add_argument("--paper-scale", action="store_true", help="the table of docs/many-machines.md")
    given = parser.parse_args(arguments)
    here = machines.measure() if given.gflops is None else machines.Machine(1, given.gflops * 1e9, given.gflops * 1e9)
    if given.paper_scale:
        print(tables.rates(here), paper_scale.table(here), sep="\n\n")
        return 0
    node = here if given.cores is None else with_cores(here, given.cores)
    jobs = planned_jobs(given.configfile, given.left)
    if not jobs:
        print("Nothing is left to do.")
        return 0
    if given.measured:
        measured = timing.times(RESULTS / "benchmarks", RESULTS / "logs")
        print(tables.rates(node), tables.compared(measured, jobs, node), sep="\n\n")
        return 0
    cost = tables.together(jobs, node, given.nodes)
    print(tables.table(jobs, node), tables.sentence(cost, node, given.nodes), sep="\n\n")
    return 0


def with_cores(machine: machines.Machine, cores: int) -> machines.Machine:
    """A machine of the same cores, more or fewer of them, each as fast as one of `machine` while all are busy."""
    return replace(machine, cores=cores, all_flops_per_s=machine.core_flops_per_s * cores)


if __name__ == "__main__":
    sys.exit(main())
