"""Text of labelled contexts that the corpus does not have: certificates, and the translations of a web framework.

Files are read, never imported.
"""

import ast
import importlib.util
import re
from pathlib import Path

from scripts.monosem.text.normalise import normalise

LANGUAGES = {
    "arabic": "ar", "hebrew": "he", "persian": "fa", "russian": "ru", "greek": "el", "japanese": "ja", "korean": "ko",
    "chinese": "zh_Hans",
}  # fmt: skip
PACKAGES = ("certifi", "django")
CHARACTERS = 400
"""Of a document of messages, about."""
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n(.*?)\n-----END", re.DOTALL)
_MESSAGE = re.compile(r'^msgstr(?:\[\d\])? ((?:"(?:[^"\\]|\\.)*"\n?)+)', re.MULTILINE)


def _folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def messages(catalogue: str) -> list[str]:
    """Translations in a gettext catalogue, in order, without its header."""
    translated = [
        "".join(map(ast.literal_eval, match.group(1).strip().split("\n"))) for match in _MESSAGE.finditer(catalogue)
    ]
    return [text for text in map(normalise, translated[1:]) if text]


def translations(folder: Path, language: str) -> list[str]:
    """Documents of about CHARACTERS characters: the different messages of all catalogues of a language."""
    paths = sorted(folder.glob(f"**/locale/{language}/LC_MESSAGES/django.po"))
    texts = dict.fromkeys(text for path in paths for text in messages(path.read_text(encoding="utf-8")))
    documents, size = [[]], 0
    for text in texts:
        if size > CHARACTERS:
            documents.append([])
            size = 0
        documents[-1].append(text)
        size += len(text)
    return ["\n".join(document) for document in documents if document]


def texts() -> dict[str, list[str]]:
    """Documents of base64 (certificates) and of every language (translations), as far as the packages are installed."""
    documents_of: dict[str, list[str]] = {}
    if certificates := _folder("certifi"):
        documents_of["base64"] = _CERTIFICATE.findall((certificates / "cacert.pem").read_text(encoding="utf-8"))
    if django := _folder("django"):
        documents_of |= {name: translations(django, language) for name, language in LANGUAGES.items()}
    return {name: documents for name, documents in documents_of.items() if documents}
