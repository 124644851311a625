"""Sparse autoencoders as files: the folder that SAELens 6 opens (`SAE.load_from_disk`) and load_sae reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from scripts.monosem.core import artefacts
from scripts.monosem.sae.architectures import ARCHITECTURES
from scripts.monosem.sae.config import SaeConfig

SAE_LENS_VERSION = "6.18.0"  # whose format this is; without a version SAELens drops hook and model silently
L1_CONVENTION = "mean_b[sum_d (x - xhat)^2 + lambda * sum_i f_i |W_dec_i|]"
L0_CONVENTION = "mean_b[sum_d (x - xhat)^2 + lambda * L0]"


def saelens_cfg(
    config: SaeConfig, summary: dict[str, Any], manifest: dict[str, Any], model: str, site: str, run: str
) -> dict[str, Any]:
    """cfg.json: SAELens 6 inference configuration; `metadata` says where the SAE belongs and how it was trained.

    Args: summary: of training.train; manifest: of the activations (d_in, context, model_sha256, …).
    """
    metadata = {
        "sae_lens_training_version": None,
        "training_architecture": config.architecture,
        "model_name": model,
        "hook_name": site,
        "hook_head_index": None,
        "context_size": manifest.get("context"),
        "prepend_bos": False,
        "exclude_special_tokens": True,
        "monosem_run": run,
        "drop_first_position": manifest.get("drop_first_position"),
        "norm_limit": manifest.get("norm_limit"),
        "model_sha256": manifest.get("model_sha256"),
        "training": config.used(),
        "seed": summary["seed"],
        "data_scale_in_training": summary["data_scale"],
    }
    scaled = "x multiplied by data_scale_in_training, so that E|x|^2 = d_in"
    for name, convention, raw in (
        ("l1", L1_CONVENTION, summary["l1_coefficient_raw"]), ("l0", L0_CONVENTION, summary["l0_coefficient_raw"])
    ):  # fmt: skip
        if raw is not None:
            metadata[name] = {
                "convention": convention,
                "lambda_raw_activations": raw,
                "lambda_scaled_activations": getattr(config, f"{name}_coefficient"),
                "scaled_means": scaled,
            }
    saved_as = ARCHITECTURES[config.architecture].saved_as
    return inference_cfg(saved_as, manifest["d_in"], config.d_sae, metadata, config.k if saved_as == "topk" else None)


def inference_cfg(
    architecture: str, d_in: int, d_sae: int, metadata: Mapping[str, Any], k: int | None = None
) -> dict[str, Any]:
    """cfg.json of weights that act on raw activations, with b_dec subtracted before encoding."""
    cfg = {
        "architecture": architecture,
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"sae_lens_version": SAE_LENS_VERSION, **metadata},
    }
    return cfg if k is None else cfg | {"k": k, "rescale_acts_by_decoder_norm": False}


def save_sae(weights: dict[str, Tensor], cfg: dict[str, Any], weights_path: str | Path, cfg_path: str | Path) -> None:
    """Write both files of the folder atomically; NaN in the weights is refused."""
    artefacts.save_tensors(weights, weights_path)
    artefacts.write_json(cfg, cfg_path)
