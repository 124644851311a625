"""The environment of a run: versions against the lock, machine, commit. It names no person, host or path."""

import importlib.metadata
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from packaging.requirements import Requirement
from packaging.version import Version

from scripts.monosem.core.artefacts import ArtefactError, require_disk

PYTHONS = ((3, 11), (3, 13))
"""First and last Python that the lock is made for."""


class Unsupported(RuntimeError):
    """The environment cannot run the workflow; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class Pin:
    """One locked package."""

    name: str
    """Name of the distribution."""
    version: str
    """The exact version."""


def check_python(version: tuple[int, int]) -> None:
    """Refuse a Python that the lock is not made for."""
    if not PYTHONS[0] <= version <= PYTHONS[1]:
        first, last = (".".join(map(str, bound)) for bound in PYTHONS)
        raise Unsupported(
            f"Python {version[0]}.{version[1]} is not supported: use {first} to {last}, "
            "e.g. make report PYTHON=python3.12"
        )


def read_lock(path: str | Path) -> list[Pin]:
    """Packages of a requirements lock that apply to this machine.

    Raises: ArtefactError for a line that does not pin one exact version.
    """
    pins = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        requirement = Requirement(line)
        exact = re.fullmatch(r"==([^=,*]+)", str(requirement.specifier))
        if not exact:
            raise ArtefactError(f"{path}: '{line}' pins no exact version; run envs/lock.sh")
        if requirement.marker is None or requirement.marker.evaluate():
            pins.append(Pin(requirement.name, exact.group(1)))
    return pins


def installed_version(name: str) -> str | None:
    """Version of an installed distribution, None if there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def compare(pins: list[Pin], installed: dict[str, str | None]) -> list[str]:
    """A sentence for each package whose version differs from the lock; a build such as +cpu is no difference.

    Raises: Unsupported that names every locked package which is not installed.
    """
    missing = [f"{pin.name} {pin.version}" for pin in pins if installed[pin.name] is None]
    if missing:
        raise Unsupported(
            f"{', '.join(missing)} of envs/requirements.lock {'is' if len(missing) == 1 else 'are'} not installed: "
            "run pip install -r envs/requirements.lock"
        )
    return [
        f"{pin.name} is {installed[pin.name]}, the lock says {pin.version}"
        for pin in pins
        if Version(Version(installed[pin.name]).public) != Version(pin.version)
    ]


def cpu_model() -> str:
    """The processor's name as its maker gives it."""
    if platform.system() == "Darwin":
        return _output(["sysctl", "-n", "machdep.cpu.brand_string"]) or platform.machine()
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*:\s*(.+)$", info.read_text(), re.M) if info.exists() else []
    return names[0].strip() if names else platform.machine()


def _output(command: list[str]) -> str | None:
    """Standard output of a command, None if there is no such command or it fails."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def git_state() -> dict[str, Any] | None:
    """Commit of the checkout, and whether tracked files differ from it; None outside git."""
    commit = _output(["git", "rev-parse", "HEAD"])
    if commit is None:
        return None
    changes = _output(["git", "status", "--porcelain", "--untracked-files=no"])
    return {"commit": commit, "dirty": bool(changes)}


def torch_facts(device: str) -> dict[str, Any]:
    """Version of torch, and the device that `device` resolves to on this machine."""
    import torch

    from scripts.monosem.core.runtime import pick_device

    picked = pick_device(device)
    name = torch.cuda.get_device_name() if picked == "cuda" else cpu_model()
    return {"version": torch.__version__, "device": picked, "device_name": name}


def record(lock: str | Path, device: str, threads: dict[str, int], disk_need_bytes: int) -> dict[str, Any]:
    """The content of environment.json.

    Raises: Unsupported or ArtefactError in one sentence when the workflow cannot run on this machine.
    """
    check_python(tuple(map(int, platform.python_version_tuple()[:2])))
    pins = read_lock(lock)
    installed = {pin.name: installed_version(pin.name) for pin in pins}
    differences = compare(pins, installed)
    require_disk("results", disk_need_bytes, "activations and autoencoders of this configuration")
    return {
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "system": {"name": platform.system(), "release": platform.release(), "machine": platform.machine()},
        "hardware": {
            "cpu": cpu_model(),
            "cores": psutil.cpu_count(logical=True),
            "physical_cores": psutil.cpu_count(logical=False),
            "memory_bytes": psutil.virtual_memory().total,
        },
        "torch": torch_facts(device),
        "threads": threads,
        "disk_need_bytes": disk_need_bytes,
        "git": git_state(),
        "packages": installed,
        "differences_from_lock": differences,
    }
