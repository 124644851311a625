"""Seeds are derived by name, and devices are those that are there."""

import hashlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scripts.monosem.core import runtime

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


def test_auto_takes_cuda_first_then_mps_each_only_if_its_probe_agrees(monkeypatch, capsys):
    usable = {"cuda", "mps"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(
        runtime, "problem_with_device", lambda d: None if d in usable else f"{d} disagrees with the CPU"
    )
    assert runtime.pick_device() == "cuda" and runtime.pick_device("mps") == "mps"
    usable.remove("cuda")
    assert runtime.pick_device() == "mps"
    usable.remove("mps")
    assert runtime.pick_device() == "cpu"
    assert "mps disagrees" in capsys.readouterr().out
    for name in ("cuda", "mps"):
        with pytest.raises(ValueError, match=f"{name} disagrees with the CPU.*set device: cpu"):
            runtime.pick_device(name)


def test_a_card_that_is_listed_and_broken_leaves_the_cpu(monkeypatch, capsys):
    """This torch has no CUDA, so that any use of it raises, as with a broken driver."""
    if torch.cuda.is_available():
        monkeypatch.setattr(torch.Tensor, "to", lambda *_: (_ for _ in ()).throw(RuntimeError("CUDA error: no kernel")))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert runtime.pick_device() == "cpu"
    assert "cuda failed on a probe batch: " in capsys.readouterr().out
    with pytest.raises(ValueError, match="cuda failed on a probe batch"):
        runtime.pick_device("cuda")


def as_if_contiguous(linear):
    """A linear layer that reads a transposed tensor's memory in order, as MPS did in torch 2.8."""
    return lambda x, *rest: linear(x.as_strided(x.shape, torch.empty(x.shape, device="meta").stride()), *rest)


def without_mask(attention):
    return lambda q, k, v, attn_mask=None, is_causal=False: attention(q, k, v, is_causal=True)


@pytest.mark.parametrize("name, wrong", [("linear", as_if_contiguous), ("scaled_dot_product_attention", without_mask)])
def test_the_probe_finds_a_device_that_computes_something_else(monkeypatch, name, wrong):
    """A stand-in device: the second time that the probe runs, one operation goes wrong."""
    assert runtime.problem_with_device("cpu") is None
    right, calls = getattr(torch.nn.functional, name), []

    def second_time(*args, **keywords):
        calls.append(1)
        return (right if len(calls) <= 2 else wrong(right))(*args, **keywords)

    monkeypatch.setattr(torch.nn.functional, name, second_time)
    assert "disagrees" in runtime.problem_with_device("cpu") and len(calls) == 4


def test_an_unknown_machine_computes_in_float32_and_says_what_bfloat16_costs(monkeypatch, capsys):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert runtime.resolve_precision("auto", "cpu") == "float32"
    assert not capsys.readouterr().out
    assert runtime.resolve_precision("bfloat16", "cpu") == "bfloat16"
    assert "no bfloat16 instructions" in capsys.readouterr().out
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert runtime.resolve_precision("auto", "cpu") == "bfloat16"
    assert runtime.resolve_precision("auto", "mps") == "float32"
    assert runtime.resolve_precision("bfloat16", "cpu") == "bfloat16" and not capsys.readouterr().out
