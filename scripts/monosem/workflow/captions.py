"""Captions of the figures, as the report's templates state them: for `snakemake --report`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FIGURE = re.compile(r"figure\(\s*([^,]+?)\s*,\s*\"([^\"]+)\"")
LITERAL = re.compile(r"\"([^\"]*)\"")
TEMPLATES = Path("paper")


@dataclass(frozen=True)
class Caption:
    """Caption of one figure, or of several whose names have parts that a template computes."""

    name: re.Pattern[str]
    """Matches `{family}/{figure}`."""
    text: str
    """The caption."""


def read(templates: Iterable[Path]) -> list[Caption]:
    """Captions of the figures that the templates show."""
    captions = []
    for path in templates:
        for name, text in FIGURE.findall(path.read_text(encoding="utf-8")):
            parts = name.split("~")
            literals = [LITERAL.fullmatch(part.strip()) for part in parts]
            pattern = "".join(re.escape(literal[1]) if literal else ".+" for literal in literals)
            captions.append(Caption(re.compile(pattern), text.rstrip(": ")))
    return captions


def of(captions: Iterable[Caption], name: str) -> str:
    """Caption of a figure `{family}/{figure}`; its name in words if no template shows it."""
    return next(
        (caption.text for caption in captions if caption.name.fullmatch(name)),
        name.rpartition("/")[2].replace("-", " ").capitalize(),
    )
