"""Lines of a run before, during and after: the estimate, the progress, and the time taken beside the estimate.

`workflow` is Snakemake's object of this name, of which this module only reads attributes.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from scripts.monosem.core import artefacts, timing
from scripts.monosem.core.job import duration
from scripts.monosem.workflow import plan as plans
from scripts.monosem.workflow.estimates import machine, planned, tables
from scripts.monosem.workflow.estimates.forecast import Forecast, Progress, write_line
from scripts.monosem.workflow.estimates.work import REFERENCE

TIMES = Path("results/times.json")
SHORT_S = 20.0
"""Runs of less work on the reference core are not announced: measuring the machine takes two seconds."""


def begin(workflow: Any, config: plans.Config, plan: plans.Plan, times: Path = TIMES) -> None:
    """Print what the planned jobs take on this machine, write it to results/times.json, and follow the run."""
    jobs = planned.jobs(workflow.dag, config, plan)
    if workflow.touch or sum(job.work.seconds(REFERENCE) for job in jobs) < SHORT_S:
        artefacts.write_json({"predicted": None}, times)
        return
    here = machine.measure(workflow.cores if workflow.local_exec else None)
    nodes = 1 if workflow.local_exec else max(1, min(workflow.nodes, len(jobs)))
    cost = tables.together(jobs, here, nodes)
    artefacts.write_json({"predicted": tables.document(cost, here)}, times)
    if not workflow.output_settings.quiet:
        write_line(f"To do: {tables.sentence(cost, here, nodes)}")
        workflow.logger_manager.logger.addHandler(Progress(Forecast(jobs, here, nodes)))


def end(workflow: Any, results: Path, times: Path = TIMES) -> None:
    """Add the measured times to results/times.json, and print the wall time beside the predicted one."""
    predicted = artefacts.read_json(times)["predicted"] if times.is_file() else None
    wall_s = (datetime.now() - workflow.start_time).total_seconds()
    measured = {"wall_s": wall_s, **timing.document(results)}
    artefacts.write_json({"predicted": predicted, "measured": measured}, times)
    if predicted and not workflow.output_settings.quiet:
        write_line(f"Predicted {duration(predicted['wall_s'])}, took {duration(wall_s)}; all times: {times}")
