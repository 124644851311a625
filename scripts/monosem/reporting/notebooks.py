"""Notebooks kept as jupytext percent sources, executed by papermill on results, exported to HTML."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scripts.monosem.core.artefacts import ArtefactError, atomic_path

KERNEL = "python3"


def located(value: str, files: Iterable[str]) -> str:
    """A parameter that names a result, or a folder of some, as the job has it: a copy out of a bucket, perhaps."""
    for path in files:
        before, name, after = path.partition(value)
        if "/" in value and name and (not after or after.startswith("/")):  # the name of a site is no folder
            return before + name
    return value


def check_parameters(notebook: Path, parameters: dict[str, Any]) -> None:
    """Refuse a parameter that the notebook does not have: papermill itself would only warn.

    Raises: ArtefactError with the nearest name.
    """
    import papermill

    known = papermill.inspect_notebook(str(notebook))
    for name in parameters:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            hint = f"; the nearest is '{nearest[0]}'" if nearest else "; it has no cell tagged 'parameters'"
            raise ArtefactError(f"{notebook}: the notebook has no parameter '{name}'{hint}")


def prepare(source: str | Path, path: str | Path) -> None:
    """Turn a percent source into an .ipynb whose kernel is named, lest another one is chosen."""
    import jupytext

    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata["kernelspec"] = {"name": KERNEL, "display_name": "Python 3", "language": "python"}
    jupytext.write(notebook, path, fmt="ipynb")


def execute(source: str | Path, parameters: dict[str, Any], trace: str | Path, timeout_s: int = 600) -> None:
    """Run a percent source with parameters in the current folder; the notebook as far as it got stays at `trace`.

    Raises: ArtefactError for unknown parameters; papermill's error for a cell that fails.
    """
    import papermill

    trace = Path(trace)
    trace.parent.mkdir(parents=True, exist_ok=True)
    prepare(source, trace)
    check_parameters(trace, parameters)
    papermill.execute_notebook(
        str(trace),
        str(trace),
        parameters=parameters,
        kernel_name=KERNEL,
        progress_bar=False,
        log_output=True,
        execution_timeout=timeout_s,
    )


def publish(trace: str | Path, path_to_notebook: str | Path, path_to_html: str | Path) -> None:
    """Copy the executed notebook and its HTML (results shown, code folded away) to where they belong."""
    import nbformat
    from nbconvert import HTMLExporter

    notebook = nbformat.read(str(trace), as_version=4)
    with atomic_path(path_to_notebook) as temporary:
        nbformat.write(notebook, str(temporary))
    exporter = HTMLExporter(exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True)
    exporter.mathjax_url = exporter.require_js_url = exporter.jquery_url = ""  # the page opens without a network
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": Path(path_to_html).stem}})
    with atomic_path(path_to_html) as temporary:
        temporary.write_text(page, encoding="utf-8")
