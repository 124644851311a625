"""Interventions on the latents of the planted contexts: dose-response, random latents, ablation by token."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from scripts.monosem.core import job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.interventions import pin
from scripts.monosem.evaluation.latents.unit_activations import Subject, open_subject
from scripts.monosem.evaluation.representations.site_activations import LEAST_FIRINGS, chosen_windows, read_sites
from scripts.monosem.evaluation.representations.texts import pieces
from scripts.monosem.sae.csr import encode_csr
from scripts.monosem.text import corpus
from scripts.monosem.text.bpe import load_tokenizer
from scripts.monosem.text.tokens import TokenStream, load_tokens

WINDOWS = 16  # per context, for ablation


def ablation(
    subject: Subject, stream: TokenStream, label: int, latent: int, random: list[int]
) -> dict[str, Any] | None:
    """Loss added by ablating a latent, on the tokens of a context and on all others, and by ablating random ones."""
    context = subject.context
    starts = np.arange(len(stream.tokens) // context) * context
    places = starts[:, None] + np.arange(context)
    amount = (stream.labels[places] == label).sum(1)
    most, none = np.argsort(-amount, kind="stable")[:WINDOWS], np.flatnonzero(amount == 0)
    if amount.max() == 0 or len(none) == 0:
        return None
    chosen = np.concatenate([most, none[np.linspace(0, len(none) - 1, WINDOWS).astype(int)]])
    inside = stream.labels[places[chosen]][:, 1:] == label
    tokens = torch.from_numpy(stream.tokens[places[chosen]].astype(np.int64)).to(subject.model.device)
    clean = pin.losses(subject.model, subject.site, subject.sae, tokens, None).cpu().numpy()

    def added(unit: int) -> tuple[float, float]:
        change = pin.losses(subject.model, subject.site, subject.sae, tokens, unit).cpu().numpy() - clean
        return float(change[inside].mean()), float(change[~inside].mean())

    own, others = added(latent), [added(unit) for unit in random]
    return {
        "n_tokens_in_context": int(inside.sum()),
        "in_context_nats": own[0],
        "elsewhere_nats": own[1],
        "random": {
            "in_context_nats": float(np.mean([pair[0] for pair in others])),
            "largest_in_context_nats": float(max(pair[0] for pair in others)),
        },
    }


def text_ablation(subject: Subject, tokenizer: Tokenizer, text: str, eos: int, random: list[int]) -> dict[str, Any]:
    """A text token by token: what ablating its strongest latent, and random latents, adds to the loss."""
    ids = [eos, *tokenizer.encode(text, add_special_tokens=False).ids][: subject.context]
    tokens = torch.tensor([ids], device=subject.model.device)
    activations = read_sites(subject.model, [subject.site.name], np.array([ids]), -1)
    peak = encode_csr(subject.sae, activations.by_site[subject.site.name][0, 1:]).max(0).toarray()[0]
    latent = int(peak.argmax())
    clean, ablated, *others = (
        pin.losses(subject.model, subject.site, subject.sae, tokens, unit)[0].cpu().numpy()
        for unit in (None, latent, *random)
    )
    return {
        "latent": latent,
        "tokens": pieces(tokenizer, ids[1:]),
        "loss_nats": clean.tolist(),
        "change_nats": (ablated - clean).tolist(),
        "random_change_nats": (np.mean(others, axis=0) - clean).tolist(),
    }


def pin_context_latents(
    model_folder: Path, tokens_folder: Path, tokenizer_path: Path, sae_folder: Path, contexts: dict[str, Any],
    settings: dict[str, Any], seed: int, device: str,
) -> dict[str, Any]:  # fmt: skip
    """Contents of interventions.json.

    Args:
        contexts: contexts.json of this autoencoder, whose best latents are pinned.
        settings: {"doses", "samples", "sample_tokens", "random_latents", "tokens", "texts", "prompt"}.
    """
    subject = open_subject(model_folder, sae_folder, device)
    tokenizer, validation = load_tokenizer(tokenizer_path), load_tokens(tokens_folder, "validation")
    tokens = chosen_windows(validation, subject.context, settings["tokens"], derive_seed(seed, "intervention windows"))
    activations = read_sites(subject.model, [subject.site.name], tokens, validation.eos_token_id)
    codes = encode_csr(subject.sae, activations.rows(subject.site.name))
    largest, fired = codes.max(0).toarray()[0], codes.getnnz(0)
    chosen = {}
    for name, row in contexts["contexts"].items():
        if row["latent"]["specificity_by_activation"]:
            chosen[name] = row["latent"]["index"]
            largest[chosen[name]] = row["latent"]["specificity_by_activation"][-1]["upper"]
    rng = np.random.default_rng(derive_seed(seed, "random latents"))
    pool = np.setdiff1d(np.flatnonzero(fired >= LEAST_FIRINGS), list(chosen.values()))
    random = rng.permutation(pool)[: settings["random_latents"]].tolist()

    doses, n = sorted({*settings["doses"], 1.0}), settings["samples"]
    plan = [(name, latent, dose) for name, latent in chosen.items() for dose in doses]
    plan += [("random", latent, 1.0) for latent in random] + [("none", 0, 0.0)]
    rows = [(latent, dose * largest[latent], who != "none", k) for who, latent, dose in plan for k in range(n)]
    latent, value, pinned, stream = (np.array(column) for column in zip(*rows, strict=True))
    prompt = [validation.eos_token_id, *tokenizer.encode(settings["prompt"], add_special_tokens=False).ids]
    n_tokens = min(settings["sample_tokens"], subject.context - len(prompt))
    job.say(f"{len(rows)} continuations of {n_tokens} tokens")
    ids, first = pin.sample(
        subject.model, subject.site, subject.sae, prompt, latent, value, pinned, stream, n_tokens,
        derive_seed(seed, "continuations") % 2**32,
    )  # fmt: skip
    texts = [tokenizer.decode(row.tolist(), skip_special_tokens=False) for row in ids]
    by_plan = {entry: texts[number * n : (number + 1) * n] for number, entry in enumerate(plan)}
    start = {entry: first[number * n] for number, entry in enumerate(plan)}

    def share(entry: tuple, name: str) -> float:
        return float(np.mean([pin.context_share(text, name) for text in by_plan[entry]]))

    def table(entry: tuple) -> list[dict[str, Any]]:
        return pin.next_tokens(start[entry], lambda token: pieces(tokenizer, [token])[0])

    free, test, found = plan[-1], load_tokens(tokens_folder, "test"), {}
    at_random = [entry for entry in plan if entry[0] == "random"]
    for name, unit in chosen.items():
        by_random = [share(entry, name) for entry in at_random]
        found[name] = {
            "latent": unit,
            "max_activation": float(largest[unit]),
            "doses": [{"dose": dose, "share": share((name, unit, dose), name)} for dose in doses],
            "at_maximum": share((name, unit, 1.0), name),
            "unpinned": share(free, name),
            "random_mean": float(np.mean(by_random)) if by_random else None,
            "random_largest": max(by_random, default=None),
            "ablation": ablation(subject, test, corpus.LABELS.index(name), unit, random) if random else None,
            "examples": {"pinned": by_plan[name, unit, 1.0][:2], "next_tokens": table((name, unit, 1.0))},
        }
        job.say(f"{name}: {found[name]['at_maximum']:.0%} pinned, {found[name]['unpinned']:.0%} free")
    return {
        "model": model_folder.name,
        "site": subject.site.name,
        "run": sae_folder.name,
        "conventions": pin.CONVENTIONS,
        "prompt": settings["prompt"],
        "samples": n,
        "sample_tokens": n_tokens,
        "n_random": len(random),
        "pinned": found,
        "examples": {
            "free": by_plan[free][:2],
            "random": [by_plan[entry][0] for entry in at_random[:2]],
            "next_tokens": table(free),
            "texts": {
                name: text_ablation(subject, tokenizer, text, validation.eos_token_id, random)
                for name, text in settings["texts"].items()
                if random
            },
        },
    }
