"""Text of tokens for readers: line breaks, tabs and spaces that can be seen."""


def visible(text: str, space: str = " ") -> str:
    """The text with ⏎ for line breaks, → for tabs and `space` for spaces; ∅ for an empty text."""
    return text.replace("\n", "⏎").replace("\t", "→").replace(" ", space) or "∅"
