"""Files of other libraries with random bytes changed: refused in one sentence, or read as what they now say."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.sae import convert, foreign
from tests.hard import common
from tests.helpers import foreign_saes as made


def flip(data: bytearray, rng: random.Random) -> None:
    """Change one bit."""
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def overwrite(data: bytearray, rng: random.Random) -> None:
    """Random bytes in the place of one to eight others."""
    at, n = rng.randrange(len(data)), rng.randint(1, 8)
    data[at : at + n] = rng.randbytes(n)


def retype(data: bytearray, rng: random.Random) -> None:
    """Another letter or digit in the place of one, as a hand's mistake in JSON."""
    at = rng.choice([i for i, byte in enumerate(data) if chr(byte).isalnum() and byte < 128])
    data[at] = ord(rng.choice("0123456789" if chr(data[at]).isdigit() else "abcdefghijklmnopqrstuvwxyz_"))


def remove(data: bytearray, rng: random.Random) -> None:
    """Take up to eight bytes away, or everything from there on."""
    at = rng.randrange(len(data))
    del data[at : at + rng.choice([1, 2, 8, len(data)])]


MUTATIONS = (flip, overwrite, retype, remove)


def saelens(architecture: str, **more: Any) -> Callable[[Path], Path]:
    return lambda folder: made.write(folder, made.saelens_cfg(architecture, **more), made.of(architecture))


def dictionary_learning(folder: Path) -> Path:
    state = made.linear(made.tensors(), "b_dec") | {"k": torch.tensor(made.K), "threshold": torch.tensor(-1.0)}
    return made.write_dictionary_learning(
        folder, "AutoEncoderTopK", state, k=made.K, submodule_name="resid_post_layer_3", layer=3
    )


def sparsify(folder: Path) -> Path:
    return made.write(folder, made.sparsify_cfg(signed=False), made.sparsify_state(made.tensors()), "sae.safetensors")


def openai(folder: Path) -> Path:
    folder.mkdir()
    torch.save(made.openai_state(made.tensors()), folder / "5.pt")
    return folder / "5.pt"


FORMATS = {
    "SAELens topk": saelens("topk", apply_b_dec_to_input=False, rescale_acts_by_decoder_norm=True),
    "SAELens jumprelu": saelens("jumprelu", apply_b_dec_to_input=True),
    "SAELens gated": saelens("gated", apply_b_dec_to_input=False),
    "dictionary_learning": dictionary_learning,
    "sparsify": sparsify,
    "OpenAI": openai,
}


def meaning(place: Path) -> tuple[dict[str, Any], made.Tensors]:
    """Architecture, k, model, hook and float64 weights that files say, read by the libraries and by no code of ours.

    Raises: KeyError for a key that the file had and that matters.
    """
    if place.is_file():
        t = torch.load(place, weights_only=True)
        named = {"W_enc": t["encoder.weight"].T, "b_enc": t["latent_bias"], "W_dec": t["decoder.weight"].T}
        return {"architecture": {"ReLU": "standard"}[t["activation"]]}, named | {"b_dec": t["pre_bias"]}
    if (place / "config.json").exists():
        trainer, t = json.loads((place / "config.json").read_text())["trainer"], torch.load(place / "ae.pt")
        named = {"W_enc": t["encoder.weight"].T, "b_enc": t["encoder.bias"], "W_dec": t["decoder.weight"].T}
        layer = trainer["submodule_name"].removeprefix("resid_post_layer_")
        hook = f"blocks.{layer}.hook_resid_post" if layer.isdecimal() else trainer["submodule_name"]
        if int(t["k"]) != trainer["k"]:
            raise KeyError("two k")
        architecture = {"AutoEncoderTopK": "topk"}[trainer["dict_class"]]
        facts = {"architecture": architecture, "k": trainer["k"], "model_name": trainer["lm_name"], "hook_name": hook}
        return facts, named | {"b_dec": t["b_dec"]}
    cfg = json.loads((place / "cfg.json").read_text())
    if (place / "sae.safetensors").exists():
        t = load_file(place / "sae.safetensors")
        if cfg["signed"] is not False or cfg["activation"] != "topk":
            raise KeyError("signed")
        named = {"W_enc": t["encoder.weight"].T, "b_enc": t["encoder.bias"], "W_dec": t["W_dec"], "b_dec": t["b_dec"]}
        return {"architecture": "topk", "k": cfg["k"]}, named
    t = {name: tensor.double() for name, tensor in load_file(place / "sae_weights.safetensors").items()}
    facts = {key: cfg[key] for key in ("architecture", *(("k",) if "k" in cfg else ()))}
    facts |= {key: cfg["metadata"].get(key) for key in ("model_name", "hook_name")}  # asked for, where missing
    if cfg["architecture"] == "topk" and cfg["rescale_acts_by_decoder_norm"]:
        norm = t["W_dec"].norm(dim=1)
        t |= {"W_enc": t["W_enc"] * norm, "b_enc": t["b_enc"] * norm, "W_dec": t["W_dec"] / norm.unsqueeze(1)}
    if "threshold" in t:
        t["threshold"] = t["threshold"].clamp_min(0)  # theirs is relu(z) where z > threshold
    if not cfg["apply_b_dec_to_input"]:
        shift = t["b_dec"] @ t["W_enc"]
        t |= {name: t[name] + shift for name in ("b_enc", "b_gate") if name in t}
        if "b_mag" in t:
            t["b_mag"] = t["b_mag"] + t["r_mag"].exp() * shift
    return facts, t


def wrong(place: Path, target: Path) -> str:
    """Why an accepted autoencoder is not what its files say; empty if it is. It is also converted, and read back."""
    facts, expected = meaning(place)
    for _ in range(2):
        cfg, tensors = foreign.read(place)
        told = {"architecture": cfg["architecture"], "k": cfg.get("k"), **cfg["metadata"]}
        if differing := [key for key, value in facts.items() if told.get(key) != value]:
            return f"{differing[0]} is {told.get(differing[0])!r}, the file says {facts[differing[0]]!r}"
        for name, tensor in expected.items():
            near = 1e-5 * tensor.abs().max().clamp_min(1).item()
            if not torch.allclose(tensors[name].double(), tensor.double(), atol=near, rtol=1e-5):
                return f"{name} is another"
        place = target
    return ""


def trials(work: Path, times: int, rng: random.Random) -> Iterator[tuple[str, str, str]]:
    """(file, how the trial ended, why) of mutated copies of every file of every format."""
    shutil.rmtree(work, ignore_errors=True)
    for form, make in FORMATS.items():
        place = make(work / form)
        for path in sorted(place.parent.glob("*.pt") if place.is_file() else place.iterdir()):
            whole = path.read_bytes()
            for number in range(times):
                data, mutation = bytearray(whole), MUTATIONS[number % len(MUTATIONS)]
                mutation(data, rng)
                path.write_bytes(data)
                target = work / "target"
                shutil.rmtree(target, ignore_errors=True)
                what = f"{form}, {path.name}, {mutation.__name__}"
                try:
                    convert.convert(place, target, "saelens")
                    why = wrong(place, target)
                    yield what, "lost" if why else "survived", why
                except ArtefactError as error:
                    whole_sentence = str(place) in str(error) and "\n" not in str(error) and not target.exists()
                    yield what, "refused" if whole_sentence else "lost", str(error)
                except Exception as error:  # a traceback for whoever converts
                    yield what, "lost", repr(error)
            path.write_bytes(whole)


def foreign_files(work: Path, times: int, seed: int, show: bool) -> list[common.Tally]:
    """Mutations of every file of every format that sae/foreign.py reads, `times` of each."""
    tallies: dict[str, common.Tally] = {}
    for what, ended, why in trials(work / "foreign", times, random.Random(seed)):
        form = what.split(",")[0].split()[0]
        tally = tallies.setdefault(form, common.Tally(f"bytes changed in files of {form}"))
        if ended == "lost":
            tally.lost.append(f"{what}: {why}")
        else:
            setattr(tally, ended, getattr(tally, ended) + 1)
        if show:
            print(f"  {ended}: {what}: {why}")
    return list(tallies.values())
