"""Text of tokens for readers: line breaks, tabs, spaces and characters without a shape that can be seen."""

import re

_WITHOUT_SHAPE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters
    "\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible ones, and those that turn text
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # no characters
    "]+"
)


def code_points(characters: str) -> str:
    """The characters by number: ⟨U+0000⟩, or ⟨U+4E2D U+6587⟩."""
    return f"⟨{' '.join(f'U+{ord(character):04X}' for character in characters)}⟩"


def visible(text: str, space: str = " ") -> str:
    """The text with ⏎ for line breaks, → for tabs and `space` for spaces; ∅ for an empty text.

    Characters that have no shape, that would turn the text around them or that HTML and SVG cannot hold are written by
    number. All others are left as they are: joiners and marks too, because scripts need them.
    """
    text = text.replace("\n", "⏎").replace("\t", "→").replace(" ", space)
    return _WITHOUT_SHAPE.sub(lambda match: code_points(match.group()), text) or "∅"
