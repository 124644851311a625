"""ES modules of the page as one classic script.

A page that is opened from disk may not import modules or fetch files, so the modules are put one after another into one
function, without their import and export words. They share one scope there: two equal names at the top level of two
modules are an error of the script, which the tests run.
"""

import re
from pathlib import Path

from scripts.monosem.core import artefacts

_IMPORT = re.compile(r'^import\s*\{[^}]*\}\s*from\s*"(\.[^"]+)";\n', re.M)
_EXPORT = re.compile(r"^export (?=(async )?function|const|let|class)", re.M)


def in_order(entry: Path) -> list[Path]:
    """The modules that one needs, itself last, each after those that it imports.

    Raises: ArtefactError for a module that is missing, or that imports itself through others.
    """
    order: list[Path] = []
    open_: list[Path] = []

    def visit(path: Path) -> None:
        if path in order:
            return
        if path in open_:
            raise artefacts.ArtefactError(f"{path} imports itself through {open_[-1]}; break the circle")
        if not path.is_file():
            raise artefacts.ArtefactError(f"{path} is missing; {open_[-1] if open_ else 'the page'} imports it")
        open_.append(path)
        for name in _IMPORT.findall(path.read_text(encoding="utf-8")):
            visit((path.parent / name).resolve())
        order.append(open_.pop())

    visit(entry.resolve())
    return order


def bundle(entry: Path) -> str:
    """One classic script that does what the module does; its names are not visible outside."""
    parts = []
    for path in in_order(entry):
        text = _EXPORT.sub("", _IMPORT.sub("", path.read_text(encoding="utf-8")))
        parts.append(f"// {path.parent.name}/{path.name}\n{text}")
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"
