"""The house: every file in its room, and a room imports only from the rooms named beside it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "scripts.monosem"
LIBRARY = Path("scripts/monosem")

RESULT_TYPES = (
    "evaluation.documents", "evaluation.fidelity.document", "evaluation.latents.document",
    "evaluation.prompts.document", "evaluation.interventions.document",
)  # fmt: skip
# Room -> what of ours it may import: whole rooms, or single modules of one. The order is that of the data.
MAY_IMPORT = {
    "core": (),
    "metrics": (),
    "text": ("core",),
    "models": ("core", "text"),
    "activations": ("core", "text", "models"),
    "sae": ("core",),
    "toy": ("core", "metrics", "sae"),
    "evaluation": ("core", "metrics", "text", "models", "activations", "sae"),
    "browser": ("core", "metrics", "text", "models", "activations", "sae", "evaluation"),
    # torch-free
    "figures": (
        "core", "text.visible", "sae.architectures", "models.site_names",
        "evaluation.fidelity.by_layer", *RESULT_TYPES,
        "toy.geometry", "toy.neuron_roles", "toy.polytopes", "toy.theory",
    ),
    "reporting": (
        "core", "metrics.bootstrap", "metrics.permutation", "text.visible", "sae.architectures", "models.site_names",
        "evaluation.fidelity.by_layer", *RESULT_TYPES,
    ),
    "workflow": (
        "core", "text.external", "text.natural_rules", "sae.architectures", "sae.config", "sae.formats", "toy.settings",
        "models.families", "models.site_names", "models.model_folder", "models.cost", "models.source", "models.fit",
        "models.shipped", "browser.names",
    ),
}  # fmt: skip


def imports_of(path: Path) -> Iterator[str]:
    """Modules of the library that a file imports, late imports too, as `room.module[.name]`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix(f"{PACKAGE}.") for name in names if name.startswith(f"{PACKAGE}."))


def within(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in allowed)


def violations(path: Path, room: str) -> list[str]:
    allowed = (room, *MAY_IMPORT[room])
    return [f"{path} imports {name}" for name in imports_of(path) if not within(name, allowed)]


def test_every_file_is_in_a_room():
    assert {path.name for path in LIBRARY.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(MAY_IMPORT)
    assert [path.name for path in LIBRARY.glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_the_table_allows(room):
    found = [line for path in sorted((LIBRARY / room).rglob("*.py")) for line in violations(path, room)]
    assert not found, "\n".join(found)


def test_the_table_has_no_circle():
    """Whole rooms come before those that import them, so that no import can lead back."""
    before: set[str] = set()
    for room, allowed in MAY_IMPORT.items():
        assert {each.split(".")[0] for each in allowed} <= before, room
        before.add(room)


def test_the_map_of_the_documentation_has_this_table():
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| (.*) \|$", Path("docs/code.md").read_text(encoding="utf-8"), re.M)
    table = {room: tuple(re.findall(r"`([\w.]+)`", allowed)) for room, allowed in rows if room in MAY_IMPORT}
    assert table == MAY_IMPORT, "write the table of imports in docs/code.md anew"


def test_an_import_upward_is_found(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("def late():\n    from scripts.monosem.evaluation.fidelity import run\n")
    assert violations(path, "sae") == [f"{path} imports evaluation.fidelity.run"]
    path.write_text(
        "from scripts.monosem.sae.architectures import ARCHITECTURES\nfrom scripts.monosem.core import job\n"
    )
    assert violations(path, "figures") == []


def test_the_tests_mirror_the_rooms():
    folders = {path.parent.relative_to("tests/unit") for path in Path("tests/unit").rglob("test_*.py")}
    assert {folder.parts[0] for folder in folders if folder.parts} <= set(MAY_IMPORT)
    missing = [str(folder) for folder in folders if not (LIBRARY / folder).is_dir()]
    assert not missing
