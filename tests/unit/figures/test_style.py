"""One look for every figure: the same bytes each time, no image too large, no torch."""

import subprocess
import sys

import numpy as np
import pytest

from scripts.monosem.core import artefacts
from scripts.monosem.figures import style


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
