"""Autoencoders as other libraries' files: there and back, never a folder that cannot be opened, one sentence."""

import subprocess
import sys

import pytest
import torch

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.sae import convert, foreign
from tests.helpers.foreign_saes import HOOK, K, codes, inputs, of, saelens_cfg, tensors, write

ARCHITECTURES = ("standard", "topk", "jumprelu", "gated")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("form", convert.FORMATS)
def test_there_and_back(tmp_path, architecture, form):
    t = of(architecture)
    convert.convert(write(tmp_path / "ours", saelens_cfg(architecture), t), tmp_path / "new/theirs", form)
    back, read = foreign.read(tmp_path / "new/theirs")
    assert back["architecture"] == architecture and set(read) == set(t)
    torch.testing.assert_close(codes(architecture, read, inputs()), codes(architecture, t, inputs()))
    assert (back.get("k") == K) == (architecture == "topk")
    assert back["metadata"]["hook_name"] == HOOK
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["theirs"]  # nothing else is left


def changed(t, name):
    return t | {name: t[name] * 1.01}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_files_that_do_not_read_back_the_same_are_not_kept(tmp_path, monkeypatch, architecture):
    t = of(architecture)
    folder = write(tmp_path / "ours", saelens_cfg(architecture), t)
    save = convert.save_sae
    for name in t:
        monkeypatch.setattr(convert, "save_sae", lambda kept, *rest, name=name: save(changed(kept, name), *rest))
        with pytest.raises(ArtefactError, match="ours was not converted: .*theirs would not be the same"):
            convert.convert(folder, tmp_path / "theirs", "saelens")
        assert [path.name for path in tmp_path.iterdir()] == ["ours"]


def test_a_target_with_other_files_or_the_autoencoder_itself_is_refused(tmp_path):
    folder, other = write(tmp_path / "ours", saelens_cfg(), tensors()), write(tmp_path / "other", {}, tensors())
    with pytest.raises(ArtefactError, match="is the autoencoder itself"):
        convert.convert(folder, folder, "saelens")
    with pytest.raises(ArtefactError, match="has another file, cfg.json"):
        convert.convert(folder, other, "dictionary_learning")
    with pytest.raises(ArtefactError, match="cfg.json is no folder"):
        convert.convert(folder, other / "cfg.json", "saelens")


def command(*words):
    return subprocess.run([sys.executable, "-m", "scripts.convert_sae", *words], capture_output=True, text=True)


def test_command_line(tmp_path):
    folder = write(tmp_path / "ours", saelens_cfg(), tensors())
    done = command(folder, tmp_path / "theirs", "--to", "dictionary_learning")
    assert done.returncode == 0 and f"topk with 20 latents of {HOOK}" in done.stdout, done.stderr
    assert {path.name for path in (tmp_path / "theirs").iterdir()} == {"ae.pt", "config.json"}


def test_command_line_answers_in_one_sentence(tmp_path):
    folder = write(tmp_path / "ours", saelens_cfg(k=None), tensors())
    done = command(folder, tmp_path / "theirs", "--to", "saelens")
    assert done.returncode == 1 and not done.stdout and not (tmp_path / "theirs").exists()
    assert done.stderr.startswith(f"{folder / 'cfg.json'}: k is missing") and done.stderr.count("\n") == 1
