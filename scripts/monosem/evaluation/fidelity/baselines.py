"""Baselines that a sparse autoencoder must beat: reconstructions of the same activations from as many numbers.

Every function here and every SAE gives a `Reconstructor`: activations in, reconstruction and the numbers it used out.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scripts.monosem.sae.kernels.select import codes_of, topk_codes
from scripts.monosem.sae.kernels.sparse import Codes, decode


@dataclass(frozen=True)
class Reconstructor:
    """One way to replace activations."""

    what: str
    """One sentence for the reader of the table."""
    apply: Callable[[Float[Tensor, "n d"]], tuple[Float[Tensor, "n d"], Codes | None]]
    """Activations to their reconstruction and the numbers used."""
    d_sae: int | None = None
    """Number of latents, for an SAE."""
    by_token: Callable[[Int[Tensor, " n"]], Float[Tensor, "n d"]] | None = None
    """Token ids to reconstructions, for one that reads the tokens instead of the activations."""


def zero() -> Reconstructor:
    """Zero ablation."""
    return Reconstructor("every activation replaced by zero", lambda x: (torch.zeros_like(x), None))


def mean(centre: Float[Tensor, " d"]) -> Reconstructor:
    """Mean ablation."""
    return Reconstructor("every activation replaced by the training mean", lambda x: (centre.expand_as(x), None))


def top_neurons_about_mean(centre: Float[Tensor, " d"], k: int) -> Reconstructor:
    """Keep the k neurons farthest from their mean; the others get their mean, which costs no number per token."""

    def apply(x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n d"], Codes]:
        distance, columns = (x - centre).abs().topk(k, dim=-1)
        return centre.expand_as(x).scatter(-1, columns, x.gather(-1, columns)), codes_of(distance, columns)

    return Reconstructor(f"the {k} neurons farthest from their training mean; the others at their mean", apply)


def top_neurons(k: int) -> Reconstructor:
    """Keep the k neurons of largest absolute activation; the others are zero."""

    def apply(x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n d"], Codes]:
        size, columns = x.abs().topk(k, dim=-1)
        return torch.zeros_like(x).scatter(-1, columns, x.gather(-1, columns)), codes_of(size, columns)

    return Reconstructor(f"the {k} neurons of largest absolute activation; the others at zero", apply)


def principal_components(sample: Float[Tensor, "n d"], centre: Float[Tensor, " d"], k: int) -> Float[Tensor, "k d"]:
    """The k orthonormal directions of largest variance about `centre`, from the covariance in float64.

    Not scikit-learn's PCA, which wants all rows in float64 at once and a centre of its own (2.3 s of start-up, too).
    """
    d = sample.shape[1]
    covariance = torch.zeros(d, d, dtype=torch.float64)
    for rows in (sample - centre).split(8192):
        covariance += (rows.T @ rows).double().cpu()
    return torch.linalg.eigh(covariance / len(sample)).eigenvectors[:, -k:].T.float().to(sample.device)


def pca(sample: Float[Tensor, "n d"], centre: Float[Tensor, " d"], k: int) -> Reconstructor:
    """Projection on the first k principal components of training activations."""
    k = min(k, sample.shape[1])
    components = principal_components(sample, centre, k)
    every = torch.arange(k, device=sample.device)

    def apply(x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n d"], Codes]:
        scores = (x - centre) @ components.T
        return centre + scores @ components, codes_of(scores.abs(), every.expand_as(scores).contiguous())

    return Reconstructor(f"the first {k} principal components of the training activations", apply)


def random_dictionary(
    sample: Float[Tensor, "n d"], centre: Float[Tensor, " d"], d_sae: int, k: int, seed: int
) -> Reconstructor:
    """A TopK autoencoder that was never trained: random unit dictionary, encoder its transpose, one fitted scale.

    The scale is the least-squares fit of the sample's reconstructions to the sample: the best that a single number
    can do for the dictionary.
    """
    decoder = torch.randn(d_sae, sample.shape[1], generator=torch.Generator().manual_seed(seed))
    decoder = torch.nn.functional.normalize(decoder, dim=-1).to(sample.device)

    def raw(x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n d"], Codes]:
        codes = topk_codes(((x - centre) @ decoder.T).contiguous(), k)
        return decode(codes, decoder), codes

    fitted = sample[:4096]
    dots, squares = 0.0, 0.0
    for rows in fitted.split(1024):
        reconstruction = raw(rows)[0].double()
        dots += float(((rows - centre).double() * reconstruction).sum())
        squares += float(reconstruction.square().sum())
    scale = dots / squares if squares else 0.0

    def apply(x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n d"], Codes]:
        reconstruction, codes = raw(x)
        return centre + scale * reconstruction, codes

    return Reconstructor(f"{d_sae} random unit directions, the {k} best per token, encoder = decoder transposed", apply)
