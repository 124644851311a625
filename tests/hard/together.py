"""Two runs at once in one folder: the second is refused by Snakemake's lock, the first ends as if it were alone."""

import subprocess
import time
from pathlib import Path

from tests.hard import common
from tests.helpers.running import command, environment


def together(work: Path, starts_s: tuple[float, ...] = (0.0, 20.0)) -> common.Tally:
    """A second run that begins at the same time, and one that begins while jobs compute."""
    tally = common.Tally("two runs at once")
    finished = common.finished_run(work)
    expected = common.numbers(finished)
    for start_s in starts_s:
        folder = common.fresh_copy(finished, work / "together")
        logs = [work / f"together-{number}.log" for number in (0, 1)]
        runs = []
        for log in logs:
            with open(log, "w") as file:
                runs.append(subprocess.Popen(command(), cwd=folder, env=environment(), stdout=file, stderr=file))
            time.sleep(start_s if len(runs) == 1 else 0)
        codes = [run.wait() for run in runs]
        said = [log.read_text() for log in logs]
        refused = [code != 0 and "lock" in text.lower() for code, text in zip(codes, said, strict=True)]
        if sorted(codes)[0] != 0 or codes.count(0) != 1 or not any(refused):
            tally.lost.append(f"second run after {start_s} s: both ended with {codes}")
        elif wrong := common.difference(expected, common.numbers(folder)):
            tally.lost.append(f"second run after {start_s} s: {wrong}")
        else:
            tally.refused += 1
            tally.survived += 1
    return tally
