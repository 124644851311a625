"""Fidelity of the autoencoders of one site on held-out text, beside baselines.

One pass over the text serves all of them: per batch the model runs once to the site, then only its suffix runs for each
reconstruction. Everything that is reported is a ratio of sums that were kept per document.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor, nn

from scripts.monosem.core.job import Progress
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.fidelity import baselines
from scripts.monosem.evaluation.fidelity.baselines import Reconstructor
from scripts.monosem.evaluation.fidelity.document import Identities
from scripts.monosem.metrics import fidelity, sparsity
from scripts.monosem.models import splice
from scripts.monosem.models.sites import Site
from scripts.monosem.sae import model as sae_model
from scripts.monosem.sae.kernels.sparse import Codes
from scripts.monosem.sae.model import Sae
from scripts.monosem.text.tokens import TokenStream, kept_positions, windows

LATENT_NUMBERS = 2**22  # dense pre-activations in flight: 16 MB of float32
CE_TOLERANCE_NATS = 1e-5  # by how much SAE(x) + error may change the loss
RECOVERED_TOLERANCE = 1e-4  # by how much the identity may miss 100 %
IDENTITY_BATCHES = 4  # batches on which the identities are asserted


class IdentityViolated(RuntimeError):
    """Something that holds by definition does not hold in this run: its numbers cannot be trusted."""


@dataclass(frozen=True)
class Settings:
    """Text and resampling of one evaluation."""

    tokens: int
    """Positions of held-out text, before special ones are dropped."""
    bootstrap: int
    """Resamplings over documents."""
    context: int
    """Window length, as in the extraction."""
    drop_first_position: bool
    """As in the extraction."""
    seed: int
    """Windows, random dictionary, resampling."""
    batch_size: int = 16
    """Windows per forward pass."""


@dataclass
class Tally:
    """Sums of one reconstructor over the text so far; sums are float64."""

    documents: dict[str, Float[np.ndarray, " documents"]]
    """Name of a term -> its sum per document."""
    counts: Integer[np.ndarray, " d_sae"] | None = None
    """Tokens on which each latent is > 0."""
    maxima: Float[np.ndarray, " d_sae"] | None = None
    """Largest activation of each latent."""

    def add(self, terms: Mapping[str, Any], document: Integer[np.ndarray, " n"], n_documents: int) -> None:
        """Add per-token terms to the sums of the documents that the tokens are in."""
        for name, values in terms.items():
            values = values.double().cpu().numpy() if isinstance(values, Tensor) else values
            summed = np.bincount(document, weights=values, minlength=n_documents)
            self.documents[name] = self.documents.get(name, 0.0) + summed


@dataclass(frozen=True)
class Evaluated:
    """Sums over the text, from which fidelity.json follows."""

    tallies: dict[str, Tally]
    """By reconstructor: SAEs by run, baselines by name."""
    clean: Tally
    """Of the model with nothing replaced."""
    drift: Float[np.ndarray, " d"]
    """Σ (x − centre) over all evaluated tokens."""
    identities: Identities | None
    """None if there was no text."""


@dataclass(frozen=True)
class Batch:
    """One batch of windows, run once through the clean model."""

    clean: splice.Clean
    """Residual stream around the site."""
    kept: Bool[Tensor, "batch context"]
    """Positions that are replaced."""
    scored: Bool[Tensor, "batch context-1"]
    """Kept positions whose next token is in the window."""
    x: Float[Tensor, "n d"]
    """Activations at kept positions."""
    reference: splice.Reference
    """The clean model's predictions at scored positions."""
    kept_documents: Integer[np.ndarray, " n"]
    """Document of each kept position."""
    scored_documents: Integer[np.ndarray, " n_scored"]
    """Document of each scored position."""
    kept_tokens: Int[Tensor, " n"]
    """Token of each kept position."""


def sae_reconstructor(sae: Sae, what: str) -> Reconstructor:
    """An SAE as a reconstructor; wide codes are made a few rows at a time and stay sparse."""
    rows = max(64, LATENT_NUMBERS // sae.d_sae)

    def apply(x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n d"], Codes]:
        codes = sae_model.concatenate([sae_model.encode_active(sae, chunk) for chunk in x.split(rows)])
        return sae_model.decode_active(sae, codes), codes

    return Reconstructor(what, apply, sae.d_sae)


def make_batch(
    model: nn.Module, site: Site, stream: TokenStream, starts: Integer[np.ndarray, " batch"], settings: Settings
) -> Batch:
    """Run the clean model on windows that start at `starts`."""
    device = model.device
    places = starts[:, None] + np.arange(settings.context)
    tokens = torch.from_numpy(stream.tokens[places].astype(np.int64)).to(device)
    kept = kept_positions(tokens, stream.eos_token_id, settings.drop_first_position)
    scored = kept[:, :-1]
    document = np.searchsorted(stream.documents, places, side="right") - 1
    clean = splice.run_clean(model, site, tokens, stream.eos_token_id)
    unembedding = splice.unembedding_of(model)
    predictions = splice.reference(clean.final[:, :-1][scored], unembedding, tokens[:, 1:][scored])
    return Batch(
        clean=clean,
        kept=kept,
        scored=scored,
        x=clean.activations[kept].float(),
        reference=predictions,
        kept_documents=document[kept.cpu().numpy()],
        scored_documents=document[:, :-1][scored.cpu().numpy()],
        kept_tokens=tokens[kept],
    )


def losses(
    model: nn.Module, site: Site, batch: Batch, x_hat: Float[Tensor, "n d"]
) -> tuple[Float[Tensor, " n_scored"], Float[Tensor, " n_scored"]]:
    """Cross-entropy and KL per scored position when the kept positions hold `x_hat`."""
    activations = splice.replace_kept(batch.clean.activations, batch.kept, x_hat)
    hidden = splice.run_suffix(model, site, batch.clean, activations)[:, :-1][batch.scored]
    return splice.score(batch.reference, hidden, splice.unembedding_of(model))


def add_batch(
    tally: Tally,
    batch: Batch,
    model: nn.Module,
    site: Site,
    reconstructor: Reconstructor,
    centre: Float[Tensor, " d"],
    n_docs: int,
) -> None:
    """Evaluate one reconstructor on one batch and add to its sums."""
    by_token = reconstructor.by_token
    x_hat, codes = reconstructor.apply(batch.x) if by_token is None else (by_token(batch.kept_tokens), None)
    tally.add(fidelity.reconstruction_terms(batch.x, x_hat, centre), batch.kept_documents, n_docs)
    if codes is not None:
        rows = np.repeat(np.arange(len(batch.x)), codes.offsets.diff().cpu().numpy())
        values, latents = codes.values.double().cpu().numpy(), codes.latents.cpu().numpy()
        tally.add(sparsity.sparsity_terms(values, rows, len(batch.x)), batch.kept_documents, n_docs)
        if reconstructor.d_sae is not None:
            if tally.counts is None:
                tally.counts, tally.maxima = np.zeros(reconstructor.d_sae, np.int64), np.zeros(reconstructor.d_sae)
            tally.counts += np.bincount(latents[values > 0], minlength=reconstructor.d_sae)
            np.maximum.at(tally.maxima, latents, values)
    loss, divergence = losses(model, site, batch, x_hat)
    tally.add({"loss": loss, "kl": divergence}, batch.scored_documents, n_docs)


def check_identities(model: nn.Module, site: Site, batches: list[Batch], saes: Mapping[str, Sae]) -> Identities:
    """Assert what must hold by definition, through the very code that produces the results.

    Raises: IdentityViolated if SAE(x) + error changes the loss, a zero reconstruction recovers anything, or the
    identity does not recover everything.
    """

    def pooled(reconstruct: Any) -> tuple[float, float]:
        results = [losses(model, site, batch, reconstruct(batch.x)) for batch in batches]
        return tuple(float(torch.cat(column).double().mean()) for column in zip(*results, strict=True))

    clean = float(torch.cat([batch.reference.loss for batch in batches]).double().mean())
    zero = pooled(torch.zeros_like)[0]
    identity, identity_kl = pooled(torch.clone)
    worst = 0.0
    for name, sae in saes.items():
        apply = sae_reconstructor(sae, name).apply

        def with_error(x: Float[Tensor, "n d"], apply: Any = apply) -> Float[Tensor, "n d"]:
            x_hat = apply(x)[0]
            return x_hat + (x - x_hat)

        change = abs(pooled(with_error)[0] - clean)
        worst = max(worst, change)
        if not change < CE_TOLERANCE_NATS:
            raise IdentityViolated(f"{name}: SAE(x) + error changes the loss by {change:.2e} nats, more than rounding")
    nothing = None
    if saes:
        sae = next(iter(saes.values()))
        silent = replace(sae, W_dec=torch.zeros_like(sae.W_dec), b_dec=torch.zeros_like(sae.b_dec))
        replaced = pooled(lambda x: sae_reconstructor(silent, "zero").apply(x)[0])[0]
        nothing = fidelity.ce_loss_score(clean, replaced, zero)
        if nothing not in (0.0, None):
            raise IdentityViolated(f"an SAE of zeros recovers {nothing:.2e} of the loss instead of exactly nothing")
    everything = fidelity.ce_loss_score(clean, identity, zero)
    if everything is not None and abs(everything - 1) > RECOVERED_TOLERANCE:
        raise IdentityViolated(f"the identity recovers {everything:.6f} of the loss instead of all of it")
    return Identities(
        sae_plus_error_ce_change_nats=worst if saes else None,
        zero_reconstruction_recovered=nothing,
        identity_recovered=everything,
        identity_kl_nats=identity_kl,
        n_tokens=sum(len(batch.x) for batch in batches),
    )


def mean_l0(sae: Sae, x: Float[Tensor, "n d"]) -> float:
    """Mean number of latents > 0 per row."""
    codes = sae_reconstructor(sae, "").apply(x)[1]
    return float((codes.values > 0).sum()) / len(x)


def make_baselines(
    sample: Float[Tensor, "n d"], centre: Float[Tensor, " d"], reference: Sae | None, neighbour: Sae | None, seed: int
) -> dict[str, Reconstructor]:
    """The baselines of a site; those that spend numbers spend as many per token as the reference SAE's L0."""
    made = {"zero_ablation": baselines.zero(), "mean_ablation": baselines.mean(centre)}
    if reference is not None:
        k = min(max(1, round(mean_l0(reference, sample[:16_384]))), sample.shape[1])
        made |= {
            "top_neurons_about_mean": baselines.top_neurons_about_mean(centre, k),
            "top_neurons": baselines.top_neurons(k),
            "pca": baselines.pca(sample, centre, k),
            "random_dictionary": baselines.random_dictionary(
                sample, centre, reference.d_sae, min(k, reference.d_sae), derive_seed(seed, "dictionary")
            ),
        }
    if neighbour is not None:
        hook = neighbour.cfg["metadata"]["hook_name"]
        made["other_layer_sae"] = sae_reconstructor(neighbour, f"the SAE of {hook}, applied here; at its own L0")
    return made


def evaluate(
    model: nn.Module,
    site: Site,
    stream: TokenStream,
    saes: Mapping[str, Sae],
    controls: Mapping[str, Reconstructor],
    centre: Float[Tensor, " d"],
    settings: Settings,
) -> Evaluated:
    """Run everything over the text; the identities are asserted on the first batches.

    Raises: IdentityViolated.
    """
    starts = windows(stream, settings.context, settings.tokens, derive_seed(settings.seed, "evaluation windows"))
    everything = {name: sae_reconstructor(sae, name) for name, sae in saes.items()} | dict(controls)
    tallies = {name: Tally({}) for name in everything}
    clean, drift, n_docs = Tally({}), np.zeros(site.d), len(stream.documents) - 1
    progress, first, identities = Progress(len(starts) * settings.context, "tokens"), [], None
    for begin in range(0, len(starts), settings.batch_size):
        batch = make_batch(model, site, stream, starts[begin : begin + settings.batch_size], settings)
        if begin < IDENTITY_BATCHES * settings.batch_size:
            first.append(batch)
        for name, reconstructor in everything.items():
            add_batch(tallies[name], batch, model, site, reconstructor, centre, n_docs)
        norms = {"n": torch.ones(len(batch.x)), "norm": batch.x.norm(dim=-1), "square": batch.x.square().sum(-1)}
        clean.add(norms, batch.kept_documents, n_docs)
        scored = {"n_scored": torch.ones(len(batch.scored_documents)), "loss": batch.reference.loss}
        clean.add(scored, batch.scored_documents, n_docs)
        drift += (batch.x - centre).double().sum(0).cpu().numpy()
        if first and (len(first) == IDENTITY_BATCHES or begin + settings.batch_size >= len(starts)):
            identities, first = check_identities(model, site, first, saes), []
        progress.update(min(begin + settings.batch_size, len(starts)) * settings.context)
    return Evaluated(tallies, clean, drift, identities)
