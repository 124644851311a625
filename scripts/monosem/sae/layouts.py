"""Tensors of an autoencoder's file, ours and those of other libraries: names, shapes, and those that are not needed.

Imports no torch: of safetensors files the header is compared while the workflow is parsed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scripts.monosem.core.artefacts import ArtefactError

TENSORS = {  # of each architecture, under SAELens' names; standard is ReLU
    "standard": ("W_enc", "b_enc", "W_dec", "b_dec"),
    "topk": ("W_enc", "b_enc", "W_dec", "b_dec"),
    "jumprelu": ("W_enc", "b_enc", "W_dec", "b_dec", "threshold"),
    "gated": ("W_enc", "b_gate", "W_dec", "b_dec", "r_mag", "b_mag"),
}
_SHAPES = {"W_enc": ("d_in", "d_sae"), "W_dec": ("d_sae", "d_in"), "b_dec": ("d_in",)}  # others: one per latent
FLOATS = ("F64", "F32", "F16", "BF16")  # dtypes under safetensors' names
Shape = tuple[int, ...]
Stored = tuple[str, Shape]
"""Dtype under safetensors' name, and shape."""


def is_transposed(name: str) -> bool:
    """True for the weight of a torch.nn.Linear, which is stored as [out, in]."""
    return name.endswith(".weight")


@dataclass(frozen=True)
class Layout:
    """Names of the tensors of a file."""

    architecture: str
    """Ours, a key of TENSORS."""
    names: Mapping[str, str]
    """Theirs -> ours."""
    subtracts_b_dec: bool = True
    """False if the encoder reads x itself, not x − b_dec."""
    one_threshold: bool = False
    """True if all latents share one threshold, stored as a number."""
    unused: Mapping[str, str] = field(default_factory=dict)
    """Tensors that need not be read -> why."""

    def shapes(self, d_in: int, d_sae: int) -> dict[str, Shape]:
        """Shape of every tensor under its name in the file."""
        sizes = {"d_in": d_in, "d_sae": d_sae}
        shapes = {}
        for theirs, ours in self.names.items():
            shape = tuple(sizes[axis] for axis in _SHAPES.get(ours, ("d_sae",)))
            shapes[theirs] = shape[::-1] if is_transposed(theirs) else shape
            if ours == "threshold" and self.one_threshold:
                shapes[theirs] = ()
        return shapes


_COUNTS = "counts of training"
_K = "config.json has it, too, and the two are compared"
_LINEAR = {"encoder.weight": "W_enc", "encoder.bias": "b_enc", "decoder.weight": "W_dec"}
_PLAIN = {name: name for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold")}
_GATED = {
    "encoder.weight": "W_enc", "gate_bias": "b_gate", "decoder.weight": "W_dec", "decoder_bias": "b_dec",
    "r_mag": "r_mag", "mag_bias": "b_mag",
}  # fmt: skip
_GROUPS = "all groups of a Matryoshka are active at inference"
_MATRYOSHKA = Layout(
    "jumprelu", _PLAIN, one_threshold=True, unused={"k": _K, "group_sizes": _GROUPS, "group_indices": _GROUPS}
)

SAELENS = {
    architecture: Layout(
        architecture, {name: name for name in names}, unused={"scaling_factor": "it is 1, or the file is refused"}
    )
    for architecture, names in TENSORS.items()
}
DICTIONARY_LEARNING = {  # by class
    "AutoEncoder": Layout("standard", {**_LINEAR, "bias": "b_dec"}),
    "AutoEncoderNew": Layout("standard", {**_LINEAR, "decoder.bias": "b_dec"}, subtracts_b_dec=False),
    "AutoEncoderTopK": Layout(
        "topk", {**_LINEAR, "b_dec": "b_dec"}, unused={"k": _K, "threshold": "TopK chooses by rank unless asked"}
    ),
    "BatchTopKSAE": Layout(
        "jumprelu", {**_LINEAR, "b_dec": "b_dec", "threshold": "threshold"}, one_threshold=True, unused={"k": _K}
    ),
    "MatryoshkaBatchTopKSAE": _MATRYOSHKA,
    "MatroyshkaBatchTopKSAE": _MATRYOSHKA,  # as it was spelt at first
    "JumpReluAutoEncoder": Layout("jumprelu", _PLAIN, subtracts_b_dec=False),
    "GatedAutoEncoder": Layout("gated", _GATED),
}
WRITTEN = {  # ours -> the class of dictionary_learning that is written
    "standard": "AutoEncoder",
    "topk": "AutoEncoderTopK",
    "jumprelu": "JumpReluAutoEncoder",
    "gated": "GatedAutoEncoder",
}
SPARSIFY = Layout("topk", {**{k: v for k, v in _LINEAR.items() if v != "W_dec"}, "W_dec": "W_dec", "b_dec": "b_dec"})
OPENAI = Layout(
    "standard",
    {"encoder.weight": "W_enc", "latent_bias": "b_enc", "decoder.weight": "W_dec", "pre_bias": "b_dec"},
    unused=dict.fromkeys(("stats_last_nonzero", "latents_activation_frequency", "latents_mean_square"), _COUNTS),
)


def saelens(architecture: str, stored: Mapping[str, Any]) -> Layout:
    """Layout of a file of SAELens; files of the middle of 2024 have the thresholds' logarithms."""
    if architecture == "jumprelu" and "log_threshold" in stored and "threshold" not in stored:
        names = {name: name for name in TENSORS["jumprelu"] if name != "threshold"}
        return replace(SAELENS["jumprelu"], names=names | {"log_threshold": "threshold"})
    return SAELENS[architecture]


def require(layout: Layout, stored: Mapping[str, Stored], d_in: int, d_sae: int, path: Path, config: Path) -> None:
    """Every tensor of a file is expected, there, of the expected shape and stored as a plain float.

    Args: stored: the tensors of the file; config: the file that declares the architecture and the sizes.
    Raises: ArtefactError naming the file and the tensor.
    """
    expected = layout.shapes(d_in, d_sae)
    kind = f"autoencoder of architecture {layout.architecture}, which {config.name} declares"
    if unknown := sorted(set(stored) - set(expected) - set(layout.unused)):
        raise ArtefactError(
            f"{path}: the tensor '{unknown[0]}' belongs to no {kind} ({', '.join(expected)}), and may change what the "
            "others mean"
        )
    for name, shape in expected.items():
        if name not in stored:
            tied = layout.names[name] == "W_dec"
            hint = "; a decoder that is the encoder's transpose has to be written out" if tied else ""
            raise ArtefactError(f"{path}: the tensor '{name}' is missing, an {kind}, has it{hint}")
        dtype, stored_shape = stored[name]
        if tuple(stored_shape) != shape:
            raise ArtefactError(
                f"{path}: {name} has shape {list(stored_shape)}, {config.name} says {list(shape)} "
                f"(d_in {d_in}, d_sae {d_sae})"
            )
        if dtype not in FLOATS:
            raise ArtefactError(
                f"{path}: {name} is stored as {dtype}, which needs scales that the format has no place for; expected "
                f"one of {', '.join(FLOATS)}"
            )
