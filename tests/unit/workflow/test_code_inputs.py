"""A rule watches every module that its script imports, late imports included, and no other."""

import ast
from pathlib import Path

import pytest

from scripts.monosem.sae.architectures import ARCHITECTURES
from scripts.monosem.workflow import code_inputs


@pytest.fixture
def repository(tmp_path):
    files = {
        "scripts/__init__.py": "",
        "scripts/lib/__init__.py": "",
        "scripts/lib/a.py": "import os\nfrom scripts.lib import b\n",
        "scripts/lib/b.py": "def late():\n    from scripts.lib.sub.c import thing\n",
        "scripts/lib/sub/__init__.py": "",
        "scripts/lib/sub/c.py": "import scripts.lib.a\nthing = 1\n",
        "scripts/lib/unused.py": "",
        "scripts/train.py": '"""from scripts.lib import unused"""\nfrom scripts.lib import a as first\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_closure_follows_imports_at_any_depth_and_survives_circles(repository):
    found = code_inputs.closure(Path("scripts/train.py"), repository)
    packages = ["scripts/__init__.py", "scripts/lib/__init__.py", "scripts/lib/sub/__init__.py"]
    assert found == sorted(
        [*packages, "scripts/lib/a.py", "scripts/lib/b.py", "scripts/lib/sub/c.py", "scripts/train.py"]
    )


def test_closure_of_a_script_that_is_not_there_is_its_name(repository):
    assert code_inputs.closure(Path("scripts/missing.py"), repository) == ["scripts/missing.py"]


def test_training_of_an_autoencoder_watches_the_trainer_and_not_the_plots():
    found = code_inputs.closure(Path("scripts/train_sae.py"))
    assert {"scripts/train_sae.py", "scripts/monosem/sae/training/loop.py", "scripts/monosem/core/artefacts.py"} <= set(
        found
    )
    assert {f"scripts/monosem/sae/architectures/{name}.py" for name in ARCHITECTURES} <= set(found), "imported by name"
    assert "scripts/monosem/sae/losses/auxk.py" in found
    assert not [path for path in found if "figures" in path or path.endswith(("job.py", "session.py"))]


def loaded(path):
    """Packages that a file imports when it is imported, late imports left out."""
    for node in ast.parse(Path(path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def test_scripts_of_figures_and_reports_load_no_torch():
    heavy = {"torch", "transformers"}
    for rule in ("plot_models", "plot_fidelity", "plot_interpretation", "collect_metrics", "compile_report"):
        for path in code_inputs.closure(Path(f"scripts/{rule}.py")):
            assert heavy.isdisjoint(loaded(path)), f"{rule} loads {path}"
    assert "torch" in loaded("scripts/monosem/sae/training/loop.py"), "so that the check can fail"
