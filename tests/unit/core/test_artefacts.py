"""Files are whole or absent, hold finite numbers, and say what is wrong with them."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scripts.monosem.core import artefacts

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(value=JSON)
def test_json_round_trip(value, tmp_path_factory):
    path = tmp_path_factory.mktemp("json") / "value.json"
    artefacts.write_json(value, path)
    assert artefacts.read_json(path) == value


def test_text_that_is_no_unicode_survives_json(tmp_path):
    """Names of files may hold lone surrogates."""
    value = {"caf\udce9.txt": "half \ud83d \0 </script> \u2028 \u202e"}
    artefacts.write_json(value, tmp_path / "value.json")
    assert artefacts.read_json(tmp_path / "value.json") == value


def test_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "result.json"
    artefacts.write_json({"a": 1}, path)
    with pytest.raises(ZeroDivisionError), artefacts.atomic_path(path) as temporary:
        temporary.write_text("half of")
        raise ZeroDivisionError
    assert artefacts.read_json(path) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def test_killed_write_leaves_the_old_file_and_the_next_one_cleans_up(tmp_path):
    path = tmp_path / "result.json"
    artefacts.write_json({"a": 1}, path)
    script = (
        "import os, signal; from scripts.monosem.core import artefacts\n"
        f"with artefacts.atomic_path({str(path)!r}) as temporary:\n"
        "    temporary.write_text('half of'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == -9
    assert artefacts.read_json(path) == {"a": 1}
    assert len(list(tmp_path.iterdir())) == 2
    artefacts.write_json({"a": 2}, path)
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def test_temporaries_of_other_files_are_left_alone(tmp_path):
    with artefacts.atomic_path(tmp_path / "a[1].npy") as one, artefacts.atomic_path(tmp_path / "a1.npy") as other:
        assert one.exists() and other.exists()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_json_refuses_what_is_no_number_and_names_its_key(bad, tmp_path):
    with pytest.raises(artefacts.ArtefactError, match=r"'runs\.a\[1\]\.mse'"):
        artefacts.write_json({"runs": {"a": [{}, {"mse": bad}]}}, tmp_path / "x.json")
    assert not (tmp_path / "x.json").exists()


def test_plain_takes_numbers_out_of_arrays_and_tensors():
    value = {"a": np.arange(2), "b": (torch.tensor(1.5), np.float64(2)), 3: None}
    assert artefacts.plain(value) == {"a": [0, 1], "b": [1.5, 2.0], "3": None}


@pytest.mark.parametrize("text", ['{"a": 1', "", "\x93NUMPY"])
def test_cut_or_foreign_json_is_named_with_what_makes_a_result_anew(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    for path, advice in ((Path("results/a.json"), "--forcerun results/a.json"), (Path("a.json"), "put a whole file")):
        path.write_text(text)
        with pytest.raises(artefacts.ArtefactError, match=f"a.json is not whole JSON.*{advice}"):
            artefacts.read_json(path)


def test_missing_files_say_how_to_make_them(tmp_path):
    for read in (artefacts.read_json, artefacts.read_jsonl, artefacts.load_npy, artefacts.load_tensors):
        advice = "`snakemake --cores 4 results/absent` with your configuration makes it"
        with pytest.raises(artefacts.ArtefactError, match=f"absent is missing; {advice}"):
            read("results/absent")
        with pytest.raises(artefacts.ArtefactError, match="absent is missing$"):  # no rule makes it
            read(tmp_path / "absent")


def test_cut_curve_is_named(tmp_path):
    path = tmp_path / "training.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n')
    assert artefacts.read_jsonl(path) == [{"step": 1}, {"step": 2}]
    path.write_text('{"step": 1}\n{"st')
    with pytest.raises(artefacts.ArtefactError, match="training.jsonl is cut short"):
        artefacts.read_jsonl(path)


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_every_cut_of_an_array_is_refused(mmap, share, tmp_path):
    path = tmp_path / "shard.npy"
    artefacts.save_npy(np.arange(1000.0), path)
    assert np.array_equal(artefacts.load_npy(path, mmap), np.arange(1000.0))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(artefacts.ArtefactError, match="shard.npy is cut short or no .npy file"):
        artefacts.load_npy(path, mmap)


def test_pickles_are_not_opened(tmp_path):
    np.save(tmp_path / "shard.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(artefacts.ArtefactError, match="shard.npy"):
        artefacts.load_npy(tmp_path / "shard.npy")


def test_arrays_round_trip(tmp_path):
    artefacts.save_npz(tmp_path / "two.npz", a=np.arange(3), b=np.eye(2))
    with np.load(tmp_path / "two.npz") as arrays:
        assert arrays["a"].tolist() == [0, 1, 2] and arrays["b"].tolist() == [[1, 0], [0, 1]]


def test_tensors_round_trip_and_keep_their_metadata(tmp_path):
    from safetensors import safe_open

    path = tmp_path / "w.safetensors"
    artefacts.save_tensors({"W": torch.eye(3).T[:, :2]}, path, {"format": "pt"})
    assert torch.equal(artefacts.load_tensors(path)["W"], torch.eye(3)[:, :2])
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt"}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_no_numbers_are_neither_written_nor_read(bad, tmp_path):
    from safetensors.torch import save_file

    path, tensors = tmp_path / "w.safetensors", {"fine": torch.ones(2), "b_enc": torch.tensor([1.0, bad])}
    with pytest.raises(artefacts.ArtefactError, match="'b_enc' holds NaN or infinity"):
        artefacts.save_tensors(tensors, path)
    assert not path.exists()
    save_file(tensors, path)
    with pytest.raises(artefacts.ArtefactError, match="w.safetensors: tensor 'b_enc' holds NaN or infinity"):
        artefacts.load_tensors(path)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.9])
def test_cut_weights_are_refused(share, tmp_path):
    path = tmp_path / "w.safetensors"
    artefacts.save_tensors({"W": torch.ones(100, 10)}, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(artefacts.ArtefactError, match="w.safetensors is cut short or no safetensors file"):
        artefacts.load_tensors(path)


def test_digests():
    assert artefacts.sha256_json({"a": 1, "b": [2, 3]}) == artefacts.sha256_json({"b": (2, 3), "a": 1})
    assert artefacts.sha256_json({"a": 1}) != artefacts.sha256_json({"a": 2})


def test_sha256_of_a_file(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # the example of FIPS 180-2
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert artefacts.sha256(tmp_path / "abc") == expected


@pytest.mark.parametrize(
    "n, text",
    [(0, "0 B"), (999, "999 B"), (1536, "1.5 kB"), (4.8e9, "4.8 GB"), (3e12, "3000.0 GB")],
)
def test_human_bytes(n, text):
    assert artefacts.human_bytes(n) == text


def test_disk_is_checked_before_it_is_full(tmp_path, capsys):
    artefacts.require_disk(tmp_path / "not" / "there" / "yet", 1000, "activations")
    assert "activations: 1.0 kB on disk" in capsys.readouterr().out
    with pytest.raises(artefacts.ArtefactError, match="activations needs 1000000.0 GB under .*, but only"):
        artefacts.require_disk(tmp_path, 10**15, "activations")


@pytest.mark.parametrize(
    "entry",
    [{}, {"dtype": "F32", "shape": 2, "data_offsets": [0, 8]}, {"dtype": "F32", "shape": [2], "data_offsets": [0]}],
)
def test_a_safetensors_header_without_a_tensors_place_is_refused(tmp_path, entry):
    path = tmp_path / "model.safetensors"
    header = json.dumps({"w": entry}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(artefacts.ArtefactError, match="model.safetensors is cut short or no safetensors file"):
        artefacts.safetensors_header(path)
