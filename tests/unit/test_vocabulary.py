"""The vocabulary: the field's word for each thing, in code and in prose (docs/code.md has the glossary).

Identifiers are checked word by word (`told_of` is `told`, `of`), prose (comments, strings, YAML, Markdown,
templates) by patterns. A line that needs a banned word, for instance to quote, is listed in EXEMPT.
`python tests/unit/test_vocabulary.py ROOM…` lists what a room has left.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOMS = {
    **{
        room: (f"scripts/monosem/{room}/**/*.py", f"tests/unit/{room}/**/*.py")
        for room in "core metrics text models activations sae toy evaluation browser figures reporting".split()
    },
    "workflow": (
        "scripts/monosem/workflow/**/*.py", "tests/unit/workflow/**/*.py", "config.yaml", "config/**/*.yaml",
        "tests/smoke.yaml", "tests/workflow/valid.yaml",
    ),
    "rules": ("Snakefile", "rules/*", "profiles/**/*.yaml"),
    "scripts": ("scripts/*.py",),
    "paper": ("paper/**/*.py", "paper/**/*.yaml", "paper/**/*.j2"),
    "tests": ("tests/*.py", "tests/unit/*.py", "tests/workflow/*.py", "tests/helpers/*.py", "tests/bench/*.py"),
    "docs": ("README.md", "docs/**/*.md", "CHANGELOG.md", "Makefile"),
}  # fmt: skip

UNIT = r"(latents?|neurons?|units?)"


class Ban(NamedTuple):
    """A word that is avoided."""

    pattern: str
    """Regular expression: of a whole word in an identifier, or of a passage in prose."""

    write: str
    """The word to write instead."""

    rooms: tuple[str, ...] = tuple(ROOMS)
    """Where the word is avoided."""


LIBRARY = tuple(room for room in ROOMS if room not in ("tests", "docs"))

IDENTIFIERS = (
    Ban("told", "declared, given, options"),
    Ban("deal|deals|dealt|dealing", "permute, permuted, permutations"),
    Ban("adopt|adopts|adopted|adopting", "import_pretrained"),
    Ban("slope|slopes|pull|pulls", "gradient", ("sae",)),
    Ban("hold|holding", "pin (a latent), check (a condition), park (a file)"),
    Ban("held(?!_out)", "pinned (a latent); held_out stays"),
    Ban("stated", "declared"),
    Ban("likes", "top_tokens"),
    Ban("leans|giving|taking", "a verb that says what is done"),
    Ban("trouble", "diagnose, problem"),
    Ban("said|says|saying", "sentence, message, lines, declares"),
    Ban("fulfil|fulfils", "satisfy"),
)
WHOLE_IDENTIFIERS = (
    Ban("why_not", "reason, problem"),
    Ban("found|own", "a name for what it is", LIBRARY),
    Ban("intervene", "pin, ablate"),
    Ban("((trained|read|made)_)?elsewhere", "pretrained"),
)
PROSE = (
    Ban(r"\btold\b(?! (from|apart))", "declared, given"),
    Ban(r"\bdealt\b(?! with)|(?<!great\s)(?<!good\s)\bdeals?\b(?! with)", "permuted, permutation, split by hash"),
    Ban(r"\badopt(s|ed|ing)?\b", "import, imported"),
    Ban(r"\bmay look\b|\bmay attend to whom\b", "attention mask"),
    Ban(r"\blikes\b", "top-activating tokens; auto: where the hardware supports it"),
    Ban(r"\b(slopes?|pulls?)\b", "gradient", ("sae",)),
    Ban(rf"\b(hold|holds|holding|held) ((a|an|the|one|each|this|its|random|live|single) )*{UNIT}\b", "pin"),
    Ban(rf"\b{UNIT} ((that|which) )?((is|are|was|were|be|been) )?held\b(?![\s-]out)", "pinned"),
    Ban(r"\bheld (at|and free|less free|in the same way)\b|\bfree, held\b|\bfree and held\b", "pinned"),
    Ban(r"\b(trained|made|found) (here or )?elsewhere\b", "pretrained"),
    Ban(r"\bof this run would (lie|stand)\b|\bwhere (trained ones|they|it) lies?\b", "is"),
    Ban(r"\blies? (there|beside|here|where)\b", "is"),
    Ban(r"\bthat lies? on this machine\b", "that is on this machine"),
    Ban(r"\bstands? (at the top|beside|there|here|where)\b|\b(what|may|can) stands? (in|on|there)\b", "is"),
    Ban(r"\bsays of itself\b|\bdoes not mind\b", "declares; is indifferent"),
    Ban(r"\bTODO\b|\bFIXME\b|\bXXX\b", "an issue"),
)  # fmt: skip
FIRST_WORDS = {"what", "whether", "how", "which"}

EXEMPT: tuple[tuple[str, str], ...] = (
    ("paper/prompts/angry.yaml", "the deal fell through"),
    ("scripts/monosem/toy/experiments/absorption.py", "child_leans_on_parent"),  # a key of result.json
    ("tests/unit/toy/test_absorption.py", "child_leans_on_parent"),
)
"""(file, part of the line)."""


class Finding(NamedTuple):
    path: str
    line: int
    word: str
    write: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word!r}; write: {self.write}"


def words_of(identifier: str) -> list[str]:
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", identifier).lower().replace("held_out", "heldout").split("_")


def in_identifier(identifier: str, room: str) -> Iterator[tuple[str, str]]:
    if identifier.startswith("test_"):  # a sentence
        yield from ((identifier, write) for _, _, write in in_prose(identifier.replace("_", " "), room, 1))
        return
    for ban in IDENTIFIERS:
        if room in ban.rooms and any(re.fullmatch(ban.pattern, word) for word in words_of(identifier)):
            yield identifier, ban.write
    for ban in WHOLE_IDENTIFIERS:
        if room in ban.rooms and re.fullmatch(ban.pattern, identifier):
            yield identifier, ban.write


def in_prose(text: str, room: str, first_line: int) -> Iterator[tuple[int, str, str]]:
    for ban in PROSE:
        if room in ban.rooms:
            for match in re.finditer(ban.pattern.replace(" ", r"\s+"), text, re.I):
                yield first_line + text.count("\n", 0, match.start()), " ".join(match.group().split()), ban.write


def in_code(source: str, room: str) -> Iterator[tuple[int, str, str]]:
    """Findings in Python or Snakemake code: identifiers, comments, strings and how docstrings begin."""
    prose = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", None)}
    layout = {tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT, tokenize.ENCODING}
    before = tokenize.ENCODING
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        line = token.start[0]
        if token.type == tokenize.NAME:
            yield from ((line, *finding) for finding in in_identifier(token.string, room))
        elif token.type in prose:
            yield from in_prose(token.string, room, line)
            text = token.string.strip("rf\"'")
            if re.fullmatch(r"\w+", text):  # a key of a document
                yield from ((line, *finding) for finding in in_identifier(text, room))
        if token.type == tokenize.STRING and before in layout and token.string.startswith('"""'):
            first = re.match(r"\w*", token.string[3:]).group()
            if first.lower() in FIRST_WORDS:
                yield line, f"{first} …", "a docstring that begins with what is returned or done"
        before = token.type


def trailing_comments(source: str) -> Iterator[tuple[int, str, str]]:
    """Fields of dataclasses and named tuples that a trailing comment documents."""
    comments = {
        token.start[0]: token.string for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }  # fmt: skip
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            for field in node.body:
                comment = isinstance(field, ast.AnnAssign) and comments.get(field.end_lineno)
                if comment and not re.match(r"# (fmt|noqa|type|ruff)\b", comment):
                    yield field.lineno, comment, "a docstring under the field"


def findings(path: Path, room: str) -> list[Finding]:
    room = "tests" if path.parts[0] == "tests" else room
    source = path.read_text(encoding="utf-8")
    code = path.suffix in (".py", ".smk") or path.name == "Snakefile"
    made = list(in_code(source, room) if code else in_prose(source, room, 1))
    if path.suffix == ".py":
        made += trailing_comments(source)
    lines = source.splitlines()
    return [
        Finding(str(path), *finding)
        for finding in sorted(set(made))
        if not any(str(path) == file and part in lines[finding[0] - 1] for file, part in EXEMPT)
    ]


def findings_of(room: str) -> list[Finding]:
    files = sorted({path for pattern in ROOMS[room] for path in Path().glob(pattern) if path.is_file()})
    return [each for path in files if path.resolve() != Path(__file__).resolve() for each in findings(path, room)]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_uses_the_words_of_the_field(room):
    made = findings_of(room)
    assert not made, "\n" + "\n".join(map(str, made))


@pytest.mark.parametrize(
    "source, words",
    [
        ('"""What it is."""\n', ["What …"]),
        ("class A:\n    x: int  # width\n    y: int\n", ["# width"]),
        ("def hold(unit):\n    held_out = unit\n", ["hold"]),
        ('x = f"{y} was trained elsewhere"\n', ["trained elsewhere"]),
        ("# ablate or hold the latent; hold it against torch\n", ["hold the latent"]),
        ("heldOut = {'dealt': 1}\n", ["dealt"]),
        ("found = 1  # what was found\n", ["found"]),
        ("def told_of():\n    '''a\n    latents\n    held at 3'''\n", ["told_of", "latents held", "held at"]),
    ],
)
def test_a_banned_word_is_found(source, words, tmp_path):
    path = tmp_path / "a.py"
    path.write_text(source.replace("'''", '"""'))
    assert {finding.word for finding in findings(path, "core")} == set(words)


if __name__ == "__main__":
    import sys

    for name in sys.argv[1:] or ROOMS:
        print(*findings_of(name), sep="\n")
