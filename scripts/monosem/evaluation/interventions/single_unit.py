"""One latent or neuron, named by its number, pinned to several values while a model reads and continues text.

The control is random live units of the same kind, pinned in the same way.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from tokenizers import Tokenizer
from torch import nn

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.interventions import pin
from scripts.monosem.evaluation.representations.site_activations import LEAST_FIRINGS, chosen_windows, read_sites
from scripts.monosem.evaluation.representations.texts import pieces
from scripts.monosem.metrics.information import kl_divergence
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.models.model_folder import weights_sha256
from scripts.monosem.models.sites import Site
from scripts.monosem.sae.csr import encode_csr
from scripts.monosem.sae.model import Sae, encode, open_sae
from scripts.monosem.text.bpe import load_tokenizer
from scripts.monosem.text.tokens import load_tokens

CONVENTIONS = {
    "latent": "x' = x + (value - f) W_dec[i] at every position but the first",
    "neuron": "x' = x with dimension i at the value, at every position but the first",
    "dose": "multiple of the unit's own largest activation on the validation text; 0 ablates it",
    "change_nats": "cross-entropy of the token, pinned less free; the first token has nothing changed before it",
    "kl_nats": "KL(free || pinned) of the first token after the prompt",
    "random": "units of the same kind that fire on the validation text, pinned at the same dose or to the same value",
    "sampling": "temperature 1; the same random numbers for every value",
}


@dataclass(frozen=True)
class PinnedUnit:
    """One latent or neuron of a model, and the random units of its control."""

    model: nn.Module  # in eval mode
    site: Site  # where the unit is
    sae: Sae | None  # whose latent it is; None for a neuron
    unit: int  # latent or neuron
    largest: Float[np.ndarray, " units"]  # activation of every unit, on the validation text
    random: list[int]  # units of the control

    def value(self, unit: int, level: dict[str, float | None]) -> float:
        """The activation of a unit at a level."""
        return level["value"] if level["dose"] is None else level["dose"] * float(self.largest[unit])

    def activations(self, tokens: torch.Tensor) -> Float[np.ndarray, " context"]:
        """The unit's own activations on one text."""
        (x,) = sites.capture_all(self.model, [self.site], tokens)
        units = x[0].float() if self.sae is None else encode(self.sae, x[0].float())
        return units[:, self.unit].cpu().numpy()


def levels_of(settings: dict[str, Any]) -> list[dict[str, float | None]]:
    """Doses, or values, in order."""
    if settings["values"] is not None:
        return [{"dose": None, "value": float(value)} for value in sorted(settings["values"])]
    return [{"dose": float(dose), "value": None} for dose in sorted(settings["doses"])]


def _encoded(tokenizer: Tokenizer, text: str, eos: int) -> list[int]:
    return [eos, *tokenizer.encode(text, add_special_tokens=False).ids]


def _next_tokens(tokenizer: Tokenizer, probabilities: np.ndarray) -> list[dict[str, Any]]:
    return pin.next_tokens(probabilities, lambda token: pieces(tokenizer, [token])[0])


def read_text(
    pinned: PinnedUnit, tokenizer: Tokenizer, text: str, eos: int, context: int, levels: list[dict[str, Any]]
) -> dict[str, Any]:
    """A text token by token: the unit's activation, and what pinning it adds to the loss of each token."""
    whole = _encoded(tokenizer, text, eos)
    ids = whole[:context]
    tokens = torch.tensor([ids], device=pinned.model.device)

    def logits(unit: int | None, value: float = 0.0) -> torch.Tensor:
        return pin.pinned_logits(pinned.model, pinned.site, pinned.sae, tokens, unit, value)[0, :-1]

    def nats(rows: torch.Tensor) -> np.ndarray:
        return torch.nn.functional.cross_entropy(rows, tokens[0, 1:], reduction="none").cpu().numpy()

    def table(row: torch.Tensor) -> list[dict[str, Any]]:
        return _next_tokens(tokenizer, row.softmax(-1).cpu().numpy())

    free = logits(None)
    clean, rows = nats(free), []
    for level in levels:
        value = pinned.value(pinned.unit, level)
        now = logits(pinned.unit, value)
        change = nats(now) - clean
        others = [nats(logits(unit, pinned.value(unit, level))) - clean for unit in pinned.random]
        place = int(np.abs(change).argmax())
        rows.append(
            {
                "dose": level["dose"], "value": value, "change_nats": change.tolist(),
                "mean_change_nats": float(change.mean()),
                "random_mean_change_nats": float(np.mean(others)) if others else None,
                "random_largest_change_nats": float(max(other.mean() for other in others)) if others else None,
                "random_change_nats": np.mean(others, axis=0).tolist() if others else None,
                "most_changed": place, "free_next": table(free[place]), "pinned_next": table(now[place]),
            }
        )  # fmt: skip
    return {
        "text": text,
        "cut": len(ids) < len(whole),
        "tokens": pieces(tokenizer, ids[1:]),
        "activations": pinned.activations(tokens)[1:].tolist(),
        "loss_nats": clean.tolist(),
        "levels": rows,
    }


def continue_prompt(
    pinned: PinnedUnit,
    tokenizer: Tokenizer,
    settings: dict[str, Any],
    eos: int,
    levels: list[dict[str, Any]],
    seed: int,
) -> dict[str, Any]:
    """A prompt continued with the unit free and pinned, and with random units pinned; next tokens and continuations.

    Raises: ArtefactError for a prompt that leaves no room in the context.
    """
    prompt, n = _encoded(tokenizer, settings["prompt"], eos), settings["samples"]
    room = settings["context"] - len(prompt)
    if room < 1:
        raise artefacts.ArtefactError(
            f"interventions.named: the prompt has {len(prompt)} tokens with the one before it, the context is "
            f"{settings['context']}; give a shorter one"
        )
    plan = [("own", pinned.unit, pinned.value(pinned.unit, level), number) for number, level in enumerate(levels)]
    plan += [
        ("random", unit, pinned.value(unit, level), number)
        for number, level in enumerate(levels)
        for unit in pinned.random
    ]
    plan.append(("free", 0, 0.0, -1))
    rows = [(*entry, k) for entry in plan for k in range(1 if entry[0] == "random" else n)]
    who, unit, value, level, stream = (np.array(column) for column in zip(*rows, strict=True))
    n_tokens = min(settings["sample_tokens"], room)
    job.say(f"{len(rows)} continuations of {n_tokens} tokens")
    ids, first = pin.sample(
        pinned.model, pinned.site, pinned.sae, prompt, unit, value, who != "free", stream, n_tokens, seed
    )

    def texts(rows: np.ndarray) -> list[str]:
        return [tokenizer.decode(row.tolist(), skip_special_tokens=False) for row in ids[rows]]

    free = np.flatnonzero(who == "free")
    before, found = first[free[0]], []
    for number, entry in enumerate(levels):
        own = np.flatnonzero((who == "own") & (level == number))
        others = np.flatnonzero((who == "random") & (level == number))
        strange = [kl_divergence(before, first[other]) for other in others]
        found.append(
            {
                "dose": entry["dose"], "value": pinned.value(pinned.unit, entry),
                "kl_nats": kl_divergence(before, first[own[0]]),
                "random_mean_kl_nats": float(np.mean(strange)) if strange else None,
                "random_largest_kl_nats": max(strange, default=None), "next": _next_tokens(tokenizer, first[own[0]]),
                "continuations": texts(own), "random_continuation": next(iter(texts(others)), None),
            }
        )  # fmt: skip
    return {
        "prompt": settings["prompt"], "n_tokens": n_tokens, "next": _next_tokens(tokenizer, before),
        "continuations": texts(free), "levels": found,
    }  # fmt: skip


def pin_unit(
    model_folder: Path, tokens_folder: Path, tokenizer_path: Path, sae_folder: Path | None, settings: dict[str, Any],
    seed: int, device: str,
) -> dict[str, Any]:  # fmt: skip
    """Contents of intervention.json.

    Args:
        sae_folder: whose latent is pinned; None for a neuron of the site.
        settings: see workflow/checks/interventions.py.
    Raises: ArtefactError for a unit that is never active, where doses are multiples of its largest activation.
    """
    model = load_model(model_folder, device)
    site = sites.resolve(model, settings["site"])
    sae = sae_folder and open_sae(sae_folder, site.name, site.d, device, weights_sha256(model_folder))
    tokenizer, validation = load_tokenizer(tokenizer_path), load_tokens(tokens_folder, "validation")
    tokens = chosen_windows(
        validation, settings["context"], settings["tokens"], derive_seed(seed, "intervention windows")
    )
    rows = read_sites(model, [site.name], tokens, validation.eos_token_id).rows(site.name)
    if sae is None:
        largest, fired = rows.max(0), (rows > 0).sum(0)
    else:
        codes = encode_csr(sae, rows)
        largest, fired = codes.max(0).toarray()[0], codes.getnnz(0)
    unit, kind, levels = settings["unit"], "latent" if sae else "neuron", levels_of(settings)
    if largest[unit] <= 0 and any(level["dose"] for level in levels):
        raise artefacts.ArtefactError(
            f"{kind} {unit} is never above 0 on {len(rows)} tokens of the validation split, so doses have no unit; "
            "give `values` in place of doses"
        )
    pool = np.setdiff1d(np.flatnonzero(fired >= LEAST_FIRINGS), [unit])
    rng = np.random.default_rng(derive_seed(seed, "random units"))
    pinned = PinnedUnit(model, site, sae, unit, largest, rng.permutation(pool)[: settings["random"]].tolist())
    eos = validation.eos_token_id
    return {
        "model": model_folder.name,
        "site": site.name,
        "run": sae_folder.name if sae_folder else None,
        "kind": kind,
        "unit": unit,
        "n_units": len(largest),
        "largest_activation": float(largest[unit]),
        "density": float(fired[unit] / len(rows)),
        "n_tokens": len(rows),
        "random_units": pinned.random,
        "conventions": CONVENTIONS,
        "reading": read_text(pinned, tokenizer, settings["text"], eos, settings["context"], levels)
        if settings["text"]
        else None,
        "writing": continue_prompt(pinned, tokenizer, settings, eos, levels, derive_seed(seed, "continuations") % 2**32)
        if settings["prompt"]
        else None,
    }
