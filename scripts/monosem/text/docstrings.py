"""The text that every machine has: the documentation of installed Python packages and of the standard library.

Files are parsed, never imported. What counts as documentation: docstrings of modules, classes and functions; long
strings handed to a function or bound to a name that has `doc` in it (torch's `add_docstr`, numpy's `add_newdoc`, the
language reference in `pydoc_data.topics`); and files of prose (.rst, .md, .txt) beside the code.
"""

import ast
import gc
import importlib.metadata
import importlib.util
import inspect
import re
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core import job as job_log
from scripts.monosem.text.normalise import normalise

STANDARD_LIBRARY = "stdlib"
SKIPPED_FOLDERS = {
    "__pycache__", "site-packages", "dist-packages", "test", "tests", "testing", "idle_test", "idlelib", "turtledemo",
    "lib2to3", "ensurepip", "_vendor", "vendor", "vendored", "third_party", "include", "licenses",
}  # fmt: skip
PROSE_SUFFIXES = {".rst", ".md", ".txt"}
LONG_STRING = 200
"""Characters; shorter strings in a call or an assignment are rarely documentation."""
_NOT_PROSE = re.compile(r"licen[cs]e|notice|grammar|copying|requirements|top_level|record", re.IGNORECASE)
_PLACEHOLDER_LINE = re.compile(r"^[ \t]*(\{\w*\}|%\(\w+\)s)[ \t]*\n?", re.MULTILINE)
_DOCUMENTED = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class FileText:
    """Documentation of one file."""

    source: str
    """Package name, or `stdlib`."""
    file: str
    """Path below the folder that holds the package, with forward slashes."""
    texts: tuple[str, ...]
    """Normalised, in the order of the file."""
    not_unicode: int
    """Texts left out because they hold lone surrogates."""
    problem: str | None
    """Why the file was skipped, or None."""


def strings_below(node: ast.AST) -> Iterator[str]:
    """All string constants in an expression."""
    for child in ast.walk(node):
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield child.value


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    return getattr(node, "id", getattr(node, "attr", ""))


def _doc_strings(statement: ast.stmt) -> Iterator[str]:
    """Long strings of `add_docstr(f, '''…''')`, `_f_doc = '''…'''` and `topics = {name: '''…'''}`."""
    value = getattr(statement, "value", None)
    if isinstance(statement, ast.Expr) and isinstance(value, ast.Call):
        named = "doc" in _name(value.func).lower()
    elif isinstance(statement, ast.Assign) and value is not None:
        name = _name(statement.targets[0]).lower()
        named = "doc" in name or (name == "topics" and isinstance(value, ast.Dict))
    else:
        return
    if named:
        for text in strings_below(value):
            if len(text) >= LONG_STRING:
                yield _PLACEHOLDER_LINE.sub("", text).replace("{{", "{").replace("}}", "}")


def docstrings(source: str | bytes) -> list[str]:
    """Documentation in Python source, each dedented as `inspect.getdoc` shows it, in the order of the file.

    Raises: SyntaxError, ValueError, RecursionError for source that this Python cannot parse.
    """
    texts: list[str] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, (ast.Module, *_DOCUMENTED)):
            text = ast.get_docstring(node, clean=False)
            if text:
                texts.append(inspect.cleandoc(text))
        for field in ("body", "orelse", "handlers", "finalbody"):
            for child in getattr(node, field, ()):
                if isinstance(child, (ast.Expr, ast.Assign)):
                    texts.extend(inspect.cleandoc(text) for text in _doc_strings(child))
                else:
                    visit(child)

    visit(ast.parse(source))
    return texts


def is_prose(text: str) -> bool:
    """True if most words are plain words: tables of numbers, grammars and lists of names are not prose."""
    words = text.split()
    plain = sum(1 for word in words if word.strip(".,;:()\"'`*").isalpha())
    return len(words) >= 40 and plain >= 0.6 * len(words)


def read_file(job: tuple[str, str, str]) -> FileText:
    """Documentation of one file; a file that does not parse or decode is skipped, with the reason."""
    source, root, file = job
    content = (Path(root) / file).read_bytes()
    try:
        if file.endswith(".py"):
            has_text = b'"""' in content or b"'''" in content or b"topics" in content
            raw = docstrings(content) if has_text else []
        else:
            text = content.decode("utf-8")
            raw = [text] if is_prose(text) else []
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return FileText(source, file, (), 0, f"{type(error).__name__}: {error}")
    texts, not_unicode = [], 0
    for text in raw:
        try:
            texts.append(normalise(text))
        except ValueError:
            not_unicode += 1
    return FileText(source, file, tuple(texts), not_unicode, None)


def package_root(name: str) -> tuple[Path, str]:
    """Folder that holds a package and the package's entry in it, found without importing it.

    Raises: ArtefactError when it is not installed.
    """
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or not (spec.submodule_search_locations or spec.origin):
        raise artefacts.ArtefactError(
            f"config.yaml: corpus.installed.packages names '{name}', which is not installed; "
            "install it, or take it out of the list"
        )
    place = Path(next(iter(spec.submodule_search_locations or [spec.origin])))
    return place.parent, place.name


def list_files(root: Path, entry: str = "") -> list[str]:
    """Python and prose files below root/entry, sorted, without tests, vendored code and licences."""
    top = root / entry
    paths = [top] if top.is_file() else top.rglob("*")
    files = []
    for path in paths:
        relative = path.relative_to(root)
        if SKIPPED_FOLDERS.intersection(relative.parts[:-1]) or not path.is_file():
            continue
        prose = path.suffix in PROSE_SUFFIXES and not _NOT_PROSE.search(path.name)
        if path.suffix == ".py" or prose:
            files.append(relative.as_posix())
    return sorted(files)


def versions(packages: list[str], standard_library: bool) -> dict[str, str]:
    """Version of the distribution that each package came from, and of Python."""
    distributions = importlib.metadata.packages_distributions()
    of_packages = {
        name: importlib.metadata.version(distributions[name][0]) for name in packages if name in distributions
    }
    return of_packages | ({STANDARD_LIBRARY: ".".join(map(str, sys.version_info[:3]))} if standard_library else {})


def _start_worker() -> None:
    gc.disable()  # parsing makes millions of small objects, none of them in cycles
    warnings.simplefilter("ignore")  # invalid escapes in other people's strings


def collect(packages: list[str], standard_library: bool, threads: int = 1) -> list[FileText]:
    """Read every package of the list; the order of the result does not depend on `threads`.

    Raises: ArtefactError for a package that is not installed.
    """
    jobs: list[tuple[str, str, str]] = []
    for name in packages:
        root, entry = package_root(name)
        jobs += [(name, str(root), file) for file in list_files(root, entry)]
    if standard_library:
        root = Path(sysconfig.get_paths()["stdlib"])
        jobs += [(STANDARD_LIBRARY, str(root), file) for file in list_files(root)]
    progress = job_log.Progress(len(jobs), "files")
    results = []
    with ProcessPoolExecutor(max(1, threads), initializer=_start_worker) as pool:
        for done, result in enumerate(pool.map(read_file, jobs, chunksize=32), 1):
            results.append(result)
            progress.update(done)
    return results
