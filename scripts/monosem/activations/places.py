"""Windows and positions of stored rows: the text that an extraction read."""

import numpy as np
from jaxtyping import Bool, Integer

from scripts.monosem.activations.store import Activations
from scripts.monosem.core import artefacts
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.text.tokens import TokenStream, kept_positions, windows

WINDOWS = 1024
"""Looked at together."""


def aligned(
    positions: Integer[np.ndarray, " rows"], kept: Bool[np.ndarray, "windows context"], n_excluded: int
) -> Integer[np.ndarray, " rows"] | None:
    """Place of each stored row among the flattened windows; None if the rows are not of these windows.

    Rows are in the order of windows and positions. Positions that are kept and have no row must be tokens of excluded
    norm: at most `n_excluded`.
    """
    context = kept.shape[1]
    bounds = np.flatnonzero(np.diff(positions.astype(np.int64)) <= 0) + 1
    places, missing, window = [], 0, 0
    for part in np.split(positions.astype(np.int64), bounds):
        while window < len(kept) and not kept[window, part].all():
            missing += int(kept[window].sum())
            window += 1
        if window == len(kept):
            return None
        missing += int(kept[window].sum()) - len(part)
        places.append(window * context + part)
        window += 1
    rest = int(kept[window - 1, part[-1] + 1 :].sum())  # of a last window that is not read to its end
    return np.concatenate(places) if missing - rest <= n_excluded else None


def places_of_rows(
    activations: Activations, stream: TokenStream, n_rows: int, seed: int
) -> tuple[Integer[np.ndarray, " windows"], Integer[np.ndarray, " rows"]]:
    """First tokens of the windows that hold the first rows, and the place of each row among the flattened windows.

    Args:
        stream: the split that was read.
        n_rows: that many rows, or all that are stored.

    Raises: ArtefactError if the rows are not those of the windows that the seed gives.
    """
    manifest = activations.manifest
    context, n_excluded = manifest["context"], manifest.get("n_excluded", 0)
    positions = artefacts.load_npy(activations.folder / "positions.npy")[:n_rows]
    starts = windows(stream, context, None, derive_seed(seed, "windows"))
    kept, n_kept = [np.empty((0, context), bool)], 0
    for first in range(0, len(starts), WINDOWS):
        tokens = stream.tokens[starts[first : first + WINDOWS, None] + np.arange(context)]
        kept.append(kept_positions(tokens, stream.eos_token_id, manifest["drop_first_position"]))
        n_kept += int(kept[-1].sum())
        if n_kept >= len(positions) + n_excluded:
            break
    places = aligned(positions, np.concatenate(kept), n_excluded)
    if places is None:
        raise artefacts.ArtefactError(
            f"{activations.folder}: its rows are not those of the windows that seed {seed} gives; "
            f"{artefacts.remedy(activations.folder / 'manifest.json')}"
        )
    return starts[: places[-1] // context + 1], places
