"""One latent or neuron, named by its number, pinned to several values while a model reads and continues text.

The control is random live units of the same kind, pinned in the same way.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from tokenizers import Tokenizer
from torch import Tensor, nn

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.interventions import pin
from scripts.monosem.evaluation.interventions.document import (
    ReadLevel,
    TextReading,
    UnitIntervention,
    WriteLevel,
    Writing,
)
from scripts.monosem.evaluation.representations.site_activations import LEAST_FIRINGS, chosen_windows, read_sites
from scripts.monosem.evaluation.representations.texts import pieces
from scripts.monosem.metrics.information import kl_divergence
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.models.model_folder import weights_sha256
from scripts.monosem.sae.csr import encode_csr
from scripts.monosem.sae.model import encode, open_sae
from scripts.monosem.text import bpe
from scripts.monosem.text.bpe import load_tokenizer
from scripts.monosem.text.tokens import load_tokens

CONVENTIONS = {
    "latent": "x' = x + (value - f) W_dec[i] at every position but the first, tokens above the norm limit untouched",
    "neuron": "x' = x with dimension i at the value, at every position but the first",
    "dose": "multiple of the unit's own largest activation on the validation text; 0 ablates it",
    "change_nats": "cross-entropy of the token, pinned less free; the first token has nothing changed before it",
    "kl_nats": "KL(free || pinned) of the first token after the prompt",
    "random": "units of the same kind that fire on the validation text, pinned at the same dose or to the same value",
    "sampling": "temperature 1; the same random numbers for every value",
}


class Level(NamedTuple):
    """A value of the unit, or a multiple of its largest activation."""

    dose: float | None
    value: float | None


@dataclass(frozen=True)
class PinnedUnit:
    """One latent or neuron of a model, and the random units of its control."""

    target: pin.Target
    unit: int
    largest: Float[np.ndarray, " units"]
    """Activation of every unit, on the validation text."""
    random: list[int]
    """Units of the control."""

    def value(self, unit: int, level: Level) -> float:
        """The activation of a unit at a level."""
        return level.value if level.dose is None else level.dose * float(self.largest[unit])

    def activations(self, tokens: Int[Tensor, "1 context"]) -> Float[np.ndarray, " context"]:
        """The unit's activations on one text."""
        (x,) = sites.capture_all(self.target.model, [self.target.site], tokens)
        units = x[0].float() if self.target.sae is None else encode(self.target.sae, x[0].float())
        return units[:, self.unit].cpu().numpy()


def levels_of(settings: Mapping[str, Any]) -> list[Level]:
    """Doses, or values, in order."""
    if settings["values"] is not None:
        return [Level(None, float(value)) for value in sorted(settings["values"])]
    return [Level(float(dose), None) for dose in sorted(settings["doses"])]


def _nats(logits: Float[Tensor, "n vocab"], targets: Int[Tensor, " n"]) -> Float[np.ndarray, " n"]:
    return nn.functional.cross_entropy(logits, targets, reduction="none").cpu().numpy()


def read_text(
    pinned: PinnedUnit, tokenizer: Tokenizer, text: str, eos: int, context: int, levels: list[Level]
) -> TextReading:
    """A text token by token: the unit's activation, and what pinning it adds to the loss of each token."""
    whole = pin.encoded(tokenizer, text, eos)
    ids = bpe.cut(whole, context, f"{text[:30]!r}")
    tokens = torch.tensor([ids], device=pinned.target.model.device)
    targets, free = tokens[0, 1:], pin.pinned_logits(pinned.target, tokens, None)[0, :-1]
    clean, rows = _nats(free, targets), []
    for level in levels:
        logits, *others = (
            pin.pinned_logits(pinned.target, tokens, unit, pinned.value(unit, level))[0, :-1]
            for unit in (pinned.unit, *pinned.random)
        )
        change, by_random = _nats(logits, targets) - clean, [_nats(other, targets) - clean for other in others]
        place = int(np.abs(change).argmax())
        rows.append(
            ReadLevel(
                dose=level.dose,
                value=pinned.value(pinned.unit, level),
                change_nats=tuple(change.tolist()),
                mean_change_nats=float(change.mean()),
                random_mean_change_nats=float(np.mean(by_random)) if by_random else None,
                random_largest_change_nats=max((float(each.mean()) for each in by_random), default=None),
                random_change_nats=tuple(np.mean(by_random, axis=0).tolist()) if by_random else None,
                most_changed=place,
                free_next=pin.next_tokens(tokenizer, free[place].softmax(-1).cpu().numpy()),
                pinned_next=pin.next_tokens(tokenizer, logits[place].softmax(-1).cpu().numpy()),
            )
        )
    return TextReading(
        text=text,
        cut=len(ids) < len(whole),
        tokens=tuple(pieces(tokenizer, ids[1:])),
        activations=tuple(pinned.activations(tokens)[1:].tolist()),
        loss_nats=tuple(clean.tolist()),
        levels=tuple(rows),
    )


def continue_prompt(
    pinned: PinnedUnit, tokenizer: Tokenizer, settings: Mapping[str, Any], eos: int, levels: list[Level], seed: int
) -> Writing:
    """A prompt continued with the unit free and pinned, and with random units pinned; next tokens and continuations."""
    prompt, n = pin.encoded_prompt(tokenizer, settings["prompt"], eos, settings["context"]), settings["samples"]
    # one row per continuation: kind, unit, number of the level, number of the sample
    numbers = range(len(levels))
    rows = [("unit", pinned.unit, number, sample) for number in numbers for sample in range(n)]
    rows += [("random", unit, number, 0) for number in numbers for unit in pinned.random]
    rows += [("free", 0, -1, sample) for sample in range(n)]
    kind, unit, number, stream = (np.array(column) for column in zip(*rows, strict=True))
    values = [0.0 if of == "free" else pinned.value(each, levels[at]) for of, each, at, _ in rows]
    n_tokens = min(settings["sample_tokens"], settings["context"] - len(prompt))
    job.say(f"{len(rows)} continuations of {n_tokens} tokens")
    pins = pin.Pins(unit, np.array(values), kind != "free", stream)
    ids, first = pin.sample(pinned.target, prompt, pins, n_tokens, seed)
    free, written = np.flatnonzero(kind == "free"), []
    for at, level in enumerate(levels):
        here, others = (np.flatnonzero((kind == of) & (number == at)) for of in ("unit", "random"))
        by_random = [kl_divergence(first[free[0]], first[other]) for other in others]
        written.append(
            WriteLevel(
                dose=level.dose,
                value=pinned.value(pinned.unit, level),
                kl_nats=kl_divergence(first[free[0]], first[here[0]]),
                random_mean_kl_nats=float(np.mean(by_random)) if by_random else None,
                random_largest_kl_nats=max(by_random, default=None),
                next=pin.next_tokens(tokenizer, first[here[0]]),
                continuations=pin.decoded(tokenizer, ids[here]),
                random_continuation=next(iter(pin.decoded(tokenizer, ids[others])), None),
            )
        )
    return Writing(
        prompt=settings["prompt"],
        n_tokens=n_tokens,
        next=pin.next_tokens(tokenizer, first[free[0]]),
        continuations=pin.decoded(tokenizer, ids[free]),
        levels=tuple(written),
    )


def pin_unit(
    model_folder: Path, tokens_folder: Path, tokenizer_path: Path, sae_folder: Path | None, settings: Mapping[str, Any],
    seed: int, device: str,
) -> UnitIntervention:  # fmt: skip
    """Pin one unit while the model reads a text and continues a prompt.

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
    if largest[unit] <= 0 and any(level.dose for level in levels):
        raise artefacts.ArtefactError(
            f"{kind} {unit} is never above 0 on {len(rows)} tokens of the validation split, so doses have no unit; "
            "give `values` in place of doses"
        )
    pool = np.setdiff1d(np.flatnonzero(fired >= LEAST_FIRINGS), [unit])
    rng = np.random.default_rng(derive_seed(seed, "random units"))
    random = rng.permutation(pool)[: settings["random"]].tolist()
    pinned, eos = PinnedUnit(pin.Target(model, site, sae), unit, largest, random), validation.eos_token_id
    read, written = None, None
    if settings["text"]:
        read = read_text(pinned, tokenizer, settings["text"], eos, settings["context"], levels)
    if settings["prompt"]:
        seed_of_text = derive_seed(seed, "continuations") % 2**32
        written = continue_prompt(pinned, tokenizer, settings, eos, levels, seed_of_text)
    return UnitIntervention(
        model=model_folder.name,
        site=site.name,
        run=sae_folder.name if sae_folder else None,
        kind=kind,
        unit=unit,
        n_units=len(largest),
        largest_activation=float(largest[unit]),
        density=float(fired[unit] / len(rows)),
        n_tokens=len(rows),
        random_units=tuple(random),
        conventions=CONVENTIONS,
        reading=read,
        writing=written,
    )
