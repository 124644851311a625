"""Seeds are derived by name, and devices are those that are there."""

import hashlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scripts.monosem import runtime

NAMES = st.lists(st.text(alphabet="abcdefgh-", min_size=1, max_size=6), min_size=1, max_size=3)


@given(seed=st.integers(0, 2**31), names=NAMES)
def test_a_derived_seed_is_what_generators_take(seed, names):
    derived = runtime.derive_seed(seed, *names)
    assert derived == runtime.derive_seed(seed, *names)
    assert 0 <= derived < 2**63
    torch.Generator().manual_seed(derived)


def test_seeds_of_purposes_differ_and_stay_what_they_are():
    seeds = {runtime.derive_seed(seed, *names) for seed in range(3) for names in [("a",), ("b",), ("a", "b"), ("a", 0)]}
    assert len(seeds) == 12
    assert runtime.derive_seed(0, "sae", "order") == int(hashlib.sha256(b"0/sae/order").hexdigest()[:16], 16) // 2


def test_devices():
    assert runtime.pick_device("cpu") == "cpu"
    assert runtime.pick_device("auto") in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match="'tpu' is not on this machine .*cpu.*set device: auto"):
        runtime.pick_device("tpu")


def test_auto_takes_cuda_first_and_mps_only_if_it_agrees(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert runtime.pick_device() == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(runtime, "mps_agrees", lambda: True)
    assert runtime.pick_device() == "mps"
    monkeypatch.setattr(runtime, "mps_agrees", lambda: False)
    assert runtime.pick_device() == "cpu"
    assert "disagrees" in capsys.readouterr().out
