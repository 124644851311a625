"""One look for every figure: the same bytes each time, no image too large, no torch."""

import html
import re
import subprocess
import sys
import warnings
import xml.etree.ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import font_manager
from matplotlib.font_manager import FontProperties

from scripts.monosem.core import artefacts
from scripts.monosem.figures import canvas, style, text_activations
from scripts.monosem.text.visible import visible


def draw(n=20):
    figure = style.new_figure(height=2.0)
    axes = figure.subplots()
    axes.plot(np.arange(n), np.arange(n) ** 2, "o-")
    axes.set(xlabel="steps", ylabel="loss")
    return figure


def test_svg_and_png_have_the_same_bytes_each_time_and_text_stays_text(tmp_path):
    first, again = (style.save_figure(draw(), tmp_path / name) for name in ("a.b", "c"))
    assert first[0].name == "a.b.svg" and first[1].name == "a.b.png"
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    svg = first[0].read_text()
    assert ">loss</text>" in svg and "<dc:date>" not in svg


def test_a_figure_that_is_too_large_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(artefacts.ArtefactError, match=r"big\.svg"):
        style.save_figure(draw(20_000), tmp_path / "big")
    assert list(tmp_path.iterdir()) == []


def test_figure_jobs_of_the_toy_chapter_do_not_load_torch():
    code = "import sys, scripts.plot_toy; sys.exit('torch' in sys.modules or 'matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


TOKENS = [
    "$$", "$x^2$", r"\frac{1}", r"\$", "_{", "</script>", "<b>&amp;", "a|b`c", "\x00\x1b[0m", "\ud83d", "\ufffe",
    "\u202eabc", "שלום", "مرحبا", "中文", "日本語", "한국어", "ไทย", "नमस्ते", "👩‍🚀", "𐤀", "e\u0301", "\u200b", "",
]  # fmt: skip
"""Any of them is a token of some tokenizer."""


def draw_tokens(tokens):
    """The figure of a text of these tokens."""
    heat = {"index": [3], "activations": [[float(number)] for number in range(len(tokens))]}
    best = [{"latent": 1, "max_activation": 1.0, "strongest_on": token} for token in tokens]
    return text_activations.text({"tokens": tokens, "neurons": heat, "latents": heat, "top_latents": best}, "mlp")


def texts_of(svg):
    """Texts of an SVG file, which has to be whole XML."""
    root = xml.etree.ElementTree.fromstring(svg)
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_any_token_reaches_a_figure_as_itself(tmp_path):
    names = [visible(token, space="·") for token in TOKENS]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg, png = style.save_figure(draw_tokens(names), tmp_path / "tokens")
    written = texts_of(svg.read_text(encoding="utf-8"))
    assert set(names) <= set(written)
    assert {"$$", "$x^2$", r"\$", "中文", "</script>", "∅"} <= set(written)
    assert {"⟨U+0000 U+001B⟩[0m", "⟨U+D83D⟩", "⟨U+202E⟩abc"} <= set(written)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.text(st.characters(), max_size=6), min_size=1, max_size=12))
def test_no_text_breaks_a_figure(tmp_path_factory, texts):
    """Titles and labels of any text, also text that did not go through `visible`."""
    figure = style.new_figure(height=2.0)
    axes = figure.subplots()
    axes.set(title=texts[0], xlabel=texts[-1])
    axes.set_xticks(range(len(texts)), texts)
    axes.plot(range(len(texts)), label=f"a {texts[0]}")
    axes.legend()
    svg, _ = style.save_figure(figure, tmp_path_factory.mktemp("any") / "figure")
    texts_of(svg.read_text(encoding="utf-8"))


def test_characters_that_no_font_has_are_drawn_by_number_and_announced_once(monkeypatch, capsys):
    monkeypatch.setattr(canvas, "family_of", lambda character: None)
    canvas._announce_missing.cache_clear()
    prop = FontProperties(family=["DejaVu Sans"])
    assert canvas.drawable("plain é שלום", prop) == ("plain é שלום", prop)
    assert canvas.drawable("a中文b", prop)[0] == "a⟨U+4E2D U+6587⟩b"
    assert canvas.drawable("本", prop)[0] == "⟨U+672C⟩"
    assert capsys.readouterr().out.count("Noto Sans CJK") == 1


def test_a_font_of_this_machine_that_has_the_characters_joins(monkeypatch):
    """STIX has double-struck letters; DejaVu Sans Mono has none."""
    prop = FontProperties(family=["DejaVu Sans Mono"])
    dejavu = canvas._characters(("DejaVu Sans Mono",)) | canvas._characters(("DejaVu Sans",))
    character = chr(min(number for number in canvas._characters(("STIXGeneral",)) - dejavu if number > 0x2000))
    monkeypatch.setattr(canvas, "_families", lambda: ("DejaVu Sans", "STIXGeneral"))
    canvas.family_of.cache_clear()
    text, joined = canvas.drawable(f"a{character}", prop)
    assert text == f"a{character}" and joined.get_family() == ["DejaVu Sans Mono", "STIXGeneral"]
    path = font_manager.findfont(FontProperties(family=["STIXGeneral"]), fallback_to_default=False)
    assert ord(character) in font_manager.get_font(path).get_charmap()
    canvas.family_of.cache_clear()


def test_logarithmic_ticks_are_plain_text(tmp_path):
    figure = style.new_figure(height=2.0)
    axes = figure.subplots()
    axes.plot([1, 1000], [0.001, 10])
    axes.set(xscale="log", yscale="log", xlim=(2, 900), ylim=(0.002, 0.009))
    svg, _ = style.save_figure(figure, tmp_path / "powers")
    text = svg.read_text(encoding="utf-8")
    assert {"10¹", "10²", "4×10⁻³"} <= set(texts_of(text)) and "mathdefault" not in html.unescape(text)
    assert not re.search(r"\$", text)
