"""Error of a model that computes in bfloat16 against the same weights in float32, at its sites on a probe batch.

The exact pass takes the weights as they are in the file and computes in float32, one module at a time in memory: a
checkpoint in bfloat16 is not needed in float32 as a whole.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from scripts.monosem.models import sites
from scripts.monosem.models.sites import Site

WINDOWS = 4  # of the probe


@contextlib.contextmanager
def _in_float32(model: nn.Module) -> Iterator[None]:
    """Let every module compute in float32, and restore its weights afterwards; embeddings only look up."""
    original: dict[nn.Module, dict[str, Tensor]] = {}

    def widen(module: nn.Module, _inputs: Any) -> None:
        original[module] = {name: p.data for name, p in module.named_parameters(recurse=False)}
        for parameter in module.parameters(recurse=False):
            parameter.data = parameter.data.float()

    def narrow(module: nn.Module, _inputs: Any, _output: Any) -> None:
        for name, value in original.pop(module).items():
            getattr(module, name).data = value

    handles = []
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            handles.append(module.register_forward_hook(lambda _module, _inputs, output: output.float()))
        elif next(module.parameters(recurse=False), None) is not None:
            handles += [module.register_forward_pre_hook(widen), module.register_forward_hook(narrow)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for module, values in original.items():
            for name, value in values.items():
                getattr(module, name).data = value


def exact(
    model: nn.Module, wanted: Sequence[Site], tokens: Int[Tensor, "batch context"], separator: int
) -> list[Float[Tensor, "batch context _"]]:
    """Activations with the model's stored weights, computed in float32."""
    with _in_float32(model):
        return [values.float() for values in sites.capture_all(model, wanted, tokens, separator)]


def compare(
    exact: Float[Tensor, "batch context d_in"], approximate: Float[Tensor, "batch context d_in"]
) -> dict[str, float | None]:
    """Relative error over all and in the worst token, and the share of variance that stays; None if all are equal."""
    x, y = (each.flatten(0, 1).cpu().double() for each in (exact, approximate))  # MPS has no float64
    error, size = (y - x).norm(dim=-1), x.norm(dim=-1)
    spread = (x - x.mean(0)).square().sum()
    return {
        "tokens": len(x),
        "relative_error": float(error.norm() / size.norm().clamp_min(1e-30)),
        "worst_token_relative_error": float((error / size.clamp_min(1e-30)).max()),
        "explained_variance": float(1 - error.square().sum() / spread) if spread > 0 else None,
    }
