"""docs/code.md agrees with the code: rules, files, glossary (the import table: test_rooms.py)."""

import re
from pathlib import Path

import pytest

from scripts.monosem.reporting.ledger import claims
from tests.unit.test_rooms import LIBRARY

PAGE = Path("docs/code.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """Text below a heading."""
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S).group(1)


def rows(title: str) -> list[list[str]]:
    """Cells of the first table of a section, without its head."""
    table = re.search(r"^\|.*?(?=^[^|]|\Z)", section(title), re.M | re.S).group()
    return [[cell.strip() for cell in line.strip("|\n").split(" | ")] for line in table.splitlines()[2:]]


def test_every_rule_is_in_the_data_flow():
    rules = re.findall(r"^rule (\w+):", "".join(path.read_text() for path in Path("rules").glob("*.smk")), re.M)
    assert sorted(name for row in rows("Data flow") for name in re.findall(r"`(\w+)`", row[0])) == sorted(rules)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w./]+/[\w.]*\w\.(?:py|yaml|smk))\b", PAGE))))
def test_named_files_exist(path):
    assert Path(path).is_file() or (LIBRARY / path).is_file()


def test_files_that_comments_name_exist():
    files = {path.name for path in Path("scripts").rglob("*.py")} | {
        "convert_hf_to_gguf.py",
        "eval_output.py",
    }  # others'
    named = {
        (str(path), name)
        for path in Path("scripts").rglob("*.py")
        for name in re.findall(r"\b\w+\.py\b", path.read_text(encoding="utf-8"))
    }
    assert not [each for each in sorted(named) if each[1] not in files]


@pytest.mark.parametrize("title", ["Glossary", "Axis names"])
def test_terms_are_listed_once(title):
    terms = [row[0] for row in rows(title)]
    assert len(set(terms)) == len(terms)


def test_the_glossary_is_in_alphabetical_order():
    terms = [row[0].lower() for row in rows("Glossary")]
    assert terms == sorted(terms)


def test_claims_of_the_ledger_page_exist_or_are_out():
    """Names in the last column of its table are claims; those of the first are, or are said to be out or replaced."""
    text = Path("docs/ledger.md").read_text(encoding="utf-8")
    table = text[text.index("## Conditions") :]
    cells = [line.strip("|").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    known = {each.id for each in claims.ALL}
    assert len(cells) > 25 and all(len(row) == 3 for row in cells)
    for was, _, now in cells:
        assert set(re.findall(r"`([a-z0-9-]+)`", now)) <= known
        replaced = re.match(r"\s*(Out|(One|Four) claims? |One claim for each)", now)
        assert replaced or set(re.findall(r"`([a-z0-9-]+)`", was)) <= known, was
