"""Interventions on the latents of the planted contexts: dose-response, random latents, ablation by token."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer
from tokenizers import Tokenizer

from scripts.monosem.core import job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.documents import from_json
from scripts.monosem.evaluation.interventions import pin
from scripts.monosem.evaluation.interventions.document import (
    AblatedLatent,
    Ablation,
    Bounded,
    ContextInterventions,
    Dose,
    FreeExamples,
    PinnedExamples,
    PinnedLatent,
    TextAblation,
)
from scripts.monosem.evaluation.latents.document import Context, Contexts
from scripts.monosem.evaluation.latents.unit_activations import Subject, open_subject
from scripts.monosem.evaluation.representations.site_activations import LEAST_FIRINGS, chosen_windows, read_sites
from scripts.monosem.evaluation.representations.texts import pieces
from scripts.monosem.metrics import bootstrap
from scripts.monosem.sae.csr import encode_csr
from scripts.monosem.text import bpe, corpus
from scripts.monosem.text.bpe import load_tokenizer
from scripts.monosem.text.tokens import TokenStream, load_tokens

WINDOWS = 16
"""Per context, for ablation."""
RESAMPLINGS = 1000
"""Of samples or windows, for intervals."""
SHOWN = 2
"""Continuations kept as examples."""


@dataclass(frozen=True)
class Choice:
    """The latents that are pinned."""

    latents: dict[str, int]
    """Context -> its best latent."""
    largest: Float[np.ndarray, " d_sae"]
    """Largest activation of each latent on the same tokens: what dose 1 stands for."""
    random: list[int]
    """Live latents of the control."""


class Condition(NamedTuple):
    """One latent at one dose."""

    kind: str
    """A context, "random", or "none" where nothing is pinned."""
    latent: int
    dose: float


FREE = Condition("none", 0, 0.0)


@dataclass(frozen=True)
class Continuations:
    """Text written under each condition."""

    texts: dict[Condition, tuple[str, ...]]
    first: dict[Condition, Float[np.ndarray, " vocab"]]
    """Probabilities of the first token after the prompt."""
    n_tokens: int
    """Per continuation."""

    def share(self, condition: Condition, context: str) -> Bounded:
        """Mean share of the characters that look like the context, with its interval over the texts."""
        shares = np.array([pin.context_share(text, context) for text in self.texts[condition]])
        return bounded(shares, np.ones(len(shares)))

    def shares_of_random(self, context: str) -> list[Bounded]:
        """The same for each random latent."""
        return [self.share(condition, context) for condition in self.texts if condition.kind == "random"]


def bounded(sums: Float[np.ndarray, " unit"], counts: Float[np.ndarray, " unit"]) -> Bounded:
    """Σ sums / Σ counts with its bootstrap interval over units that have any count."""
    sums, counts = sums[counts > 0], counts[counts > 0]
    totals = bootstrap.bootstrap_totals({"sum": sums, "count": counts}, RESAMPLINGS, seed=0)
    low, high = bootstrap.interval(totals["sum"] / totals["count"])
    return Bounded(float(sums.sum() / counts.sum()), low, high, len(sums))


def target_of(subject: Subject) -> pin.Target:
    """The subject's autoencoder as the target of interventions."""
    return pin.Target(subject.model, subject.site, subject.sae)


def choose(
    subject: Subject, stream: TokenStream, contexts: Mapping[str, Context], n_tokens: int, n_random: int, seed: int
) -> Choice:
    """The latents of the contexts, and random ones of those that fire on `n_tokens` of the text.

    All maxima are over the same tokens, that sample and the windows with most tokens of each context: the latent of a
    context and a random one get equal doses.
    """
    tokens = chosen_windows(stream, subject.context, n_tokens, derive_seed(seed, "intervention windows"))
    inside = [windows_for_ablation(stream, subject.context, corpus.LABELS.index(name)) for name in contexts]
    tokens = np.concatenate([tokens, *(windows[0][:WINDOWS] for windows in inside if windows is not None)])
    activations = read_sites(subject.model, [subject.site.name], tokens, stream.eos_token_id)
    codes = encode_csr(subject.sae, activations.rows(subject.site.name))
    largest = codes.max(0).toarray()[0]
    chosen = {name: row.latent.index for name, row in contexts.items() if largest[row.latent.index] > 0}
    rng = np.random.default_rng(derive_seed(seed, "random latents"))
    pool = np.setdiff1d(np.flatnonzero(codes.getnnz(0) >= LEAST_FIRINGS), list(chosen.values()))
    return Choice(chosen, largest, rng.permutation(pool)[:n_random].tolist())


def continue_prompt(
    subject: Subject, tokenizer: Tokenizer, eos_token_id: int, choice: Choice, doses: list[float],
    settings: Mapping[str, Any], seed: int,
) -> Continuations:  # fmt: skip
    """Sample continuations of the prompt under all conditions, with the same random numbers for each."""
    n, prompt = settings["samples"], pin.encoded_prompt(tokenizer, settings["prompt"], eos_token_id, subject.context)
    conditions = [Condition(name, latent, dose) for name, latent in choice.latents.items() for dose in doses]
    conditions += [*(Condition("random", latent, 1.0) for latent in choice.random), FREE]
    repeated = [condition for condition in conditions for _ in range(n)]
    pins = pin.Pins(
        unit=np.array([condition.latent for condition in repeated]),
        value=np.array([condition.dose * choice.largest[condition.latent] for condition in repeated]),
        active=np.array([condition != FREE for condition in repeated]),
        stream=np.tile(np.arange(n), len(conditions)),
    )
    n_tokens = min(settings["sample_tokens"], subject.context - len(prompt))
    job.say(f"{len(repeated)} continuations of {n_tokens} tokens")
    ids, first = pin.sample(target_of(subject), prompt, pins, n_tokens, derive_seed(seed, "continuations") % 2**32)
    rows = {condition: slice(number * n, (number + 1) * n) for number, condition in enumerate(conditions)}
    return Continuations(
        {condition: pin.decoded(tokenizer, ids[part]) for condition, part in rows.items()},
        {condition: first[part.start] for condition, part in rows.items()},
        n_tokens,
    )


def windows_for_ablation(
    stream: TokenStream, context: int, label: int
) -> tuple[Integer[np.ndarray, "windows context"], Bool[np.ndarray, "windows next"]] | None:
    """Tokens of the windows with most tokens of a label and of as many without any, and its places among the next ones.

    None if the text has no token of the label, or no window without one.
    """
    starts = np.arange(len(stream.tokens) // context) * context
    places = starts[:, None] + np.arange(context)
    amount = (stream.labels[places] == label).sum(1)
    most, none = np.argsort(-amount, kind="stable")[:WINDOWS], np.flatnonzero(amount == 0)
    if amount.max() == 0 or len(none) == 0:
        return None
    chosen = places[np.concatenate([most, none[np.linspace(0, len(none) - 1, WINDOWS).astype(int)]])]
    return stream.tokens[chosen].astype(np.int64), stream.labels[chosen][:, 1:] == label


def ablation(subject: Subject, stream: TokenStream, label: int, latent: int, random: list[int]) -> Ablation | None:
    """Loss added by ablating a latent, on the tokens of a context and on all others, and by ablating random ones."""
    windows = windows_for_ablation(stream, subject.context, label)
    if windows is None or not random:
        return None
    tokens, inside = torch.from_numpy(windows[0]).to(subject.model.device), windows[1]
    clean = pin.losses(target_of(subject), tokens, None).cpu().numpy()

    def ablated(unit: int) -> AblatedLatent:
        change = pin.losses(target_of(subject), tokens, unit).cpu().numpy() - clean
        places = (inside, ~inside)
        return AblatedLatent(unit, *(bounded((change * where).sum(1), where.sum(1).astype(float)) for where in places))

    others = [ablated(unit) for unit in random]
    return Ablation(
        n_tokens_in_context=int(inside.sum()),
        context=ablated(latent),
        random_mean_in_context_nats=float(np.mean([each.in_context_nats.value for each in others])),
        random_largest=max(others, key=lambda each: each.in_context_nats.value),
    )


def text_ablation(
    subject: Subject, tokenizer: Tokenizer, text: str, eos_token_id: int, random: list[int]
) -> TextAblation:
    """A text token by token: loss added by ablating its strongest latent, and by ablating random latents."""
    ids = bpe.cut(pin.encoded(tokenizer, text, eos_token_id), subject.context, f"{text[:30]!r}")
    tokens = torch.tensor([ids], device=subject.model.device)
    activations = read_sites(subject.model, [subject.site.name], np.array([ids]), -1)
    peak = encode_csr(subject.sae, activations.by_site[subject.site.name][0, 1:]).max(0).toarray()[0]
    latent = int(peak.argmax())
    clean, ablated, *others = (
        pin.losses(target_of(subject), tokens, unit)[0].cpu().numpy() for unit in (None, latent, *random)
    )
    return TextAblation(
        latent=latent,
        tokens=tuple(pieces(tokenizer, ids[1:])),
        loss_nats=tuple(clean.tolist()),
        change_nats=tuple((ablated - clean).tolist()),
        random_change_nats=tuple((np.mean(others, axis=0) - clean).tolist()),
    )


def pinned_latent(
    name: str, choice: Choice, doses: list[float], written: Continuations, ablated: Ablation | None,
    tokenizer: Tokenizer,
) -> PinnedLatent:  # fmt: skip
    """Everything about the latent of one context."""
    latent = choice.latents[name]
    maximum, by_random = Condition(name, latent, 1.0), written.shares_of_random(name)
    return PinnedLatent(
        latent=latent,
        max_activation=float(choice.largest[latent]),
        doses=tuple(Dose(dose, written.share(Condition(name, latent, dose), name).value) for dose in doses),
        at_maximum=written.share(maximum, name),
        unpinned=written.share(FREE, name),
        random_mean=float(np.mean([share.value for share in by_random])) if by_random else None,
        random_largest=max(by_random, key=lambda share: share.value, default=None),
        ablation=ablated,
        examples=PinnedExamples(written.texts[maximum][:SHOWN], pin.next_tokens(tokenizer, written.first[maximum])),
    )


def pin_context_latents(
    model_folder: Path, tokens_folder: Path, tokenizer_path: Path, sae_folder: Path, contexts: Mapping[str, Any],
    settings: Mapping[str, Any], seed: int, device: str,
) -> ContextInterventions:  # fmt: skip
    """Pin the best latents of the planted contexts while the model writes, and ablate them while it reads.

    Args:
        contexts: contexts.json of this autoencoder, which names them.
        settings: {"doses", "samples", "sample_tokens", "random_latents", "tokens", "texts", "prompt"}.
    """
    subject = open_subject(model_folder, sae_folder, device)
    tokenizer, validation = load_tokenizer(tokenizer_path), load_tokens(tokens_folder, "validation")
    eos, test = validation.eos_token_id, load_tokens(tokens_folder, "test")
    chosen = from_json(Contexts, contexts).contexts
    choice = choose(subject, validation, chosen, settings["tokens"], settings["random_latents"], seed)
    doses = sorted({*settings["doses"], 1.0})
    written = continue_prompt(subject, tokenizer, eos, choice, doses, settings, seed)
    pinned = {}
    for name, latent in choice.latents.items():
        ablated = ablation(subject, test, corpus.LABELS.index(name), latent, choice.random)
        pinned[name] = pinned_latent(name, choice, doses, written, ablated, tokenizer)
        job.say(f"{name}: {pinned[name].at_maximum.value:.0%} pinned, {pinned[name].unpinned.value:.0%} free")
    at_random = [texts[0] for condition, texts in written.texts.items() if condition.kind == "random"]
    return ContextInterventions(
        model=model_folder.name,
        site=subject.site.name,
        run=sae_folder.name,
        conventions=pin.CONVENTIONS,
        prompt=settings["prompt"],
        samples=settings["samples"],
        sample_tokens=written.n_tokens,
        n_random=len(choice.random),
        pinned=pinned,
        examples=FreeExamples(
            free=written.texts[FREE][:SHOWN],
            random=tuple(at_random[:SHOWN]),
            next_tokens=pin.next_tokens(tokenizer, written.first[FREE]),
            texts={
                name: text_ablation(subject, tokenizer, text, eos, choice.random)
                for name, text in settings["texts"].items()
                if choice.random
            },
        ),
    )
