"""A canvas on which any text can be drawn: in a font of this machine that has its characters, or else by number."""

import functools
import re
from collections.abc import Iterable
from typing import Any

from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.font_manager import FontProperties

from scripts.monosem.core import job
from scripts.monosem.text.visible import code_points

PREFERRED = ("DejaVu", "Noto Sans", "Source Han", "WenQuanYi", "Droid Sans", "Hiragino", "Microsoft YaHei", "Yu Gothic")
"""Beginnings of the names of font families that are tried before others."""
_SYMBOLS_ONLY = re.compile("Last Resort|cm[a-z]+10|STIXSize|STIXNonUnicode")
"""Fonts of boxes or of formulas, whose characters are others than their numbers declare."""


@functools.cache
def _characters(families: tuple[str, ...]) -> frozenset[int]:
    """Characters of the first of the families that is here; none of a font without outlines (bitmaps of emoji)."""
    try:
        font = font_manager.get_font(font_manager.findfont(FontProperties(family=list(families))))
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (RuntimeError, OSError):
        return frozenset()


@functools.cache
def _families() -> tuple[str, ...]:
    """Font families of this machine that have an upright font of normal weight, the preferred ones first."""
    names = {
        entry.name
        for entry in font_manager.fontManager.ttflist
        if entry.style == "normal"
        and entry.weight in (400, "normal", "regular")
        and not _SYMBOLS_ONLY.match(entry.name)
    }

    def order(name: str) -> tuple[int, str]:
        return next((i for i, start in enumerate(PREFERRED) if name.startswith(start)), len(PREFERRED)), name

    return tuple(sorted(names, key=order))


@functools.cache
def family_of(character: str) -> str | None:
    """The first font family of this machine that has a character, or None."""
    return next((name for name in _families() if ord(character) in _characters((name,))), None)


@functools.cache
def _announce_missing() -> None:
    job.say(
        "no font of this machine has some characters of the figures: the PNG files show them by number, as U+4E2D, the "
        "SVG files as themselves; with a font for them (such as Noto Sans CJK) the PNG files do too"
    )


def _by_number(text: str, characters: Iterable[str]) -> str:
    return re.sub(f"[{re.escape(''.join(characters))}]+", lambda match: code_points(match.group()), text)


def drawable(text: str, prop: FontProperties) -> tuple[str, FontProperties]:
    """The text and a font for it: other families join where the font lacks characters, numbers where all lack them."""
    base = _characters(tuple(prop.get_family()))
    lacking = sorted({character for character in text if ord(character) not in base})
    if not lacking:
        return text, prop
    families = {character: family_of(character) for character in lacking}
    nowhere = [character for character, family in families.items() if family is None]
    if nowhere:
        _announce_missing()
        text = _by_number(text, nowhere)
    joined = prop.copy()
    joined.set_family([*prop.get_family(), *dict.fromkeys(family for family in families.values() if family)])
    return text, joined


class Renderer(RendererAgg):
    """Agg's renderer, which is given text that its fonts can draw."""

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: FontProperties, angle: float, ismath: Any = False,
        mtext: Any = None,
    ) -> None:  # fmt: skip
        """Draw a line of text."""
        if not ismath:
            s, prop = drawable(s, prop)
        super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)

    def get_text_width_height_descent(self, s: str, prop: FontProperties, ismath: Any) -> tuple[float, float, float]:
        """Size of a line of text in pixels."""
        if not ismath:
            s, prop = drawable(s, prop)
        return super().get_text_width_height_descent(s, prop, ismath)


class Canvas(FigureCanvasAgg):
    """Agg's canvas with a renderer for any text."""

    def get_renderer(self) -> Renderer:
        """The renderer of the figure's present size, kept while that stays."""
        width, height = self.get_width_height(physical=True)
        size = (width, height, self.figure.dpi)
        if getattr(self, "_size", None) != size:
            self._size, self.renderer = size, Renderer(width, height, self.figure.dpi)
        return self.renderer
