"""Open what belongs to one site, refuse what does not, evaluate it, and shape fidelity.json and densities.npz."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from scripts.monosem.activations.store import Activations, open_activations
from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.fidelity import run, seed_pairs
from scripts.monosem.evaluation.fidelity.summary import summarise
from scripts.monosem.metrics import fidelity as fidelity_metrics
from scripts.monosem.metrics import matching
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.models.model_folder import weights_sha256
from scripts.monosem.sae.model import Sae, load_sae, open_sae
from scripts.monosem.text.tokens import load_tokens

SAMPLE_BYTES = 2**27  # of training activations for PCA and the random dictionary


def training_sample(activations: Activations, seed: int) -> torch.Tensor:
    """Seeded random rows of the stored training activations, float32 [n, d]."""
    n = min(activations.n_tokens, SAMPLE_BYTES // (4 * activations.d_in))
    random = np.random.default_rng(derive_seed(seed, "evaluation sample"))
    return activations.gather(random.choice(activations.n_tokens, n, replace=False))


def trained_as(sae: Sae) -> str:
    """The architecture of training: files name that of inference, which several share."""
    named = sae.cfg.get("metadata", {}).get("training_architecture") or sae.cfg["architecture"]
    return "relu" if named == "standard" else named


def latent_statistics(sae: Sae) -> dict[str, torch.Tensor]:
    """Per latent: encoder bias and norm, cosine of encoder and decoder, largest decoder cosine with another latent."""
    encoder = sae.W_enc.T
    return {
        "encoder_bias": sae.b_enc,
        "encoder_norm": encoder.norm(dim=-1),
        "encoder_decoder_cosine_sim": torch.nn.functional.cosine_similarity(encoder, sae.W_dec, dim=-1),
        "max_decoder_cosine_sim": matching.max_cosines(sae.W_dec),
    }


def evaluate_site(
    model_folder: Path,
    tokens_folder: Path,
    activations_folder: Path,
    sae_folders: list[Path],
    control_folder: Path | None,
    evaluation: dict[str, Any],
    seed: int,
    device: str,
    neighbour_folder: Path | None = None,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Evaluate every SAE of a site on held-out text.

    Args:
        sae_folders: one folder per run, named like the run; may be empty.
        control_folder: SAE of the model with shuffled weights at the same site, or None.
        neighbour_folder: SAE of another layer of this model, or None.
        evaluation: {"tokens", "bootstrap", "split", "reference", "sweeps"}; `split` is test where it is not given,
            `reference` names the run whose L0 the baselines get (the first run if it is not among them), `sweeps` the
            runs of each variant by sweep.
    Returns: the contents of fidelity.json and of densities.npz.
    Raises: ArtefactError for files that do not belong together; IdentityViolated.
    """
    activations = open_activations(activations_folder)
    manifest = activations.manifest
    digest = weights_sha256(model_folder)
    if manifest["model_sha256"] != digest:
        raise artefacts.ArtefactError(
            f"{activations_folder / 'manifest.json'}: the activations are of another model than {model_folder}; "
            "delete the manifest and run again"
        )
    model = load_model(model_folder, device)
    site = sites.resolve(model, manifest["site"])
    saes = {folder.name: open_sae(folder, site.name, site.d, device, digest) for folder in sae_folders}
    control = open_sae(control_folder, site.name, site.d, device) if control_folder else None
    neighbour = load_sae(neighbour_folder, digest, site.d, device) if neighbour_folder else None
    wanted = evaluation.get("reference")
    reference = wanted if wanted in saes else next(iter(saes), None)

    centre = torch.tensor(manifest["mean"], dtype=torch.float32, device=device)
    sample = training_sample(activations, seed).to(device)
    controls = run.make_baselines(sample, centre, saes.get(reference), control, neighbour, seed)
    del sample
    settings = run.Settings(
        tokens=evaluation["tokens"],
        bootstrap=evaluation["bootstrap"],
        context=manifest["context"],
        drop_first_position=manifest["drop_first_position"],
        seed=seed,
    )
    split = evaluation.get("split", "test")
    stream = load_tokens(tokens_folder, split)
    tallies, clean, drift, identities = run.evaluate(model, site, stream, saes, controls, centre, settings)
    described, results = summarise(tallies, clean, drift, settings.bootstrap, derive_seed(seed, "bootstrap"))

    runs, densities = {}, {"n_tokens": np.array(described["n_tokens"])}
    for name, sae in saes.items():
        statistics = {key: value.cpu().numpy() for key, value in latent_statistics(sae).items()}
        statistics["density"] = tallies[name].counts / described["n_tokens"]
        statistics["max_activation"] = tallies[name].maxima
        densities |= {f"{name}.{key}": value.astype(np.float32) for key, value in statistics.items()}
        training = sae.cfg.get("metadata", {}).get("training", {})
        runs[name] = results[name] | {
            "average_max_decoder_cosine_sim": float(statistics["max_decoder_cosine_sim"].mean()),
            "architecture": trained_as(sae),
            "d_in": site.d,
            "d_sae": sae.d_sae,
            **{key: training.get(key) for key in ("k", "l1_coefficient", "l0_coefficient", "vectors")},
        }
        job.say(
            f"{name}: L0 {runs[name]['l0']:.1f}, loss {described['ce_loss_without_sae']:.3f} -> "
            f"{runs[name]['ce_loss_with_sae']:.3f} (zero ablation {runs[name]['ce_loss_with_ablation']:.3f}), "
            f"explained variance {runs[name]['explained_variance']:.3f}"
        )
    result = {
        "model": model_folder.name,
        "site": site.name,
        "reference": reference,
        "conventions": fidelity_metrics.CONVENTIONS
        | {"positions": "kept positions only are replaced and scored; the last of a window predicts nothing"},
        "split": split,
        "context": settings.context,
        "drop_first_position": settings.drop_first_position,
        "bootstrap_resamplings": settings.bootstrap,
        **{key: described.pop(key) for key in ("n_tokens", "n_scored_tokens", "n_documents")},
        "clean": described,
        "runs": runs,
        "baselines": {name: {"what": controls[name].what} | results[name] for name in controls},
        "identities": identities,
        "sweeps": {name: seed_pairs.compare(runs, variants) for name, variants in evaluation.get("sweeps", {}).items()},
    }
    return result, densities
