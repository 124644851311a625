"""Notebooks: parameters are checked, a failure leaves a readable trace, cards escape what tokens hold."""

import re
from pathlib import Path

import nbformat
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.reporting.notebooks import check_parameters, execute, located, prepare, publish
from scripts.monosem.reporting.unit_cards import cards_html
from scripts.monosem.workflow import outputs as workflow_outputs
from tests.helpers import evaluation_world as world
from tests.helpers import report_results

HEAD = '# %% tags=["parameters"]\nnumber = 1\n\n# %%\n'


def source(folder: Path, body: str) -> Path:
    path = folder / "small.py"
    path.write_text(HEAD + body, encoding="utf-8")
    return path


def test_a_notebook_runs_with_its_parameters_and_is_published(tmp_path):
    trace = tmp_path / "log" / "small.ipynb"
    execute(source(tmp_path, "print(6 * number)\n"), {"number": 7}, trace)
    publish(trace, tmp_path / "out.ipynb", tmp_path / "out.html")
    outputs = [o for cell in nbformat.read(tmp_path / "out.ipynb", 4).cells for o in cell.get("outputs", [])]
    assert outputs[0]["text"] == "42\n"
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "42" in page and "6 * number" not in page
    assert not re.search(r'<(script|link)[^>]+(src|href)="http', page)


def test_an_unknown_parameter_is_refused_with_the_nearest_name(tmp_path):
    with pytest.raises(ArtefactError, match="no parameter 'numbr'; the nearest is 'number'"):
        execute(source(tmp_path, "print(number)\n"), {"numbr": 7}, tmp_path / "small.ipynb")


def test_a_failing_notebook_leaves_its_trace(tmp_path):
    trace = tmp_path / "log" / "small.ipynb"
    with pytest.raises(Exception, match="ZeroDivisionError"):
        execute(source(tmp_path, "number / 0\n"), {"number": 7}, trace)
    outputs = [o for cell in nbformat.read(trace, 4).cells for o in cell.get("outputs", [])]
    assert any(o.get("ename") == "ZeroDivisionError" for o in outputs)


@pytest.mark.parametrize("name", ["token_activations", "latent_browser"])
def test_the_workflow_passes_parameters_that_the_notebooks_have(name, tmp_path):
    notebook = tmp_path / f"{name}.ipynb"
    prepare(f"paper/notebooks/{name}.py", notebook)
    check_parameters(notebook, workflow_outputs.notebooks(report_results.CONFIG)[name]["parameters"])


def test_texts_are_cut_to_a_context_shorter_than_what_is_shown(tmp_path):
    """With a context of 32 the fixed cut at 48 tokens went beyond the positions of the model."""
    folders = world.make_world(tmp_path, world.POST)
    tokenizer = Tokenizer(models.WordLevel({f"w{token}": token for token in range(world.VOCAB)}, unk_token="w1"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folders["model"] / "tokenizer.json"))
    (folders["model"] / "tokenizer_config.json").write_text('{"bos_token": "w0"}')
    trace = tmp_path / "token_activations.ipynb"
    texts = ["w3 w4 " * 20, "w5 w6"]
    parameters = {"model": str(folders["model"]), "sae": str(folders["random"]), "site": world.POST, "texts": texts}
    execute("paper/notebooks/token_activations.py", parameters, trace)
    outputs = [o for cell in nbformat.read(trace, 4).cells for o in cell.get("outputs", [])]
    cut = [o for o in outputs if "The text is cut to its first 15 of 40 tokens" in str(o.get("data"))]
    assert len(cut) == 1


def test_cards_escape_text_and_mark_the_peak():
    card = {
        "index": 3, "density": 0.5, "max_activation": 2.0, "token_entropy_nats": None, "top_tokens": [],
        "logit_weights": None,
        "examples": [{"tokens": ["<b></script>&amp;\0\u202e", "\n", "x"], "activations": [0.0, 1.0, 2.0], "peak": 2}],
    }  # fmt: skip
    page = cards_html([card], "latent", "paper/unit_cards.html.j2")
    assert "&lt;b&gt;&lt;/script&gt;&amp;amp;⟨U+0000 U+202E⟩</span>" in page and "<b>" not in page and "⏎" in page
    assert page.count('class="peak"') == 1 and "rgba(0,114,178,0.60)" in page and "rgba(0,114,178,0.30)" in page
    assert ')" title="1.00">⏎</span><span class="peak"' in page  # no space between tokens


def test_a_parameter_is_the_folder_of_a_result_wherever_the_job_has_it():
    files = ["bucket/results/sae/m/blocks.0.mlp.hook_post/r/cfg.json"]
    folder = "results/sae/m/blocks.0.mlp.hook_post/r"
    assert located(folder, files) == f"bucket/{folder}"
    assert located("blocks.0.mlp.hook_post", files) == "blocks.0.mlp.hook_post"
