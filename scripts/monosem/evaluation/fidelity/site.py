"""Open what belongs to one site, refuse what does not, evaluate it, and shape fidelity.json and densities.npz."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from scripts.monosem.activations.store import Activations, open_activations
from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import derive_seed, matrix_product_rate
from scripts.monosem.evaluation.documents import to_json
from scripts.monosem.evaluation.fidelity import run, seed_pairs
from scripts.monosem.evaluation.fidelity.baselines import Reconstructor, make_baselines, sae_reconstructor
from scripts.monosem.evaluation.fidelity.batch import Settings
from scripts.monosem.evaluation.fidelity.document import BaselineRow, Densities, Fidelity, SaeRow, SiteFidelity
from scripts.monosem.evaluation.fidelity.mlp_worth import twin_losses
from scripts.monosem.evaluation.fidelity.summary import summarise
from scripts.monosem.evaluation.fidelity.token_table import token_table
from scripts.monosem.metrics import matching
from scripts.monosem.metrics.fidelity import CONVENTIONS
from scripts.monosem.models import sites
from scripts.monosem.models.families import family_of, shape_of
from scripts.monosem.models.load import load_model
from scripts.monosem.models.model_folder import weights_sha256
from scripts.monosem.models.sites import Site
from scripts.monosem.sae.model import Sae, load_sae, open_sae
from scripts.monosem.text.tokens import TokenStream, load_tokens, windows

SAMPLE_BYTES = 2**27
"""Of training activations, for PCA."""
PART_ROWS = 8192
"""Of these that are in memory at a time; two parts give the reference's L0, one the random
dictionary's scale."""
POSITIONS = (
    "kept positions only are replaced and scored; the last of a window predicts nothing; of the kept, tokens above the "
    "norm limit are scored and not replaced"
)


def training_sample(activations: Activations, seed: int) -> Iterator[Float[torch.Tensor, "_ d"]]:
    """Seeded random rows of the stored training activations, float32, a part at a time."""
    n = min(activations.n_tokens, SAMPLE_BYTES // (4 * activations.d_in))
    random = np.random.default_rng(derive_seed(seed, "evaluation sample"))
    rows = random.choice(activations.n_tokens, n, replace=False)
    for first in range(0, n, PART_ROWS):
        yield activations.gather(rows[first : first + PART_ROWS])


def trained_as(sae: Sae) -> str:
    """The architecture of training: cfg.json names that of inference, which several share."""
    named = sae.cfg.get("metadata", {}).get("training_architecture") or sae.cfg["architecture"]
    return "relu" if named == "standard" else named


def latent_statistics(sae: Sae) -> dict[str, Float[torch.Tensor, " d_sae"]]:
    """Per latent: encoder bias and norm, cosine of encoder and decoder, largest decoder cosine with another latent."""
    encoder = sae.W_enc.T
    return {
        "encoder_bias": sae.b_enc,
        "encoder_norm": encoder.norm(dim=-1),
        "encoder_decoder_cosine_sim": torch.nn.functional.cosine_similarity(encoder, sae.W_dec, dim=-1),
        "max_decoder_cosine_sim": matching.max_cosines(sae.W_dec),
    }


@dataclass(frozen=True)
class SiteInputs:
    """Everything that is opened for one site, after checking that it belongs together."""

    model: nn.Module
    """In eval mode."""
    site: Site
    saes: dict[str, Sae]
    """By run."""
    neighbour: Sae | None
    """Of another layer of this model."""
    reference: str | None
    """Run whose L0 the baselines get."""
    activations: Activations
    """Stored training activations of the site."""


def open_inputs(
    model_folder: Path, activations_folder: Path, sae_folders: list[Path], neighbour_folder: Path | None,
    reference: str | None, device: str,
) -> SiteInputs:  # fmt: skip
    """Open model, activations and autoencoders.

    Raises: ArtefactError for files that do not belong together.
    """
    activations = open_activations(activations_folder)
    digest = weights_sha256(model_folder)
    if activations.manifest["model_sha256"] != digest:
        raise artefacts.ArtefactError(
            f"{activations_folder / 'manifest.json'}: the activations are of another model than {model_folder}; "
            f"{artefacts.remedy(activations_folder / 'manifest.json')}"
        )
    model = load_model(model_folder, device)
    site = sites.resolve(model, activations.manifest["site"])
    saes = {folder.name: open_sae(folder, site.name, site.d, device, digest) for folder in sae_folders}
    return SiteInputs(
        model=model,
        site=site,
        saes=saes,
        neighbour=load_sae(neighbour_folder, digest, site.d, device) if neighbour_folder else None,
        reference=reference if reference in saes else next(iter(saes), None),
        activations=activations,
    )


def baselines_of(
    inputs: SiteInputs, train: TokenStream, centre: Float[torch.Tensor, " d"], seed: int, device: str
) -> dict[str, Reconstructor]:
    """The baselines of a site, fitted to its training activations."""

    def parts() -> Iterator[Float[torch.Tensor, "_ d"]]:
        return (part.to(device) for part in training_sample(inputs.activations, seed))

    reference = inputs.saes.get(inputs.reference)
    made = make_baselines(parts, centre, reference, inputs.neighbour, seed)
    if reference is not None:
        made["token_table"] = token_table(inputs.activations, train, centre, reference.d_sae, seed)
    return made


def latent_arrays(saes: Mapping[str, Sae], tallies: Mapping[str, run.Tally], n_tokens: int) -> dict[str, np.ndarray]:
    """Contents of densities.npz: `n_tokens`, and per run and latent `<run>.<statistic>`."""
    arrays = {"n_tokens": np.array(n_tokens)}
    for name, sae in saes.items():
        statistics = {key: value.cpu().numpy() for key, value in latent_statistics(sae).items()}
        statistics |= {"density": tallies[name].counts / n_tokens, "max_activation": tallies[name].maxima}
        arrays |= {f"{name}.{key}": value.astype(np.float32) for key, value in statistics.items()}
    return arrays


def sae_row(
    sae: Sae, fidelity: Fidelity, densities: Densities, max_cosines: Float[np.ndarray, " d_sae"],
    with_excluded: Fidelity | None,
) -> SaeRow:  # fmt: skip
    """Row of one run."""
    training = sae.cfg.get("metadata", {}).get("training", {})
    return SaeRow(
        fidelity=fidelity,
        densities=densities,
        average_max_decoder_cosine_sim=float(max_cosines.mean()),
        architecture=trained_as(sae),
        d_in=sae.d_in,
        d_sae=sae.d_sae,
        **{key: training.get(key) for key in ("k", "l1_coefficient", "l0_coefficient", "vectors")},
        with_excluded=with_excluded,
    )


def timed(
    inputs: SiteInputs, stream: TokenStream, baselines: Mapping[str, Reconstructor], centre: Float[torch.Tensor, " d"],
    settings: Settings, device: str,
) -> run.Evaluated:  # fmt: skip
    """`run.evaluate`; logs how long it took, beside what its matrix products alone would take on this machine."""
    began = time.perf_counter()
    evaluated = run.evaluate(inputs.model, inputs.site, stream, inputs.saes, baselines, centre, settings)
    seconds, config = time.perf_counter() - began, inputs.model.config.to_dict()
    if inputs.site.layer is None:  # what comes after the site is not known
        return evaluated
    shape = shape_of(config, family_of(config))
    rate = matrix_product_rate(512, shape.d_model, shape.d_mlp, str(inputs.model.dtype).removeprefix("torch."), device)
    reconstructors = [*(sae_reconstructor(sae, name) for name, sae in inputs.saes.items()), *baselines.values()]
    n_tokens = len(windows(stream, settings.context, settings.tokens)) * settings.context
    flops = n_tokens * run.flops_per_token(inputs.model, inputs.site, reconstructors, settings.context)
    job.say(
        f"{n_tokens:,} tokens, {len(reconstructors)} reconstructions: {flops / 1e12:,.2f} TFLOP in {seconds:,.0f} s, "
        f"{seconds * rate / flops:.1f} times as long as at the {rate / 1e9:,.0f} GFLOP/s of a matrix product"
    )
    return evaluated


def shown(value: float | None) -> str:
    """A number for the log."""
    return "not defined" if value is None else f"{value:.3f}"


def evaluate_site(
    model_folder: Path,
    tokens_folder: Path,
    activations_folder: Path,
    sae_folders: list[Path],
    evaluation: dict[str, Any],
    seed: int,
    device: str,
    neighbour_folder: Path | None = None,
    twin_folder: Path | None = None,
) -> tuple[SiteFidelity, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Evaluate every SAE of a site on held-out text.

    Args:
        sae_folders: one folder per run, named like the run; may be empty.
        neighbour_folder: SAE of another layer of this model, or None.
        twin_folder: the same model trained without MLPs, or None.
        evaluation: {"tokens", "bootstrap", "split", "reference", "sweeps", "sparsities"}; `split` is test where it is
            not given, `reference` names the run whose L0 the baselines get (the first run if it is not among them),
            `sweeps` the runs of each variant by sweep, `sparsities` the variants that differ in their sparsity alone.
    Returns: the contents of fidelity.json, of densities.npz and of norms.npz.
    Raises: ArtefactError for files that do not belong together; IdentityViolated.
    """
    inputs = open_inputs(
        model_folder, activations_folder, sae_folders, neighbour_folder, evaluation.get("reference"), device
    )
    manifest, split = inputs.activations.manifest, evaluation.get("split", "test")
    settings = Settings(
        tokens=evaluation["tokens"],
        bootstrap=evaluation["bootstrap"],
        context=manifest["context"],
        drop_first_position=manifest["drop_first_position"],
        seed=seed,
        norm_limit=manifest.get("norm_limit") or math.inf,
    )
    centre = torch.tensor(manifest["mean"], dtype=torch.float32, device=device)
    baselines = baselines_of(inputs, load_tokens(tokens_folder, "train"), centre, seed, device)
    evaluated = timed(inputs, load_tokens(tokens_folder, split), baselines, centre, settings, device)
    twin = None
    if twin_folder:
        twin = twin_losses(load_model(twin_folder, device=device), load_tokens(tokens_folder, split), settings)
    drawn = (settings.bootstrap, derive_seed(seed, "bootstrap"), evaluated.identities.token_rounding_nats, twin)
    summary = summarise(evaluated.sums, *drawn)
    with_excluded = {}
    if evaluated.with_excluded is not None:
        with_excluded = summarise(evaluated.with_excluded, *drawn).fidelity
    arrays = latent_arrays(inputs.saes, evaluated.sums.tallies, summary.n_tokens)
    norms = evaluated.norms.summary(manifest.get("exclude_norm_above"), manifest.get("norm_limit"))
    if norms.n_excluded:
        job.say(
            f"{norms.n_excluded:,} tokens have norms above {norms.exclude_norm_above:g} times the median and pass "
            f"through untouched; with them, 0.1 % of the tokens would hold "
            f"{norms.top_variance_share_with_excluded:.1%} of the variance"
        )
    if norms.warning:
        job.say(norms.warning)
    rows = {
        name: sae_row(
            sae,
            summary.fidelity[name],
            summary.densities[name],
            arrays[f"{name}.max_decoder_cosine_sim"],
            with_excluded.get(name),
        )  # fmt: skip
        for name, sae in inputs.saes.items()
    }
    for name, row in rows.items():
        job.say(
            f"{name}: L0 {row.fidelity.l0:.1f}, loss {row.fidelity.ce_loss_without_sae:.3f} -> "
            f"{row.fidelity.ce_loss_with_sae:.3f} (zero ablation {row.fidelity.ce_loss_with_ablation:.3f}), "
            f"explained variance {shown(row.fidelity.explained_variance)}"
        )
    measures = {name: to_json(row) for name, row in rows.items()}
    result = SiteFidelity(
        model=model_folder.name,
        site=inputs.site.name,
        reference=inputs.reference,
        conventions=CONVENTIONS | {"positions": POSITIONS},
        split=split,
        context=settings.context,
        drop_first_position=settings.drop_first_position,
        bootstrap_resamplings=settings.bootstrap,
        n_tokens=summary.n_tokens,
        n_scored_tokens=summary.n_scored_tokens,
        n_documents=summary.n_documents,
        clean=summary.clean,
        norms=norms,
        runs=rows,
        baselines={
            name: BaselineRow(
                baseline.what, summary.fidelity[name], summary.densities.get(name), with_excluded.get(name)
            )
            for name, baseline in baselines.items()
        },
        identities=evaluated.identities,
        sweeps={
            name: seed_pairs.compare(measures, variants, evaluation.get("sparsities", {}).get(name, ()))
            for name, variants in evaluation.get("sweeps", {}).items()
        },
    )
    return result, arrays, evaluated.norms.arrays()
