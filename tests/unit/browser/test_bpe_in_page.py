"""The tokenizer of the page has the ids of the project's, for any text."""

import codecs
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.monosem.browser import pack
from scripts.monosem.text import bpe
from tests.helpers.javascript import Engine, as_text

TEXTS = [
    "", " ", "The user's array isn't we'll they've I'd I'm", "def f(x):\n\treturn x ** 2  \n\n\n    # done\r\n",
    "السلام عليكم ورحمة الله", "שלום עולם", "ACGTTGCA" * 4, "x\u00a0y\u2003z\u0085w\ufeffv\u3000u\u200bt\u180e",
    "½ ² ٣ 四 Ⅷ १२३ 1234567", "👩\u200d👩\u200d👧 🇩🇪 e\u0301 \U0001d54f \U0010ffff",
    "<|endoftext|> is plain", "'S 'll 'LL",
    "tab\t tab\x0b\x0c\x1c\x1d\x1e\x1f end", "naïve Ångström ß ﬁ İı",
]  # fmt: skip


@pytest.fixture(scope="module")
def both():
    text = " ".join(TEXTS) + "the array of the user returns the value of the function. " * 30
    tokenizer = bpe.train_bpe([text] * 3, 420)
    tokenizer.encode_special_tokens = True
    engine = Engine()
    engine.keep("tokenizer", "return core.openTokenizer(it)", it=pack.tokenizer_document(tokenizer))
    return tokenizer, engine


def ids_of(engine, texts):
    return engine.run("return texts.map((text) => core.encode(tokenizer, text))", texts=texts)


def test_known_texts(both):
    tokenizer, engine = both
    assert ids_of(engine, TEXTS) == [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=20))
def test_any_text(both, texts):
    tokenizer, engine = both
    assigned = ["".join(c for c in text if unicodedata.category(c) != "Cn") for text in texts]
    ids = ids_of(engine, assigned)
    assert ids == [tokenizer.encode(text, add_special_tokens=False).ids for text in assigned]
    assert engine.run("return ids.map((each) => core.decode(tokenizer, each))", ids=ids) == assigned


def test_every_assigned_character_is_of_the_same_class(both):
    """Between letters, digits and signs, each character of Unicode's base plane starts or continues the same words."""
    tokenizer, engine = both
    points = [p for p in range(0x20, 0x10000) if unicodedata.category(chr(p)) not in ("Cn", "Cs", "Co")]
    texts = [
        "".join(f"a{chr(p)}1{chr(p)}.{chr(p)} {chr(p)}\n" for p in points[i : i + 500])
        for i in range(0, len(points), 500)
    ]
    assert ids_of(engine, texts) == [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


def test_half_a_surrogate_pair_is_a_replacement_character(both):
    _, engine = both
    made = engine.run(r'return core.decode(tokenizer, core.encode(tokenizer, "a\ud83d b"))')
    assert made == "a\ufffd b"


def test_utf8_is_python_s():
    codecs.register_error("bytes_by_number", lambda e: (f"<{e.object[e.start]}>", e.start + 1))
    engine = Engine()
    for content in (b"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", b"\xff\xc3(\xe2\x82", b"\xed\xa0\x80\xc0\x80\xf5\x80"):
        shown = engine.run("return core.utf8Text(core.fromBase64(it), (b) => `<${b}>`)", it=as_text(content))
        assert shown == content.decode("utf-8", "bytes_by_number")


def test_a_character_over_several_tokens_is_shown_at_the_last(both):
    _, engine = both
    bytes_alone = {"vocabulary": [chr(c) for c in range(33, 127)], "merges": []}
    assert engine.run("return core.pieces(core.openTokenizer(it), [0, 1])", it=bytes_alone) == ["!", '"']
    pieces = engine.run(
        "const ids = core.utf8Bytes('a€\\nx').map((b) => tokenizer.ids.get(tokenizer.characters[b]));"
        "return [core.pieces(tokenizer, ids), core.pieces(tokenizer, [...ids.slice(1, 3), ids[0]])]"
    )
    assert pieces == [["a", "…", "…", "€", "⏎", "x"], ["…", "…", "⟨E2⟩⟨82⟩a"]]


def test_safetensors_and_float16():
    half = np.array([0, -0.0, 1, -2.5, 65504, 6e-8, 0.1, np.inf], np.float16)
    content = pack.file_bytes(
        {"h": half, "i": np.array([[-128, 127]], np.int8), "u": np.array([7], np.uint32)}, {"a": "ä"}
    )
    made = Engine().run(
        "const file = core.readSafetensors(core.fromBase64(it));"
        "return [Array.from(file.tensors.h.data, String), Array.from(file.tensors.i.data), file.tensors.i.shape,"
        " Array.from(file.tensors.u.data), file.document]",
        it=as_text(content),
    )
    assert [float(x.replace("Infinity", "inf")) for x in made[0]] == half.astype(float).tolist()
    assert made[1:] == [[-128, 127], [1, 2], [7], {"a": "ä"}]
