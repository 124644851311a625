"""Growth of the cost of a step with d_sae, k and batch: ours and its floor."""

from pathlib import Path

from tests.bench.contestants import Task

BASE = {"architecture": "topk", "d_in": 512, "d_sae": 4096, "batch": 4096, "steps": 12, "learning_rate": 1e-3}


def sweep(folder: Path, threads: int, device: str, full: bool, say) -> list[dict]:
    """Seconds per step, one variable at a time."""
    from tests.bench.benchmark import race

    values = {
        "d_sae": [1024, 2048, 4096, 8192, 16_384] + ([32_768, 65_536] if full else []),
        "k": [8, 16, 32, 64, 128],
        "batch": [512, 1024, 2048, 4096, 8192],
    }
    rows = []
    for variable, settings in values.items():
        for value in settings:
            base = {**BASE, "device": device, variable: value}
            for row in race([Task(who, **base) for who in ("ours", "floor")], folder, threads, 3, evaluate=False):
                seconds = row["fastest_seconds_per_step"]  # of four segments: other work on the machine only adds
                rows.append({"variable": variable, "value": value, "who": row["who"], "seconds_per_step": seconds})
        say(f"scaling with {variable}: done")
    return rows


def draw(rows: list[dict], path: Path) -> None:
    """One panel per variable: time of a step, ours and the floor."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(9, 3), layout="constrained")
    for axes, variable in zip(figure.subplots(1, 3, sharey=True), ("d_sae", "k", "batch"), strict=True):
        for who, label in (("ours", "a step of ours"), ("floor", "its one dense product")):
            points = [row for row in rows if row["variable"] == variable and row["who"] == who]
            axes.plot([p["value"] for p in points], [1000 * p["seconds_per_step"] for p in points], "o-", label=label)
        axes.set(xlabel={"d_sae": "latents", "k": "active latents", "batch": "vectors per step"}[variable])
        axes.set(xscale="log", yscale="log")
        ticks = [row["value"] for row in rows if row["variable"] == variable and row["who"] == "ours"]
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks], fontsize=7)
        axes.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(True, alpha=0.3)
    figure.axes[0].set_ylabel("milliseconds per step")
    figure.axes[0].legend(frameon=False)
    figure.savefig(path, dpi=150)
