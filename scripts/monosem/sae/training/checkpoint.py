"""The whole state of a training run, and its way to disk and back (safetensors, nothing executable)."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors import safe_open
from torch import Tensor

from scripts.monosem.core import artefacts
from scripts.monosem.sae.parameters import Parameters
from scripts.monosem.sae.training.initialise import Statistics


@dataclass
class TrainingState:
    """Everything that the next step depends on, besides the data and the configuration."""

    weights: Parameters
    first_moment: Parameters
    """Of Adam."""
    second_moment: Parameters
    since_fired: Int[Tensor, " d_sae"]
    """Vectors seen since each latent last fired."""
    statistics: Statistics
    inference_threshold: Float[Tensor, ""] = field(default_factory=lambda: torch.zeros(()))
    """batchtopk: running mean of the smallest kept value."""
    step: int = 0
    """Steps done."""
    resampled: list[list[int]] = field(default_factory=list)
    """[step, number of latents] of each resampling."""
    sums: dict[str, float] = field(default_factory=dict)
    """Of the curve's open interval."""
    curve: list[dict] = field(default_factory=list)
    """Rows written so far."""
    seconds: float = 0.0
    """Spent before this process."""

    def to(self, device: str) -> "TrainingState":
        """The same state on another device."""

        def moved(parameters: Parameters) -> Parameters:
            return Parameters(**{name: tensor.to(device) for name, tensor in parameters.tensors().items()})

        self.weights = moved(self.weights)
        self.first_moment, self.second_moment = moved(self.first_moment), moved(self.second_moment)
        self.since_fired, self.inference_threshold = self.since_fired.to(device), self.inference_threshold.to(device)
        return self


_GROUPS = ("weights", "first_moment", "second_moment")
_TENSORS = {"since_fired": "since_fired", "inference_threshold": "kept_above"}  # field -> key in the file
_PLAIN = ("step", "resampled", "sums", "curve", "seconds")


def save(state: TrainingState, path: Path, identity: str) -> None:
    """Write the state atomically; `identity` is the digest of configuration, seed and data."""
    tensors = {f"{group}.{name}": t for group in _GROUPS for name, t in getattr(state, group).tensors().items()}
    tensors |= {key: getattr(state, name) for name, key in _TENSORS.items()}
    plain = {name: getattr(state, name) for name in _PLAIN}
    plain["statistics"] = [state.statistics.scale, state.statistics.variance]
    metadata = {"identity": identity, "state": json.dumps(plain)}
    artefacts.save_tensors(tensors, path, metadata | {"digest": _digest(tensors, metadata)})


def _digest(tensors: dict[str, Tensor], metadata: dict[str, str]) -> str:
    """Digest of everything in a checkpoint: a flipped bit in a weight would train on without a word."""
    digest = hashlib.sha256(json.dumps([metadata[name] for name in ("identity", "state")]).encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def load(path: Path, identity: str) -> tuple[TrainingState | None, str]:
    """The state in `path` and a sentence about it; None when there is none, or it is cut short or of another run."""
    path = Path(path)
    if not path.exists():
        return None, "starting from the beginning"
    try:
        # to memory of their own: as views of the file they start anywhere, and the bits of a product depend on where
        tensors = {name: tensor.clone() for name, tensor in artefacts.load_tensors(path).items()}
        with safe_open(str(path), "pt") as file:
            metadata = file.metadata() or {}
        if metadata.get("identity") != identity:
            return None, f"{path} is of another configuration, seed or data: ignored, starting from the beginning"
        if metadata.get("digest") != _digest(tensors, metadata):
            raise ValueError("its bytes have changed")
        plain = json.loads(metadata["state"])
        groups = {
            group: Parameters(**{n.split(".")[1]: t for n, t in tensors.items() if n.startswith(group + ".")})
            for group in _GROUPS
        }
        statistics = Statistics(*plain.pop("statistics"))
        state = TrainingState(
            **groups, **{name: tensors[key] for name, key in _TENSORS.items()}, statistics=statistics, **plain
        )
    except (artefacts.ArtefactError, KeyError, TypeError, ValueError) as error:
        return None, f"{path} is not a whole checkpoint ({error}): ignored, starting from the beginning"
    return state, f"resuming from {path} at step {state.step:,}"
