"""Populations of units that are scored side by side: latents, neurons, and what should be no easier to explain.

Every population is scored as it is (units drawn at random among the live) and at equal density: each latent of the
sample is paired with a random unit that fires at least as often, and of its activations only the largest are kept, as
many on validation as the latent has. Scores depend on density, so that the second comparison is the fair one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Integer
from scipy import sparse
from torch import Tensor, nn

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.models.sites import Site
from scripts.monosem.sae import model as sae_model
from scripts.monosem.sae.csr import encode_csr
from scripts.monosem.sae.model import Sae

LIVE = 10
"""Tokens of the validation split on which a unit must fire to be drawn."""
Read = Callable[[Float[Tensor, "n d"], Int[Tensor, " n"]], Float[Tensor, " n"]]
"""Activations at the site, and a unit per row, to that unit's activation."""


@dataclass(frozen=True)
class Rows:
    """Activations of a population's units on the rows of one split."""

    values: Float[np.ndarray, "n units"] | sparse.csc_matrix
    """Dense, or sparse where units are; nowhere below 0."""

    def column(self, unit: int) -> tuple[Integer[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        """Rows on which a unit fires, ascending, and its activations there."""
        if isinstance(self.values, np.ndarray):
            column = self.values[:, unit]
            rows = np.flatnonzero(column > 0)
            return rows, column[rows]
        here = slice(self.values.indptr[unit], self.values.indptr[unit + 1])
        return self.values.indices[here].astype(np.int64), self.values.data[here]

    def fired(self) -> Integer[np.ndarray, " units"]:
        """Rows on which each unit fires."""
        return np.asarray((self.values > 0).sum(0)).ravel()


@dataclass(frozen=True)
class Population:
    """All units of one kind."""

    what: str
    """One sentence for the reader of the table."""
    model: nn.Module
    site: Site
    validation: Rows
    test: Rows
    read: Read
    directions: Float[Tensor, "units d"]
    """That each unit writes at the site: a decoder row, a neuron's axis."""


@dataclass(frozen=True)
class Sample:
    """Some units of a population, each above a threshold."""

    population: Population
    index: Integer[np.ndarray, " sampled"]
    """Numbers of the units."""
    threshold: Float[np.ndarray, " sampled"]
    """Activations up to it count as 0."""

    def column(self, split: str, place: int) -> tuple[Integer[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        """Rows of a split on which a unit of the sample fires, and its activations there."""
        rows, values = getattr(self.population, split).column(int(self.index[place]))
        kept = values > self.threshold[place]
        return rows[kept], values[kept]

    def read(self, x: Float[Tensor, "n d"], place: Integer[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Activation of a unit of the sample on each row of activations at the site."""
        values = self.population.read(x, torch.from_numpy(self.index[place]).to(x.device)).cpu().numpy()
        return np.where(values > self.threshold[place], values, 0.0)

    def part(self, chosen: Integer[np.ndarray, " some"] | Bool[np.ndarray, " sampled"]) -> "Sample":
        """Some units of the sample."""
        return replace(self, index=self.index[chosen], threshold=self.threshold[chosen])


def by_column(values: Float[Tensor, "n units"]) -> Rows:
    """Activations of all units, those of one unit side by side in memory: they are read unit by unit."""
    return Rows(values.T.contiguous().numpy().T)  # several times as fast as numpy.asfortranarray


def read_latents(sae: Sae) -> Read:
    """Reader of an autoencoder's latents."""

    def read(x: Float[Tensor, "n d"], unit: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        return sae_model.encode(sae, x).gather(1, unit[:, None])[:, 0]

    return read


def latents(
    what: str, model: nn.Module, site: Site, sae: Sae, codes: Mapping[str, sparse.csr_matrix]
) -> Population:  # fmt: skip
    """Latents of an autoencoder, from its codes of both splits."""
    rows = {split: Rows(matrix.tocsc()) for split, matrix in codes.items()}
    return Population(what, model, site, **rows, read=read_latents(sae), directions=sae.W_dec)


def neurons(model: nn.Module, site: Site, sae: Sae, x: Mapping[str, Float[np.ndarray, "n d"]]) -> Population:
    """Neurons of the site, or its dimensions, where they are above 0 and the autoencoder reads."""

    def read(x: Float[Tensor, "n d"], unit: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        return sae_model.silenced(sae, x).gather(1, unit[:, None])[:, 0].relu()

    rows = {split: by_column(sae_model.silenced(sae, torch.from_numpy(values)).relu()) for split, values in x.items()}
    axes = torch.eye(site.d, device=model.device)
    return Population("neurons of the site, where they are above 0", model, site, **rows, read=read, directions=axes)


def rotated_neurons(
    model: nn.Module, site: Site, sae: Sae, x: Mapping[str, Float[np.ndarray, "n d"]], seed: int
) -> Population:  # fmt: skip
    """ReLU of the activations about their mean in a random orthonormal basis, where the autoencoder reads."""
    random = np.random.default_rng(derive_seed(seed, "random rotation"))
    basis = np.linalg.qr(random.standard_normal((site.d, site.d)))[0].astype(np.float32)
    read_by_sae = {split: sae_model.reads(sae, torch.from_numpy(values)).numpy() for split, values in x.items()}
    mean = x["validation"][read_by_sae["validation"]].mean(0)
    rows = {  # transposed, so that the activations of one unit are side by side
        split: Rows((np.maximum(basis.T @ (values - mean).T, 0) * read_by_sae[split]).T) for split, values in x.items()
    }
    centre, axes = torch.from_numpy(mean).to(model.device), torch.from_numpy(basis.T.copy()).to(model.device)

    def read(x: Float[Tensor, "n d"], unit: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        return ((x - centre) * axes[unit]).sum(-1).relu() * sae_model.reads(sae, x)

    what = "ReLU of the activations about their mean in a random orthonormal basis"
    return Population(what, model, site, **rows, read=read, directions=axes)


def random_latents(
    model: nn.Module, site: Site, sae: Sae, x: Mapping[str, Float[np.ndarray, "n d"]], k: int, seed: int
) -> Population:  # fmt: skip
    """A TopK dictionary that was never trained: as many random unit directions as the autoencoder has latents, about
    the mean of what it reads, the k best per token.
    """
    validation = torch.from_numpy(x["validation"])
    centre = validation[sae_model.reads(sae, validation)].mean(0).to(model.device)
    random = sae_model.untrained(centre, sae.d_sae, k, derive_seed(seed, "random dictionary"), sae.norm_limit)
    codes = {split: encode_csr(random, values).astype(np.float32) for split, values in x.items()}
    return latents(f"{sae.d_sae} random unit directions, the {k} best per token", model, site, random, codes)


def draw(population: Population, n: int, seed: int) -> Sample:
    """At most n units at random among the live."""
    live = np.flatnonzero(population.validation.fired() >= LIVE)
    index = np.random.default_rng(seed).permutation(live)[:n]
    return Sample(population, index, np.zeros(len(index), np.float32))


def at_density_of(population: Population, target: Sample, seed: int) -> Sample:
    """A random unit for each unit of another sample, at least as dense on validation, and cut to its density.

    Where none is as dense, one of the densest; each unit is taken once, as long as there are enough.
    """
    fired = population.validation.fired()
    wanted = [len(target.column("validation", place)[0]) for place in range(len(target.index))]
    order = np.random.default_rng(seed).permutation(np.flatnonzero(fired >= LIVE))
    free = list(order)
    index, threshold = np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.float32)
    for place in np.argsort(wanted)[::-1]:  # the densest first: fewest units can stand for them
        free = free or list(order)
        unit = next((each for each in free if fired[each] >= wanted[place]), max(free, key=lambda each: fired[each]))
        free.remove(unit)
        index[place] = unit
        if fired[unit] > wanted[place]:
            values = population.validation.column(int(unit))[1]
            threshold[place] = np.partition(values, len(values) - wanted[place] - 1)[len(values) - wanted[place] - 1]
    return Sample(population, index, threshold)
