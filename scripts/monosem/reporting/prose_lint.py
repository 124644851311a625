"""No number in prose is typed by hand: a digit outside templates, code, headings, links and citations is an error."""

import re

WAIVER = re.compile(r"\{# literal: \S.*#\}\s*$")

NAMES = ("GPT-2", "N2G", "L0", "L1", "L2", "F1", "A/1", "base64", "SHA-256", "float16", "float32", "float64")

# what is taken out of the source before digits are looked for, in this order; newlines stay, so that lines keep numbers
EXEMPT = (
    re.compile(r"\{#.*?#\}", re.S),
    re.compile(r"\{%.*?%\}", re.S),
    re.compile(r"\{\{.*?\}\}", re.S),
    re.compile(r"^(```|~~~).*?^\1\s*$", re.S | re.M),
    re.compile(r"`[^`\n]*`"),
    re.compile(r"^#{1,6} .*$", re.M),
    re.compile(r"!?\[[^\]]*\]\([^)]*\)"),
    re.compile(r"<?https?://\S+"),
    re.compile(rf"(?<!\w)(?:{'|'.join(NAMES)})(?!\w)"),  # names that hold a digit, not numbers
    re.compile(r"(?:arXiv|arxiv)[: ]\d{4}\.\d{4,5}"),
    # citations: "Bricken et al. (2023)", "Elhage et al., 2022", "Sharkey, Braun & Millidge 2022"
    re.compile(r"[A-Z][\w-]+(?:,? (?:et al\.?|(?:and|&) [A-Z][\w-]+|[A-Z][\w-]+))*,? \(?(?:19|20)\d\d[a-z]?\)?"),
)


def lint(source: str, name: str = "") -> list[str]:
    """Lines of a Markdown template that type a number into prose, as `name:line: text`.

    A line may keep its digits if it ends in a comment `{# literal: why #}`.
    """
    lines = source.split("\n")
    bare = source
    for pattern in EXEMPT:
        bare = pattern.sub(lambda match: "\n" * match.group().count("\n"), bare)
    return [
        f"{name}:{number}: {lines[number - 1].strip()}"
        for number, line in enumerate(bare.split("\n"), start=1)
        if re.search(r"\d", line) and not WAIVER.search(lines[number - 1])
    ]
