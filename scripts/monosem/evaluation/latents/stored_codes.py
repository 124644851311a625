"""codes.npz: the active latents of one autoencoder on held-out text, sparse by token. No torch.

The windows depend on seed, split, context and tokens alone, so that autoencoders of models with one tokenizer are read
on the same text: row for row the same places, as `places` says.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Integer
from scipy import sparse

from scripts.monosem.core import artefacts

SPLITS = ("validation", "test")
PARTS = ("starts", "places", "values", "latents", "offsets")


@dataclass(frozen=True)
class StoredCodes:
    """Active latents on the kept positions of one split's windows."""

    starts: Integer[np.ndarray, " windows"]
    """Offset of each window in the token stream of the split, ascending."""
    places: Integer[np.ndarray, " n"]
    """Offset of each row's token in that stream, ascending: `stream.tokens[places]` are the tokens."""
    values: Float[np.ndarray, " nnz"]
    """f > 0, float32."""
    latents: Integer[np.ndarray, " nnz"]
    """Latent of each value; uint16 where that is enough."""
    offsets: Integer[np.ndarray, " boundaries"]
    """First entry of each row, then nnz."""

    def matrix(self, d_sae: int) -> sparse.csr_matrix:
        """Activations [n, d_sae], float32; `tocsc()` of it has a latent's tokens side by side."""
        entries = (self.values, self.latents.astype(np.int32), self.offsets)
        return sparse.csr_matrix(entries, shape=(len(self.places), d_sae))


@dataclass(frozen=True)
class CodesOfText:
    """Contents of codes.npz."""

    d_sae: int
    """Number of latents."""
    context: int
    """Window length, tokens."""
    splits: dict[str, StoredCodes]
    """By split: validation, where units are chosen, and test, where they are scored."""

    def matrix(self, split: str) -> sparse.csr_matrix:
        """Activations of all latents on a split [n, d_sae]."""
        return self.splits[split].matrix(self.d_sae)


def save(codes: CodesOfText, path: str | Path) -> None:
    """Write codes.npz."""
    arrays = {f"{split}.{part}": getattr(stored, part) for split, stored in codes.splits.items() for part in PARTS}
    artefacts.save_npz(path, d_sae=np.array(codes.d_sae), context=np.array(codes.context), **arrays)


def load(path: str | Path) -> CodesOfText:
    """Read codes.npz.

    Raises: ArtefactError for a file that is cut short or of another kind.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            splits = {split: StoredCodes(*(file[f"{split}.{part}"] for part in PARTS)) for split in SPLITS}
            return CodesOfText(int(file["d_sae"]), int(file["context"]), splits)
    except FileNotFoundError:
        raise artefacts.missing(path) from None
    except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise artefacts.ArtefactError(
            f"{path} is cut short or no file of codes ({error}); {artefacts.remedy(path)}"
        ) from None
