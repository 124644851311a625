"""Contents of fidelity.json. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.monosem.evaluation.documents import FLAT

MOST_ALONE = 30
"""Runs of one site that figures draw one by one."""


@dataclass(frozen=True)
class Fidelity:
    """Fidelity of one reconstruction; names are SAEBench's where it has one, intervals are 95 % over documents."""

    explained_variance: float | None
    """1 − Σ‖x−x̂‖² / Σ‖x−x̄‖²; None if the activations do not vary."""
    explained_variance_legacy: float | None
    """Mean over tokens of 1 − ‖x−x̂‖² / ‖x−c‖², c the training mean; None if all are there."""
    mse: float
    """‖x−x̂‖², summed over dimensions, mean over tokens."""
    cossim: float
    """Mean cosine of x and x̂."""
    l2_norm_in: float
    """Mean ‖x‖."""
    l2_norm_out: float
    """Mean ‖x̂‖."""
    l2_ratio: float | None
    """Mean ‖x̂‖ / ‖x‖ over tokens with x ≠ 0; None if there are none."""
    relative_reconstruction_bias: float | None
    """E‖x̂‖² / E[x·x̂]; None for a reconstruction of zeros."""
    l0: float
    """Latents above 0 per token; for baselines the numbers kept per token."""
    l1: float
    """Sum of latent activations per token."""
    ce_loss_without_sae: float
    """Cross-entropy of the clean model, nats per token."""
    ce_loss_with_sae: float
    """Cross-entropy with the reconstruction, nats per token."""
    ce_loss_with_ablation: float
    """Cross-entropy with zeros, nats per token."""
    ce_loss_with_mean_ablation: float
    """Cross-entropy with the training mean, nats per token; not in SAEBench."""
    ce_loss_score: float | None
    """Share of the loss recovered, against zero ablation."""
    ce_loss_score_mean_ablation: float | None
    """Share of the loss recovered, against mean ablation; not in SAEBench."""
    ce_increase_nats: float
    """Cross-entropy added by the reconstruction, nats per token; not in SAEBench."""
    kl_div_with_sae: float
    """KL(clean || replaced), nats per token."""
    kl_div_with_ablation: float
    """The same with zeros, nats per token."""
    kl_div_score: float | None
    """Share of the divergence avoided, against zero ablation."""
    explained_variance_low: float | None
    explained_variance_high: float | None
    l0_low: float | None
    l0_high: float | None
    ce_loss_with_sae_low: float | None
    ce_loss_with_sae_high: float | None
    ce_loss_score_low: float | None
    ce_loss_score_high: float | None
    ce_increase_nats_low: float | None
    ce_increase_nats_high: float | None
    kl_div_with_sae_low: float | None
    kl_div_with_sae_high: float | None
    mlp_worth_kept: float | None = None
    """(loss of the model trained without MLPs − loss) / (that loss − clean loss): 1 for the clean model, 0 for what is
    as good as no MLP. Only at the MLP of a model that has such a twin; not in SAEBench."""
    mlp_worth_kept_low: float | None = None
    mlp_worth_kept_high: float | None = None


@dataclass(frozen=True)
class Densities:
    """Shares of latents by density, the share of tokens on which a latent is above 0; names are SAEBench's."""

    frac_alive: float
    """Latents with a density above 0."""
    freq_over_1_percent: float
    """Latents with a density above 0.01."""
    freq_over_10_percent: float
    """Latents with a density above 0.1."""
    normalized_freq_over_1_percent: float | None
    """Share of the summed density that latents above 0.01 have."""
    normalized_freq_over_10_percent: float | None
    """Share of the summed density that latents above 0.1 have."""


@dataclass(frozen=True)
class SaeRow:
    """One autoencoder of the site."""

    fidelity: Fidelity = field(metadata=FLAT)
    densities: Densities = field(metadata=FLAT)
    average_max_decoder_cosine_sim: float
    """Mean over latents of the largest cosine of a decoder row with another (SAEBench)."""
    architecture: str
    """That of training, a key of sae.architectures.ARCHITECTURES."""
    d_in: int
    """Width of the activations."""
    d_sae: int
    """Number of latents."""
    k: int | None
    """Active latents per token, where the architecture fixes them."""
    l1_coefficient: float | None
    """Weight of the L1 penalty, where the architecture has one."""
    l0_coefficient: float | None
    """Weight of the L0 penalty, where the architecture has one."""
    vectors: int | None
    """Activation vectors trained on; None for one that was imported."""
    with_excluded: Fidelity | None = None
    """Fidelity where tokens above the norm limit are reconstructed, too; None if the text has none."""


@dataclass(frozen=True)
class BaselineRow:
    """One reconstruction that the autoencoders are compared with."""

    what: str
    """One sentence for the reader of the table."""
    fidelity: Fidelity = field(metadata=FLAT)
    densities: Densities | None = field(metadata=FLAT, default=None)
    """For baselines that are dictionaries."""
    with_excluded: Fidelity | None = None
    """Fidelity where tokens above the norm limit are replaced, too; None if the text has none."""


@dataclass(frozen=True)
class CleanModel:
    """The model with nothing replaced."""

    ce_loss_without_sae: float
    """Cross-entropy, nats per token."""
    ce_loss_without_sae_low: float | None
    ce_loss_without_sae_high: float | None
    activation_mean_norm: float
    """Mean ‖x‖."""
    activation_rms_norm: float
    """√ of the mean ‖x‖²."""
    ce_loss_without_mlp: float | None = None
    """Cross-entropy of the same model trained without MLPs, nats per token; only where there is one."""
    mlp_worth_nats: float | None = None
    """That less the clean model's."""
    mlp_worth_nats_low: float | None = None
    mlp_worth_nats_high: float | None = None


@dataclass(frozen=True)
class MassiveActivations:
    """Activations above 100 in size and 1,000 times the median of their window (Sun et al. 2024), at all positions."""

    n_tokens: int
    """Tokens that have one; special tokens and first positions are among them."""
    share_of_tokens: float
    """Of all tokens that were read."""
    n_at_first_position: int
    """Massive activations at the first position of a window."""
    n_dimensions: int
    """Dimensions in which there are any."""
    dimensions: tuple[int, ...]
    """The first eight of these, those with most of them first."""
    largest: float
    """Largest size of an activation."""
    largest_over_median: float | None
    """Largest ratio of an activation's size to the median of its window; None where every median is 0."""


@dataclass(frozen=True)
class Norms:
    """Norms of the activations that were read, and what is done about tokens of enormous norm."""

    median: float
    """Of the tokens that are neither special nor dropped."""
    largest: float
    """Of all tokens."""
    exclude_norm_above: float | None
    """Multiple of the median norm in the extraction, above which tokens are excluded; None: none are."""
    limit: float | None
    """The same as a norm."""
    n_excluded: int
    """Tokens above it: untouched, but for `with_excluded`."""
    top_variance_share: float | None
    """Share of the variance that the top 0.1 % of the replaced tokens hold."""
    top_variance_share_with_excluded: float | None
    """The same of these and the excluded ones."""
    top_variance_share_of_all: float | None
    """The same of all tokens that were read, special ones and first positions among them."""
    warning: str | None
    """A sentence where few of the replaced tokens hold most of the variance."""
    massive: MassiveActivations


@dataclass(frozen=True)
class Identities:
    """Identities that were asserted on the first windows, and by how much they were missed."""

    sae_plus_error_ce_change_nats: float | None
    """Largest change of the loss by SAE(x) + error."""
    zero_reconstruction_recovered: float | None
    """Share of the loss that an autoencoder of zeros recovers: exactly 0."""
    identity_recovered: float | None
    """Share of the loss that the activations themselves recover: 1."""
    identity_kl_nats: float
    """KL(clean || the activations themselves)."""
    n_tokens: int
    """Tokens of those windows."""
    token_rounding_nats: float
    """By how much rounding may move the loss of a token: what a share divides by has to be more."""


@dataclass(frozen=True)
class Difference:
    """A variant less the first one of its sweep, seed by seed."""

    difference: float
    """Mean over seeds."""
    difference_low: float | None
    """95 % interval by Student's t; None for a single seed."""
    difference_high: float | None
    smallest_difference: float
    largest_difference: float


@dataclass(frozen=True)
class OverSeeds:
    """One measure of a variant over its seeds."""

    values: tuple[float, ...]
    """In the order of the seeds."""
    mean: float
    lowest: float
    highest: float
    difference: Difference | None = field(metadata=FLAT, default=None)
    """None for the first variant."""
    spread: float | None = None
    """Highest less lowest; of the first variant only."""
    mean_low: float | None = None
    """95 % interval of the mean by Student's t; for two seeds or more."""
    mean_high: float | None = None


@dataclass(frozen=True)
class Variant:
    """One variant of a sweep."""

    runs: tuple[str, ...]
    """In the order of the seeds."""
    explained_variance: OverSeeds
    ce_increase_nats: OverSeeds
    l0: OverSeeds
    frac_alive: OverSeeds
    ce_increase_at_equal_l0: Difference | None = None
    """Loss added less that of the first variant's recipe at this variant's L0, between runs of other sparsities; for
    variants of another kind whose L0 is between theirs for every seed."""


@dataclass(frozen=True)
class SiteFidelity:
    """fidelity.json: everything about the autoencoders of one site."""

    model: str
    site: str
    """Hook name."""
    reference: str | None
    """Run whose L0 the baselines get."""
    conventions: dict[str, str]
    """Definition of each measure."""
    split: str
    """Split of the text that was read."""
    context: int
    """Tokens per window."""
    drop_first_position: bool
    """True if the first position of a window is neither replaced nor scored."""
    bootstrap_resamplings: int
    n_tokens: int
    """Positions that were replaced."""
    n_scored_tokens: int
    """Positions whose next token was scored."""
    n_documents: int
    clean: CleanModel
    norms: Norms
    runs: dict[str, SaeRow]
    baselines: dict[str, BaselineRow]
    identities: Identities
    sweeps: dict[str, dict[str, Variant]]
    """Sweep -> variant."""


def in_sweeps(document: Mapping[str, Any]) -> set[str]:
    """Runs of a fidelity.json (as read from JSON) that belong to a sweep."""
    return {
        run
        for variants in document.get("sweeps", {}).values()
        for variant in variants.values()
        for run in variant["runs"]
    }


def drawn_alone(document: Mapping[str, Any]) -> list[str]:
    """Runs of a fidelity.json that figures draw one by one: not those of sweeps, and of many only the first.

    The reference run is among them. A figure with a row per run shows nothing from a few dozen rows on.
    """
    swept = in_sweeps(document)
    alone = [run for run in document["runs"] if run not in swept]
    first = [run for run in alone if run != document.get("reference")][: MOST_ALONE - 1]
    return [run for run in alone if run == document.get("reference") or run in first]
