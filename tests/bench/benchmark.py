"""`make bench`: our trainer, SAELens, dictionary_learning and the floor, on the same data in alternating segments.

Each contestant is a process of its own (its memory is its own, its idle threads sleep). A run trains them side by
side, a few steps each in turn, so that a change of the machine's speed hits all alike. Floor: the one dense product of
a step, at the rate that this machine reaches with torch in the precision that ours uses.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.bench.contestants import Task

PEERS = ("sae_lens", "dictionary_learning")


class Worker:
    """A contestant's process."""

    def __init__(self, task: Task, data: Path, threads: int) -> None:
        environment = dict(os.environ, WANDB_MODE="disabled", OMP_NUM_THREADS=str(threads))
        if task.who == "ours":
            environment["OMP_WAIT_POLICY"] = "passive"  # as scripts/train_sae.py sets it
        spec = json.dumps({**asdict(task), "threads": threads, "data": str(data)})
        command = [sys.executable, "-m", "tests.bench.worker", spec]
        self.log = open(data / f"{task.who}.log", "a+", encoding="utf-8")
        self.process = subprocess.Popen(
            command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log
        )

    def ask(self, **command) -> dict:
        """Send a command, wait for the answer."""
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(command), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            self.log.seek(0)
            raise RuntimeError(f"a contestant died:\n{self.log.read()[-2000:]}")
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.log.close()


def race(tasks: list[Task], data: Path, threads: int, segment: int, evaluate: bool = True) -> list[dict]:
    """Train every task to its end, `segment` steps in turn; rates are medians over segments, without the first."""
    workers = [Worker(task, data, threads) for task in tasks]
    times: list[list[float]] = [[] for _ in tasks]
    memory = [0.0] * len(tasks)
    try:
        for worker in workers:  # wait until all have started
            worker.ask(steps=0)
        for first in range(0, max(task.steps for task in tasks), segment):
            for i, task in enumerate(tasks):
                steps = min(segment, task.steps - first)
                if steps > 0:
                    answer = workers[i].ask(steps=steps)
                    times[i].append(answer["seconds"] / steps)
                    memory[i] = answer["memory_mb"]
        rows = []
        for i, task in enumerate(tasks):
            seconds = statistics.median(times[i][1:] or times[i])
            row = {**asdict(task), "seconds_per_step": seconds, "vectors_per_s": task.batch / seconds}
            row |= {"memory_mb": memory[i], "fastest_seconds_per_step": min(times[i])}
            if evaluate and task.who != "floor":
                row |= workers[i].ask(evaluate=True)
            rows.append(row)
        return rows
    finally:
        for worker in workers:
            worker.close()


def compare(
    base: dict, rates: list[float], data: Path, threads: int, segment: int, say, evaluate: bool = True
) -> list[dict]:
    """All contestants at every learning rate."""
    rows = []
    for rate in rates:
        tasks = [Task(who=who, learning_rate=rate, **base) for who in ("ours", *PEERS, "floor")]
        found = race(tasks, data, threads, segment, evaluate)
        for row in found:
            ev = f", explained variance {row['explained_variance']:.4f}, L0 {row['l0']:.1f}" if "l0" in row else ""
            ev += f", loss {row['loss']:.2f}" if "loss" in row else ""
            say(f"  {base['architecture']} lr {rate:g} {row['who']}: {row['vectors_per_s']:,.0f} vectors/s{ev}")
        rows += found
    return rows


def summarise(rows: list[dict]) -> list[dict]:
    """One row per contestant: rates are medians over learning rates, explained variance is that of the best one."""
    table = []
    floor = statistics.median(row["vectors_per_s"] for row in rows if row["who"] == "floor")
    ours = statistics.median(row["vectors_per_s"] for row in rows if row["who"] == "ours")
    for who in ("ours", *PEERS):
        mine = [row for row in rows if row["who"] == who]
        best = max(mine, key=lambda row: row.get("explained_variance", 0.0))
        rate = statistics.median(row["vectors_per_s"] for row in mine)
        table.append(
            {
                "who": who,
                "vectors_per_s": rate,
                "ours_is_faster_by": ours / rate,
                "share_of_floor": rate / floor,
                "memory_mb": max(row["memory_mb"] for row in mine),
                "explained_variance": best.get("explained_variance"),
                "l0": best.get("l0"),
                "loss": best.get("loss"),
                "learning_rate": best["learning_rate"],
            }
        )
    table.append({"who": "floor", "vectors_per_s": floor, "share_of_floor": 1.0, "ours_is_faster_by": ours / floor})
    return table


def markdown(title: str, table: list[dict]) -> str:
    """One summary as a Markdown table."""
    lines = [
        f"### {title}",
        "",
        "| | vectors/s | ours faster by | share of floor | memory, MB | explained variance | L0 | loss | best rate |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in table:

        def cell(key: str, form: str, row=row) -> str:
            return format(row[key], form) if row.get(key) is not None else ""

        lines.append(
            f"| {row['who']} | {cell('vectors_per_s', ',.0f')} | {cell('ours_is_faster_by', '.2f')} | "
            f"{cell('share_of_floor', '.1%')} | {cell('memory_mb', ',.0f')} | {cell('explained_variance', '.4f')} | "
            f"{cell('l0', '.1f')} | {cell('loss', '.2f')} | {cell('learning_rate', 'g')} |"
        )
    return "\n".join(lines) + "\n"


def processor() -> str:
    """The processor's name, as the system gives it."""
    try:
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        return names[0].split(":")[1].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def main() -> None:
    """Run the benchmark and write results/bench/."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--vectors", type=int, default=131_072, help="that every contestant trains on")
    parser.add_argument("--rates", type=float, nargs="+", default=[2e-3, 4e-3, 8e-3], help="learning rates")
    parser.add_argument("--l1", type=float, default=1.0, help="λ of ReLU + L1, the same for all")
    parser.add_argument("--only-architecture", choices=["topk", "relu"], help="one of the two")
    parser.add_argument("--full", action="store_true", help="ten times the vectors, six learning rates, a longer sweep")
    parser.add_argument("--add", action="store_true", help="to the runs of earlier calls of the same part")
    parser.add_argument("--only", choices=["compare", "wide", "scaling"], help="one part")
    parser.add_argument("--results", type=Path, default=Path("results"), help="where activations may be found")
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    arguments = parser.parse_args()
    vectors, rates = arguments.vectors, arguments.rates
    if arguments.full:
        vectors, rates = 10 * vectors, [5e-4, 1e-3, *rates, 1.6e-2]
    from scripts.monosem.core.runtime import resolve_precision
    from tests.bench import data, scaling

    cuda = arguments.device.startswith("cuda")
    folder = arguments.out / "data"
    began = time.perf_counter()

    def say(text: str) -> None:
        print(f"[{time.perf_counter() - began:5.0f} s] {text}", flush=True)

    record = {
        "processor": processor(), "threads": arguments.threads, "device": arguments.device, "vectors": vectors,
        "precision_of_ours": resolve_precision("auto", arguments.device), "tables": {}, "runs": [],
    }  # fmt: skip
    precisions = ("float32", "tf32", "bfloat16") if cuda else ("auto",)
    shared = {"device": arguments.device}

    def part(title: str, base: dict, learning_rates: list[float], segment: int, evaluate: bool = True) -> None:
        rows = compare(base, learning_rates, folder, arguments.threads, segment, say, evaluate)
        record["runs"] += [{"title": title, **row} for row in rows]

    if arguments.only in (None, "compare"):
        origin = data.write(folder, 512, min(vectors, 1_200_000), arguments.results)
        say(f"data: {origin}")
        record["data"] = origin
        for precision in precisions:
            for architecture in [arguments.only_architecture] if arguments.only_architecture else ["topk", "relu"]:
                base = {**shared, "architecture": architecture, "d_in": 512, "d_sae": 4096, "batch": 4096}
                base |= {"steps": vectors // 4096, "precision": precision, "l1": arguments.l1}
                part(f"{architecture}, d_in 512, d_sae 4,096, batch 4,096, {precision}", base, rates, 4)
    if arguments.only in (None, "wide"):
        say(f"data of width 3,072: {data.write(folder, 3072, 16_384)}")
        for d_sae in (24_576, 131_072) if cuda else (24_576,):
            for precision in precisions:
                base = {**shared, "architecture": "topk", "d_in": 3072, "d_sae": d_sae, "precision": precision}
                base |= {"batch": 4096, "steps": 30} if cuda else {"batch": 1024, "steps": 3}
                part(
                    f"topk, d_in 3,072, d_sae {d_sae:,}, batch {base['batch']:,}, {precision}",
                    base,
                    rates[:1],
                    1,
                    evaluate=False,
                )
    if arguments.only in (None, "scaling"):
        data.write(folder, 512, 65_536)
        rows = scaling.sweep(folder, arguments.threads, arguments.device, arguments.full, say)
        record["scaling"] = rows
        scaling.draw(rows, arguments.out / "scaling.png")
    shutil.rmtree(folder)
    name = f"benchmark-{arguments.device}" + (f"-{arguments.only}" if arguments.only else "")
    written = arguments.out / f"{name}.json"
    if arguments.add and written.exists():
        before = json.loads(written.read_text(encoding="utf-8"))
        same = ("processor", "threads", "vectors", "precision_of_ours")
        if any(before[key] != record[key] for key in same):
            sys.exit(f"{written} is of another machine or other settings: nothing is added to it")
        record["runs"] = before["runs"] + record["runs"]
    for title in dict.fromkeys(row["title"] for row in record["runs"]):
        record["tables"][title] = summarise([row for row in record["runs"] if row["title"] == title])
    texts = [markdown(title, table) for title, table in record["tables"].items()]
    record["seconds"] = round(time.perf_counter() - began)
    head = f"{record['processor']}, {arguments.threads} threads, {arguments.device}; data: {record.get('data', '')}; "
    head += f"{vectors:,} vectors; encoder's product of ours: {record['precision_of_ours']}\n"
    written.write_text(json.dumps(record, indent=1), encoding="utf-8")
    (arguments.out / f"{name}.md").write_text("\n".join([head, *texts]), encoding="utf-8")
    print("\n".join([head, *texts]))


if __name__ == "__main__":
    main()
