"""kill -9 at random moments; the same command then has to end with the numbers of an undisturbed run."""

import random
import signal
import subprocess
import time
from pathlib import Path

import psutil

from tests.hard import common
from tests.helpers.running import command, environment

KILLS_PER_RUN = 10
WAYS = ("run", "everything", "job")


def _below(process: subprocess.Popen) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _kill(process: subprocess.Popen, way: str) -> None:
    """End the run alone (its jobs notice), the run and its jobs (a power cut), or one of its processes."""
    children = _below(process)
    victims = {"run": [], "everything": children, "job": random.sample(children, min(1, len(children)))}[way]
    if way != "job":
        process.send_signal(signal.SIGKILL)
    for victim in victims:
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            pass
    if way == "job":
        process.wait()  # Snakemake ends the others well, and itself with an error, or (too early for a job) goes on
        return
    process.wait()
    psutil.wait_procs(children, timeout=60)


def interrupted(folder: Path, after_s: float, way: str, log: Path) -> bool:
    """Start the run and kill it after a while; True if it had not ended before."""
    with open(log, "a") as file:
        process = subprocess.Popen(
            command(), cwd=folder, env=environment(), stdout=file, stderr=file, start_new_session=True
        )
    deadline = time.monotonic() + after_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return False
        time.sleep(0.05)
    _kill(process, way)
    return True


def kills(work: Path, n: int, seed: int) -> common.Tally:
    """n kills, KILLS_PER_RUN in each run; a run that ends otherwise loses all of its kills."""
    tally = common.Tally("kill -9")
    random.seed(seed)
    finished = common.finished_run(work)
    expected = common.numbers(finished)
    while tally.tried < n:
        folder, log = work / "killed", work / "killed.log"
        log.unlink(missing_ok=True)
        common.fresh_copy(finished, folder)
        killed: list[str] = []
        wanted = min(KILLS_PER_RUN, n - tally.tried)
        longest_s = 2 * float((finished / "finished").read_text()) / (wanted + 1)  # so that they spread over the run
        while len(killed) < wanted:
            after_s, way = random.uniform(0, longest_s), random.choice(WAYS)
            if not interrupted(folder, after_s, way, log):
                break  # finished before its kills were used up
            killed.append(f"{way} after {after_s:.1f} s")
            print(f"  killed: {killed[-1]}", flush=True)
        done = common.run(folder)
        wrong = done.stdout[-1000:] if done.returncode else common.difference(expected, common.numbers(folder))
        if not wrong and (left := [str(path) for path in folder.glob("results/**/*.tmp")]):
            wrong = f"left behind: {', '.join(left)}"
        if wrong:
            tally.lost += [f"{', '.join(killed)}: {wrong}"] * len(killed)
        else:
            tally.survived += len(killed)
        if not killed:
            raise SystemExit("the run ended before it could be killed")
    return tally
