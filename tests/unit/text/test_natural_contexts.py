"""Contexts of natural text: what the rules find, and which tokens are labelled; text from elsewhere."""

import numpy as np
import pytest
from tokenizers import Tokenizer, models

from scripts.monosem.core import artefacts
from scripts.monosem.text import bpe, corpus, natural_contexts, natural_rules, tokens, unseen

TEXT = """Returns the sum, see https://a.example/b?c=d, and [1]_.

    >>> f(0x1fe3, 2)
    array([[1.5, 2., -3e-4],
           [4, 5, 6]])

.. versionadded:: 1.2
   Since :math:`e^{i}` holds, id deadbeef99 is free (4 of 7 days).

.. math::

   \\sum_i x_i

Prose again.

.. [1] A. Author, "A title",
   A journal.

Nothing here: facade, 12345678, 1.2, a list of (1, 2, 3).
"""


def found(context: str) -> list[str]:
    text = TEXT.encode()
    return [text[start:end].decode().strip() for start, end in natural_rules.spans(text, context)]


@pytest.mark.parametrize(
    "context, spans",
    [
        ("doctest", ["f(0x1fe3, 2)"]),
        ("url", ["https://a.example/b?c=d,"]),
        ("numbers", ["[[1.5, 2., -3e-4],\n           [4, 5, 6]])"]),
        ("latex", ["e^{i}", "\\sum_i x_i"]),
        ("directive", [".. versionadded:: 1.2", ".. math::"]),
        ("citation", ['A. Author, "A title",\n   A journal.']),
        ("hexadecimal", ["1fe3", "deadbeef99"]),
    ],
)
def test_rules_find_their_contexts_and_nothing_else(context, spans):
    assert found(context) == spans


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    folder = tmp_path_factory.mktemp("natural")
    documents = [corpus.Document("a", split, f"{split} {TEXT}") for split in corpus.SPLITS]
    documents.append(corpus.Document("planted", "test", "planted https://a.example/", ((0, 5, "dna"),)))
    corpus.write(documents, folder / "documents.jsonl")
    bpe.train_tokenizer(folder / "documents.jsonl", 400, folder / "tokenizer.json", folder / "config.json")
    tokens.tokenize_corpus(folder / "documents.jsonl", folder / "tokenizer.json", folder / "tokens")
    return tokens.load_tokens(folder / "tokens", "test"), bpe.load_tokenizer(folder / "tokenizer.json")


def test_bytes_of_tokens_are_those_of_the_text(stream):
    pieces = natural_contexts.token_bytes(stream[1])
    for text in ("naïve £ שלום 123\n\t", TEXT):
        assert b"".join(pieces[token] for token in stream[1].encode(text).ids) == text.encode()


def test_a_tokenizer_of_another_kind_is_refused():
    with pytest.raises(artefacts.ArtefactError, match="byte-level"):
        natural_contexts.token_bytes(Tokenizer(models.WordLevel({"\u2581a": 0})))


def test_labels_are_those_of_the_tokens_last_bytes_and_planted_documents_have_none(stream):
    read, tokenizer = stream
    pieces = natural_contexts.token_bytes(tokenizer)
    labels = natural_contexts.label(read, pieces, len(read.characters))
    assert labels.shape == (len(read.tokens), len(natural_rules.CONTEXTS))
    inside = np.asarray(read.tokens)[labels[:, natural_rules.CONTEXTS.index("url")]]
    assert b"".join(pieces[token] for token in inside).strip() == b"https://a.example/b?c=d,"
    only = natural_contexts.label(read, pieces, 1)
    assert (only == labels[: len(only)]).all() and len(only) == read.documents[1]


CATALOGUE = """msgid ""
msgstr ""
"Language: ar\\n"

msgid "Yes"
msgstr "\\u0646\\u0639\\u0645"

msgid "%d day"
msgid_plural "%d days"
msgstr[0] "one"
msgstr[1] ""
"two "
"lines"

msgid "Untranslated"
msgstr ""
"""


def test_messages_of_a_catalogue_without_its_header_and_gaps():
    assert unseen.messages(CATALOGUE) == ["\u0646\u0639\u0645", "one", "two lines"]


def test_translations_are_documents_of_different_messages(tmp_path):
    for place in ("a", "b/c"):
        folder = tmp_path / place / "locale/ar/LC_MESSAGES"
        folder.mkdir(parents=True)
        (folder / "django.po").write_text(CATALOGUE, encoding="utf-8")
    assert unseen.translations(tmp_path, "ar") == ["\u0646\u0639\u0645\none\ntwo lines"]
    assert unseen.translations(tmp_path, "he") == []


def test_text_from_elsewhere_is_in_its_script():
    texts = unseen.texts()
    assert set(texts) == {"base64", *unseen.LANGUAGES}
    assert all("\u0590" <= max(document) <= "\u05ff" for document in texts["hebrew"][:5])
    assert len(texts["base64"]) > 50 and all("CERTIFICATE" not in document for document in texts["base64"])
