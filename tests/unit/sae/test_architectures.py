"""An architecture is one file: its declaration is read without torch, and a new file is all that a new one needs."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.monosem.sae import architectures, model, saelens
from scripts.monosem.sae.architectures import ARCHITECTURES
from scripts.monosem.sae.config import from_params
from scripts.monosem.sae.training import loop
from scripts.monosem.sae.training.equations import equations_of
from tests.helpers.sae_toys import Rows, sparse_mixtures

SHIFTED = '''"""ReLU + L1 whose latents start with a bias of -0.1."""

import torch

from scripts.monosem.sae.architectures import Architecture
from scripts.monosem.sae.architectures.relu import step
from scripts.monosem.sae.parameters import Parameters

ARCHITECTURE = Architecture(
    position=99,
    label="Shifted",
    marker="h",
    required=("l1_coefficient",),
    optional=("decoder_init",),
    saved_as="standard",
    on_where="z > 0",
    trained_on="nothing"
    " else",
    use_for="tests",
)


def start(sample, b_dec, decoder, config, generator):
    return Parameters(0.3 * decoder, torch.full((len(decoder),), -0.1), decoder, b_dec)


def outcome(at, config, x, buffers):
    return step(at.weights, x, config.l1_coefficient, buffers, config.precision)
'''


@pytest.fixture
def shifted(tmp_path, monkeypatch):
    """Name of an architecture whose file is all that was added."""
    path = tmp_path / "shifted.py"
    path.write_text(SHIFTED)
    monkeypatch.setitem(ARCHITECTURES, "shifted", architectures.read(path))
    monkeypatch.setattr(architectures, "__path__", [*architectures.__path__, str(tmp_path)])
    yield "shifted"
    sys.modules.pop(f"{architectures.__name__}.shifted", None)


def test_a_new_file_is_configured_trained_saved_and_loaded(shifted, tmp_path):
    params = {"architecture": shifted, "d_sae": 48, "vectors": 200 * 64, "batch_size": 64, "learning_rate": 0.01}
    with pytest.raises(ValueError, match="l1_coefficient is missing"):
        from_params(params)
    config = from_params({**params, "l1_coefficient": 0.1, "precision": "float32"})
    x, _ = sparse_mixtures(1500)
    weights, summary = loop.train(Rows(x), config, 5, tmp_path / "state", tmp_path / "curve", say=lambda text: None)
    assert summary["final"]["explained_variance"] > 0.9 > summary["final"]["dead_share"]
    manifest = {"d_in": 32}
    cfg = saelens.saelens_cfg(config, summary, manifest, model="m", site="blocks.0.hook_resid_post", run="new")
    assert cfg["metadata"]["training_architecture"] == shifted and "k" not in cfg["metadata"]["training"]
    saelens.save_sae(weights, cfg, tmp_path / "sae_weights.safetensors", tmp_path / "cfg.json")
    sae = model.load_sae(tmp_path)
    error = (model.decode(sae, model.encode(sae, x)) - x).square().sum() / (x - x.mean(0)).square().sum()
    assert 1 - error == pytest.approx(summary["final"]["explained_variance"], abs=0.02)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_declaration_read_from_the_text_is_that_of_the_module(name):
    equations = equations_of(name)
    assert equations.ARCHITECTURE == ARCHITECTURES[name]
    assert hasattr(equations, "loss_per_input") == ("resample" in ARCHITECTURES[name].keys)


def test_declarations_differ_in_label_marker_and_position():
    for field in ("label", "marker", "position"):
        values = [getattr(each, field) for each in ARCHITECTURES.values()]
        assert len(set(values)) == len(values), field


def test_the_documentation_repeats_the_declarations():
    rows = Path("docs/autoencoders.md").read_text(encoding="utf-8").splitlines()
    for name, each in ARCHITECTURES.items():
        required, optional = (", ".join(f"`{key}`" for key in keys) for keys in (each.required, each.optional))
        assert f"| `{name}` | {each.on_where} | {each.trained_on} | {required} | {optional} | {each.use_for} |" in rows


def test_declarations_are_read_without_torch():
    code = (
        "import sys; from scripts.monosem.sae.architectures import ARCHITECTURES; "
        "assert len(ARCHITECTURES) == 7 and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_without_a_declaration_is_named(tmp_path):
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(ValueError, match="empty.py has no ARCHITECTURE"):
        architectures.read(tmp_path / "empty.py")
