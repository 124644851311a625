"""Baselines that a sparse autoencoder must beat: reconstructions of the same activations from as many numbers.

Each of them, and each SAE, is a `Reconstructor`: activations in, reconstruction and the numbers it used out.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.sae import model as sae_model
from scripts.monosem.sae.kernels.select import codes_of, topk_codes
from scripts.monosem.sae.kernels.sparse import Codes, decode
from scripts.monosem.sae.model import Sae, random_decoder

LATENT_NUMBERS = 2**22  # dense pre-activations in flight: 16 MB of float32


@dataclass(frozen=True)
class Reconstructor:
    """One way to replace activations."""

    what: str
    """One sentence for the reader of the table."""
    apply: Callable[[Float[Tensor, "n d"]], tuple[Float[Tensor, "n d"], Codes | None]]
    """Activations to their reconstruction and the numbers used."""
    d_sae: int | None = None
    """Number of latents, for a dictionary: how often each fires is counted."""
    by_token: Callable[[Int[Tensor, " n"]], Float[Tensor, "n d"]] | None = None
    """Token ids to reconstructions, for one that reads the tokens instead of the activations."""
    flops: float = 0.0
    """Multiplications and additions of its matrix products with all directions, per token."""


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


def principal_components(
    parts: Iterable[Float[Tensor, "_ d"]], centre: Float[Tensor, " d"], k: int
) -> Float[Tensor, "k d"]:
    """The k orthonormal directions of largest variance about `centre`, from the covariance in float64.

    The rows come in parts, so that they need not all be in memory.

    Not scikit-learn's PCA, which wants all rows in float64 at once and a centre of its own (2.3 s of start-up, too).
    """
    scatter, n = torch.zeros(len(centre), len(centre), dtype=torch.float64), 0
    for rows in parts:
        centred, n = rows - centre, n + len(rows)
        scatter += (centred.T @ centred).double().cpu()
    return torch.linalg.eigh(scatter / n).eigenvectors[:, -k:].T.float().to(centre.device)


def pca(parts: Iterable[Float[Tensor, "_ d"]], centre: Float[Tensor, " d"], k: int) -> Reconstructor:
    """Projection on the first k principal components of training activations, which come in parts."""
    k = min(k, len(centre))
    components = principal_components(parts, centre, k)
    every = torch.arange(k, device=centre.device)

    def apply(x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n d"], Codes]:
        scores = (x - centre) @ components.T
        return centre + scores @ components, codes_of(scores.abs(), every.expand_as(scores).contiguous())

    what = f"the first {k} principal components of the training activations"
    return Reconstructor(what, apply, flops=4.0 * components.numel())


def random_dictionary(
    sample: Float[Tensor, "n d"], centre: Float[Tensor, " d"], d_sae: int, k: int, seed: int
) -> Reconstructor:
    """A TopK autoencoder that was never trained: random unit dictionary, encoder its transpose, one fitted scale.

    The scale is the least-squares fit of the sample's reconstructions to the sample: the best that a single number
    can do for the dictionary.
    """
    decoder = random_decoder(d_sae, sample.shape[1], seed).to(sample.device)

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

    what = f"{d_sae} random unit directions, the {k} best per token, encoder = decoder transposed"
    return Reconstructor(what, apply, d_sae, flops=2.0 * decoder.numel())


def rows_at_once(sae: Sae) -> int:
    """Rows whose pre-activations are in memory at a time."""
    return max(64, LATENT_NUMBERS // sae.d_sae)


def sae_reconstructor(sae: Sae, what: str) -> Reconstructor:
    """An SAE as a reconstructor; wide codes are made a few rows at a time and stay sparse."""

    def apply(x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n d"], Codes]:
        codes = sae_model.concatenate([sae_model.encode_active(sae, rows) for rows in x.split(rows_at_once(sae))])
        return sae_model.decode_active(sae, codes), codes

    return Reconstructor(what, apply, sae.d_sae, flops=2.0 * sae.d_in * sae.d_sae)


def mean_l0(sae: Sae, parts: Iterable[Float[Tensor, "_ d"]]) -> float:
    """Mean number of latents > 0 per row."""
    active, n = 0.0, 0
    for part in parts:
        n += len(part)
        for rows in part.split(rows_at_once(sae)):
            active += float((sae_model.encode_active(sae, rows).values > 0).sum())
    return active / n


def make_baselines(
    parts: Callable[[], Iterator[Float[Tensor, "_ d"]]], centre: Float[Tensor, " d"], reference: Sae | None,
    neighbour: Sae | None, seed: int,
) -> dict[str, Reconstructor]:  # fmt: skip
    """The baselines of a site; those that spend numbers spend as many per token as the reference SAE's L0.

    Args:
        parts: gives random training activations, a part at a time.
    """
    made = {"zero_ablation": zero(), "mean_ablation": mean(centre)}
    if reference is not None:
        k = min(max(1, round(mean_l0(reference, itertools.islice(parts(), 2)))), len(centre))
        sample = next(parts())
        made |= {
            "top_neurons_about_mean": top_neurons_about_mean(centre, k),
            "top_neurons": top_neurons(k),
            "pca": pca(parts(), centre, k),
            "random_dictionary": random_dictionary(
                sample, centre, reference.d_sae, min(k, reference.d_sae), derive_seed(seed, "dictionary")
            ),
        }
    if neighbour is not None:
        hook = neighbour.cfg["metadata"]["hook_name"]
        # its own site's norm limit says nothing about the norms of this one
        everywhere = replace(neighbour, norm_limit=math.inf)
        made["other_layer_sae"] = sae_reconstructor(everywhere, f"the SAE of {hook}, applied here; at its own L0")
    return made
