"""Fidelity of the autoencoders of one site on held-out text, beside baselines.

One pass over the text serves all of them: per batch the model runs once to the site, then only its suffix runs for each
reconstruction. Everything that is reported is a ratio of sums that were kept per document.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor, nn

from scripts.monosem.core.job import Progress
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.fidelity.baselines import Reconstructor, sae_reconstructor
from scripts.monosem.evaluation.fidelity.batch import Batch, Settings, losses, make_batch
from scripts.monosem.evaluation.fidelity.document import Identities
from scripts.monosem.evaluation.fidelity.identities import WINDOWS, check_identities
from scripts.monosem.evaluation.fidelity.token_norms import TokenNorms
from scripts.monosem.metrics import fidelity, sparsity
from scripts.monosem.models import cost
from scripts.monosem.models.sites import Site
from scripts.monosem.sae.model import Sae
from scripts.monosem.text.tokens import TokenStream, windows


@dataclass
class Tally:
    """Sums of one reconstructor over the text so far; sums are float64."""

    documents: dict[str, Float[np.ndarray, " documents"]]
    """Name of a term -> its sum per document."""
    counts: Integer[np.ndarray, " d_sae"] | None = None
    """Tokens on which each latent is > 0."""
    maxima: Float[np.ndarray, " d_sae"] | None = None
    """Largest activation of each latent."""

    def add(
        self, terms: Mapping[str, Any], document: Integer[np.ndarray, " n"], n_documents: int,
        chosen: Bool[np.ndarray, " n"] | None = None,
    ) -> None:  # fmt: skip
        """Add per-token terms of the chosen tokens (all if not given) to the sums of the documents that they are in."""
        chosen = np.ones(len(document), bool) if chosen is None else chosen
        for name, values in terms.items():
            values = values.double().cpu().numpy() if isinstance(values, Tensor) else values
            summed = np.bincount(document[chosen], weights=values[chosen], minlength=n_documents)
            self.documents[name] = self.documents.get(name, 0.0) + summed


@dataclass
class Sums:
    """Sums over the text under one treatment of tokens above the norm limit."""

    tallies: dict[str, Tally]
    """By reconstructor: SAEs by run, baselines by name."""
    clean: Tally
    """Of the model with nothing replaced."""
    drift: Float[np.ndarray, " d"]
    """Σ (x − centre) over all replaced tokens."""


@dataclass(frozen=True)
class Evaluated:
    """Result of one evaluation."""

    sums: Sums
    """From these fidelity.json follows; tokens above the norm limit are untouched."""
    with_excluded: Sums | None
    """Of the same text with these tokens replaced like the others; None if there are none."""
    norms: TokenNorms
    """Of all tokens."""
    identities: Identities
    """By how much they were missed."""


@dataclass(frozen=True)
class Part:
    """Tokens of a batch that count for some sums."""

    sums: Sums
    replaced: Bool[np.ndarray, " n"]
    """True for each replaced position that counts."""
    scored: Bool[np.ndarray, " n_scored"]
    """True for each scored position that counts."""


def part(sums: Sums, batch: Batch, chosen: Bool[Tensor, " batch"]) -> Part:
    """The tokens of the chosen windows."""
    rows = [chosen[:, None].expand_as(mask)[mask].cpu().numpy() for mask in (batch.replaced, batch.scored)]
    return Part(sums, *rows)


def add_clean(parts: Sequence[Part], batch: Batch, centre: Float[Tensor, " d"], n_docs: int) -> None:
    """Add the model's own terms on one batch."""
    x = batch.x
    norm = {"n": torch.ones(len(x)), "norm": x.norm(dim=-1), "square": x.square().sum(-1)}
    loss = {"n_scored": torch.ones(len(batch.scored_documents)), "loss": batch.reference.loss}
    for each in parts:
        each.sums.clean.add(norm, batch.replaced_documents, n_docs, each.replaced)
        each.sums.clean.add(loss, batch.scored_documents, n_docs, each.scored)
        chosen = x if each.replaced.all() else x[torch.from_numpy(each.replaced).to(x.device)]
        each.sums.drift += (chosen - centre).double().sum(0).cpu().numpy()


def add_batch(
    parts: Sequence[Part], name: str, batch: Batch, model: nn.Module, site: Site, reconstructor: Reconstructor,
    centre: Float[Tensor, " d"], n_docs: int,
) -> None:  # fmt: skip
    """Evaluate one reconstructor on one batch and add its terms."""
    by_token = reconstructor.by_token
    x_hat, codes = reconstructor.apply(batch.x) if by_token is None else (by_token(batch.replaced_tokens), None)
    terms: dict[str, Any] = fidelity.reconstruction_terms(batch.x, x_hat, centre)
    tallies = [each.sums.tallies[name] for each in parts]
    if codes is not None:
        rows = np.repeat(np.arange(len(batch.x)), codes.offsets.diff().cpu().numpy())
        values, latents = codes.values.double().cpu().numpy(), codes.latents.cpu().numpy()
        terms |= sparsity.sparsity_terms(values, rows, len(batch.x))
        for tally in tallies:
            if tally.counts is not None:
                tally.counts += np.bincount(latents[values > 0], minlength=len(tally.counts))
                np.maximum.at(tally.maxima, latents, values)
    loss, divergence = losses(model, site, batch, x_hat)
    for tally, each in zip(tallies, parts, strict=True):
        tally.add(terms, batch.replaced_documents, n_docs, each.replaced)
        tally.add({"loss": loss, "kl": divergence}, batch.scored_documents, n_docs, each.scored)


def empty_sums(reconstructors: Mapping[str, Reconstructor], d: int, latents: bool) -> Sums:
    """Sums of nothing; `latents` says whether those of SAEs are counted one by one."""

    def tally(width: int | None) -> Tally:
        counted = (np.zeros(width, np.int64), np.zeros(width)) if latents and width else (None, None)
        return Tally({}, *counted)

    tallies = {name: tally(reconstructor.d_sae) for name, reconstructor in reconstructors.items()}
    return Sums(tallies, Tally({}), np.zeros(d))


def flops_per_token(model: nn.Module, site: Site, reconstructors: Iterable[Reconstructor], context: int) -> float:
    """Multiplications and additions of the matrix products of an evaluation, per token; the identities' are not in it.

    Raises: ValueError for a model of no known family, or a site that the configuration named.
    """
    flops = [reconstructor.flops for reconstructor in reconstructors]
    return cost.evaluation_flops(model.config.to_dict(), site.name, context, len(flops)) + sum(flops)


def evaluate(
    model: nn.Module,
    site: Site,
    stream: TokenStream,
    saes: Mapping[str, Sae],
    controls: Mapping[str, Reconstructor],
    centre: Float[Tensor, " d"],
    settings: Settings,
) -> Evaluated:
    """Run everything over the text, once the identities hold on its first windows.

    Windows with a token above the norm limit are run twice: with this token untouched, and with it replaced.
    Raises: IdentityViolated.
    """
    starts = windows(stream, settings.context, settings.tokens, derive_seed(settings.seed, "evaluation windows"))
    # the settings say which tokens are replaced; what is left is encoded whatever its norm
    saes = {name: replace(sae, norm_limit=inf) for name, sae in saes.items()}
    everything = {name: sae_reconstructor(sae, name) for name, sae in saes.items()} | dict(controls)
    untouched, also_excluded = (empty_sums(everything, site.d, latents) for latents in (True, False))
    n_docs, size, token_norms, again = len(stream.documents) - 1, settings.batch_size, TokenNorms(), []

    def add(batch: Batch, parts: Sequence[Part]) -> None:
        for name, reconstructor in everything.items():
            add_batch(parts, name, batch, model, site, reconstructor, centre, n_docs)
        add_clean(parts, batch, centre, n_docs)

    identities = check_identities(model, site, make_batch(model, site, stream, starts[:WINDOWS], settings), saes)
    progress = Progress(len(starts) * settings.context, "tokens")
    for begin in range(0, len(starts), size):
        chosen = starts[begin : begin + size]
        batch = make_batch(model, site, stream, chosen, settings)
        excluding = (batch.kept & ~batch.replaced).any(-1)
        add(batch, [part(untouched, batch, torch.ones_like(excluding)), part(also_excluded, batch, ~excluding)])
        again.extend(chosen[excluding.cpu().numpy()])
        token_norms.add(batch, centre)
        progress.update(min(begin + size, len(starts)) * settings.context)
    for begin in range(0, len(again), size):
        everywhere = replace(settings, norm_limit=inf)
        batch = make_batch(model, site, stream, np.array(again[begin : begin + size]), everywhere)
        add(batch, [part(also_excluded, batch, torch.ones_like(batch.kept[:, 0]))])
    return Evaluated(untouched, also_excluded if again else None, token_norms, identities)
