"""The architectures of sparse autoencoders: their names, what each one's configuration needs, how files call it.

Read while the workflow is parsed and by figures and tables, so it imports nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """One architecture."""

    label: str  # for people
    required: tuple[str, ...]  # keys that a run must set, first the one that sets how sparse it is
    optional: tuple[str, ...]  # keys that a run may set and that not every architecture has
    saved_as: str  # the SAELens architecture that does the same at inference


_TOPK = ("aux_k", "aux_coefficient", "decoder_init")
ARCHITECTURES = {
    "relu": Architecture(
        "ReLU + L1",
        ("l1_coefficient",),
        ("l1_warmup_share", "resample", "encoder_init", "pre_encoder_bias", "tied_decoder", "project_gradient"),
        "standard",
    ),
    "relu_decoder_norm": Architecture(
        "ReLU + L1 × norm", ("l1_coefficient",), ("l1_warmup_share", "decoder_init"), "standard"
    ),
    "topk": Architecture("TopK", ("k",), _TOPK, "topk"),
    "batchtopk": Architecture("BatchTopK", ("k",), _TOPK, "jumprelu"),
    "matryoshka_batchtopk": Architecture("Matryoshka", ("k",), (*_TOPK, "prefixes"), "jumprelu"),
    "jumprelu": Architecture(
        "JumpReLU",
        ("l0_coefficient",),
        ("l0_warmup_share", "bandwidth", "threshold_rate", "start_l0", "decoder_init"),
        "jumprelu",
    ),
    "gated": Architecture("Gated", ("l1_coefficient",), ("l1_warmup_share", "decoder_init"), "gated"),
}


def foreign_keys(architecture: str) -> tuple[str, ...]:
    """Keys that some architecture has and this one has not, sorted."""
    own = {*ARCHITECTURES[architecture].required, *ARCHITECTURES[architecture].optional}
    return tuple(sorted({key for each in ARCHITECTURES.values() for key in (*each.required, *each.optional)} - own))


def sparsity_knob(architecture: str) -> str:
    """The key that sets how sparse an autoencoder is: a number of latents, or the weight of a penalty."""
    return ARCHITECTURES[architecture].required[0]


def missing_key(architecture: str, params: dict) -> str | None:
    """The first key that the architecture needs and `params` lacks."""
    return next((key for key in ARCHITECTURES[architecture].required if params.get(key) is None), None)
