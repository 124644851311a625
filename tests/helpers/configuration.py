"""The configuration as the Snakefile reads it."""

import re
from pathlib import Path
from typing import Any

import yaml

from scripts.monosem.workflow.validate import overlay_


def default(*overlays: str, folder: Path = Path()) -> dict[str, Any]:
    """The files that the Snakefile names, in turn, then the given ones."""
    files = re.findall(r'^configfile: "(.+)"', (folder / "Snakefile").read_text(encoding="utf-8"), re.M)
    config: dict[str, Any] = {}
    for path in (*files, *overlays):
        overlay_(config, yaml.safe_load((folder / path).read_text(encoding="utf-8")))
    return config
