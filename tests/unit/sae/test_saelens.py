"""cfg.json of every architecture: what SAELens needs to open it, and what says how it was trained."""

import pytest

from scripts.monosem.sae import model
from scripts.monosem.sae.architectures import ARCHITECTURES
from scripts.monosem.sae.config import from_params
from scripts.monosem.sae.saelens import saelens_cfg

VALUES = {"k": 4, "l1_coefficient": 5.0, "l0_coefficient": 2.0}
MANIFEST = {"d_in": 32, "context": 128, "drop_first_position": True, "model_sha256": "a" * 64}


def cfg_of(architecture):
    params = {key: VALUES[key] for key in ARCHITECTURES[architecture].required}
    config = from_params({"architecture": architecture, "d_sae": 64, "vectors": 9999, **params})
    summary = {
        "seed": 7, "data_scale": 2.0,
        "l1_coefficient_raw": 2.5 if config.l1_coefficient else None,
        "l0_coefficient_raw": 0.5 if config.l0_coefficient else None,
    }  # fmt: skip
    return saelens_cfg(config, summary, MANIFEST, model="onelayer-a", site="blocks.0.mlp.hook_post", run="new")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_inference_and_training_architecture_are_both_named(architecture):
    cfg = cfg_of(architecture)
    expected = {
        "relu": "standard", "relu_decoder_norm": "standard", "topk": "topk", "batchtopk": "jumprelu",
        "matryoshka_batchtopk": "jumprelu", "jumprelu": "jumprelu", "gated": "gated",
    }  # fmt: skip
    assert cfg["architecture"] == expected[architecture] and cfg["architecture"] in model.TENSORS
    assert ("k" in cfg) == (architecture == "topk")
    assert (cfg["normalize_activations"], cfg["apply_b_dec_to_input"]) == ("none", True)
    metadata = cfg["metadata"]
    assert metadata["training_architecture"] == metadata["training"]["architecture"] == architecture
    assert metadata["sae_lens_version"].split(".")[0] == "6"
    assert (metadata["model_name"], metadata["hook_name"]) == ("onelayer-a", "blocks.0.mlp.hook_post")
    own = {*ARCHITECTURES[architecture].keys}
    foreign = {key for each in ARCHITECTURES.values() for key in each.keys} - own
    assert not foreign & set(metadata["training"])


def test_a_penalty_is_named_with_its_convention_in_units_of_raw_activations():
    assert cfg_of("jumprelu")["metadata"]["l0"]["lambda_raw_activations"] == 0.5
    assert cfg_of("gated")["metadata"]["l1"]["lambda_raw_activations"] == 2.5
    assert not {"l0", "l1"} & set(cfg_of("topk")["metadata"])
