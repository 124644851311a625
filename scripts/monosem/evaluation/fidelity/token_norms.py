"""Norms of the tokens of a text at one site, and the single activations that are massive."""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scripts.monosem.activations import norms
from scripts.monosem.evaluation.fidelity.batch import Batch
from scripts.monosem.evaluation.fidelity.document import MassiveActivations, Norms

SIZE, RATIO = 100.0, 1000.0  # of a massive activation: its size, and that over the median of its window


@dataclass
class TokenNorms:
    """Batch by batch, everything that `summary` and the figure of norms by position need."""

    batches: dict[str, list[Float[np.ndarray, "_ context"] | Bool[np.ndarray, "_ context"]]] = field(
        default_factory=lambda: {"norms": [], "kept": [], "excluded": []}
    )
    """Norms; positions that are neither special nor dropped; those of them above the norm limit."""
    deviations: list[Float[np.ndarray, " _"]] = field(default_factory=list)
    """Squared distance of replaced tokens from the training mean."""
    excluded_deviations: list[Float[np.ndarray, " _"]] = field(default_factory=list)
    """The same of those above the limit."""
    dropped_deviations: list[Float[np.ndarray, " _"]] = field(default_factory=list)
    """The same of special tokens and dropped first positions."""
    massive: list[tuple[int, int]] = field(default_factory=list)
    """Position and dimension of each massive activation."""
    tokens_with_massive: int = 0
    """Tokens that have one."""
    largest: float = 0.0
    """Largest size of an activation."""
    largest_over_median: float | None = None
    """The same over the median of its window; None if every median is 0."""

    def add(self, batch: Batch, centre: Float[Tensor, " d"]) -> None:
        """Look at one batch."""
        excluded = batch.kept & ~batch.replaced
        for name, values in (("norms", batch.norms), ("kept", batch.kept), ("excluded", excluded)):
            self.batches[name].append(values.cpu().numpy())
        self.deviations.append(_squared_distance(batch.x, centre))
        x = batch.clean.activations
        self.excluded_deviations.append(_squared_distance(x[excluded].float(), centre))
        self.dropped_deviations.append(_squared_distance(x[~batch.kept].float(), centre))
        self._find_massive(batch.clean.activations.float().abs())

    def _find_massive(self, size: Float[Tensor, "batch context d"]) -> None:
        median = size.flatten(1).median(-1).values
        largest = size.flatten(1).amax(-1)
        self.largest = max(self.largest, float(largest.max()))
        if bool((median > 0).any()):
            ratio = float((largest / median)[median > 0].max())
            self.largest_over_median = max(self.largest_over_median or 0.0, ratio)
        massive = (size > SIZE) & (size >= RATIO * median[:, None, None])
        self.tokens_with_massive += int(massive.any(-1).sum())
        self.massive += [(position, dimension) for _, position, dimension in massive.nonzero().tolist()]

    def arrays(self) -> dict[str, np.ndarray]:
        """Contents of norms.npz: `norms`, `kept` and `excluded`, [windows, context]."""
        return {name: np.concatenate(parts) for name, parts in self.batches.items()}

    def summary(self, times: float | None, limit: float | None) -> Norms:
        """The numbers of fidelity.json; `times` the median is the limit in the extraction."""
        arrays = self.arrays()
        dimensions, counts = np.unique([dimension for _, dimension in self.massive], return_counts=True)
        ordered = dimensions[np.argsort(-counts, kind="stable")].astype(int).tolist()
        return Norms(
            median=float(np.median(arrays["norms"][arrays["kept"]])),
            largest=float(arrays["norms"].max()),
            exclude_norm_above=times,
            limit=limit,
            n_excluded=int(arrays["excluded"].sum()),
            top_variance_share=norms.top_share(self.deviations),
            top_variance_share_with_excluded=norms.top_share([*self.deviations, *self.excluded_deviations]),
            top_variance_share_of_all=norms.top_share(
                [*self.deviations, *self.excluded_deviations, *self.dropped_deviations]
            ),
            warning=norms.warning(norms.top_share(self.deviations), times),
            massive=MassiveActivations(
                n_tokens=self.tokens_with_massive,
                share_of_tokens=self.tokens_with_massive / arrays["norms"].size,
                n_at_first_position=sum(position == 0 for position, _ in self.massive),
                n_dimensions=len(ordered),
                dimensions=tuple(ordered[:8]),
                largest=self.largest,
                largest_over_median=self.largest_over_median,
            ),
        )


def _squared_distance(x: Float[Tensor, "n d"], centre: Float[Tensor, " d"]) -> Float[np.ndarray, " n"]:
    return torch.linalg.vector_norm(x - centre, dim=-1).square().cpu().numpy()
