"""Rules for contexts of natural text: code in documentation, addresses, numbers, formulas, references.

Few tokens belong to one of them alone, so that a unit which marks one has to read more than the current token.
"""

import re

_NUMBER = rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?j?"
_PATTERNS = {
    "doctest": rb"^[ \t]*(?:>>>|\.\.\.)[ ](.*)$",
    "url": rb"(https?://[^\s<>\"'`)\]}]+)",
    "numbers": rb"(\[*%b(?:[\s,;\[\]()]+%b){3,}[\])]*)" % (_NUMBER, _NUMBER),
    "latex": rb":math:`([^`]+)`|^(?P<indent>[ \t]*)\.\. math::(.*(?:\n[ \t]*$|\n(?P=indent)[ \t]+\S.*)*)",
    "directive": rb"^[ \t]*(\.\.[ ][\w:-]+::.*)$",
    "citation": rb"^(?P<indent>[ \t]*)\.\.[ ]\[[\w.-]+\][ ]*(.*(?:\n(?P=indent)[ \t]+\S.*)*)",
    "hexadecimal": rb"\b0x([0-9a-fA-F]{3,})\b|\b((?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,})\b",
}
_RULES = {name: re.compile(pattern, re.MULTILINE) for name, pattern in _PATTERNS.items()}
CONTEXTS = tuple(_RULES)
DESCRIPTIONS = {
    "doctest": "code behind the prompts of an interactive session",
    "url": "web addresses",
    "numbers": "four or more numbers in a row, as in printed arrays",
    "latex": "formulas in LaTeX",
    "directive": "lines with a directive of reStructuredText",
    "citation": "entries of a list of references",
    "hexadecimal": "hexadecimal numbers of three digits or more",
}


def spans(text: bytes, context: str) -> list[tuple[int, int]]:
    """Byte spans [start, end) of a context, in order."""
    rule = _RULES[context]
    groups = set(range(1, rule.groups + 1)) - set(rule.groupindex.values())
    return [match.span(group) for match in rule.finditer(text) for group in groups if match.group(group)]
