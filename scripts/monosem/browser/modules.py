"""ES modules of the page as one classic script.

A page that is opened from disk may not import modules or fetch files. Each module becomes a function that is called
once and returns what it exports; an import takes names from what another returned.
"""

import re
from pathlib import Path

from scripts.monosem.core import artefacts

_IMPORT = re.compile(r'^import\s*(\{[^}]*\})\s*from\s*"(\.[^"]+)";$', re.M)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|const|class) (\w+))", re.M)


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
        for _, name in _IMPORT.findall(path.read_text(encoding="utf-8")):
            visit((path.parent / name).resolve())
        order.append(open_.pop())

    visit(entry.resolve())
    return order


def bundle(entry: Path) -> str:
    """One classic script that does what the module does; its names are not visible outside."""
    order = in_order(entry)
    parts = []
    for number, path in enumerate(order):
        text = path.read_text(encoding="utf-8")
        names = ", ".join(_EXPORT.findall(text))

        def taken(match: re.Match, folder: Path = path.parent) -> str:
            return f"const {match[1]} = module_{order.index((folder / match[2]).resolve())};"

        body = _EXPORT.sub("", _IMPORT.sub(taken, text))
        start = f"// {path.parent.name}/{path.name}\nconst module_{number} = (() => {{\n"
        parts.append(f"{start}{body}return {{ {names} }};\n}})();\n")
    return '(() => {\n"use strict";\n' + "".join(parts) + "})();\n"
