"""Activations of one site of one model: extracted once, stored as fp16 or bf16 shards, read by random access.

Rows are tokens in the order of the shuffled windows they came from. What was kept, and where in its window each row
stood, is in the manifest, so that training, evaluation and interpretation share one policy.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from scripts.monosem import io, sites
from scripts.monosem.joblog import Progress, say
from scripts.monosem.runtime import derive_seed
from scripts.monosem.tokens import TokenStream, kept_positions, windows

if TYPE_CHECKING:
    from torch import nn

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
SHARD_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Extraction:
    """What to extract."""

    tokens: int  # at least this many rows are wanted; fewer if the split is shorter
    dtype: str  # "float16" or "bfloat16" on disk
    drop_first_position: bool  # also drop position 0 of every window (<|endoftext|> is always dropped)
    batch_size: int = 32  # windows per forward pass


def as_bits(values: Tensor) -> np.ndarray:
    """A two-byte float tensor as uint16 bits: numpy has no bfloat16, so both dtypes are stored alike."""
    return values.contiguous().view(torch.int16).cpu().numpy().view(np.uint16)


def extract(
    model: "nn.Module",
    hook_name: str,
    stream: TokenStream,
    context: int,
    config: Extraction,
    folder: Path,
    seed: int,
    identity: dict[str, Any],
    device: str = "cpu",
) -> dict[str, Any]:
    """Run the model up to a site over seeded random windows of a split and stream the kept rows to shards.

    Memory is one shard (256 MiB) plus one batch, whatever the number of tokens. `identity` (hashes of the model and
    the tokens, names) goes into the manifest, which is returned and written last: a folder without it is unfinished.

    Raises: ArtefactError when the disk is too small, or when values overflow the dtype (use bfloat16).
    """
    site = sites.resolve(model, hook_name)
    dtype = DTYPES[config.dtype]
    starts = windows(stream, context, None, derive_seed(seed, "windows"))
    per_row = 2 * site.d + 2
    io.require_disk(folder, min(config.tokens, len(starts) * context) * per_row, f"activations at {hook_name}")
    for stale in folder.glob("*.npy"):
        stale.unlink()

    rows_per_shard = max(1, SHARD_BYTES // (2 * site.d))
    buffer = torch.empty(rows_per_shard, site.d, dtype=dtype)
    filled, shards, positions = 0, [], []
    total, norm, square = torch.zeros(site.d, dtype=torch.float64), 0.0, 0.0
    n_rows = 0
    progress = Progress(config.tokens, "tokens")

    def close_shard() -> None:
        nonlocal filled
        path = folder / f"activations-{len(shards):05d}.npy"
        io.save_npy(as_bits(buffer[:filled]), path)
        shards.append({"file": path.name, "rows": filled, "bytes": path.stat().st_size, "sha256": io.sha256(path)})
        filled = 0

    for first in range(0, len(starts), config.batch_size):
        chosen = starts[first : first + config.batch_size]
        tokens = stream.tokens[chosen[:, None] + np.arange(context)].astype(np.int64)
        keep = kept_positions(tokens, stream.eos_token_id, config.drop_first_position)
        if not keep.any():
            continue
        rows = sites.capture(model, site, torch.from_numpy(tokens).to(device)).cpu()[torch.from_numpy(keep)]
        place = np.nonzero(keep)[1].astype(np.uint16)
        rows, place = rows[: config.tokens - n_rows], place[: config.tokens - n_rows]
        small = rows.to(dtype)
        if not bool(torch.isfinite(small).all()):
            cause = "NaN or infinity" if not bool(torch.isfinite(rows).all()) else "values that float16 cannot hold"
            raise io.ArtefactError(f"{hook_name}: the model gives {cause}; check its weights, or set dtype: bfloat16")
        positions.append(place)
        stored = small.double()
        total += stored.sum(0)
        squares = stored.square().sum(1)
        norm, square = norm + squares.sqrt().sum().item(), square + squares.sum().item()
        n_rows += len(rows)
        while len(small):
            room = rows_per_shard - filled
            buffer[filled : filled + len(small[:room])] = small[:room]
            filled, small = filled + len(small[:room]), small[room:]
            if filled == rows_per_shard:
                close_shard()
        progress.update(n_rows)
        if n_rows >= config.tokens:
            break
    if filled:
        close_shard()
    if n_rows < config.tokens:
        say(f"the split holds {n_rows:,} tokens, fewer than the {config.tokens:,} asked for; all were taken")

    io.save_npy(np.concatenate(positions), folder / "positions.npy")
    manifest = {
        **identity,
        "site": hook_name,
        "d_in": site.d,
        "n_tokens": n_rows,
        "context": context,
        "dtype": config.dtype,
        "drop_first_position": config.drop_first_position,
        "mean_norm": norm / n_rows,
        "rms_norm": (square / n_rows) ** 0.5,
        "positions": "positions.npy",
        "shards": shards,
        "mean": (total / n_rows).tolist(),
    }
    io.write_json(manifest, folder / "manifest.json")
    return manifest


@dataclass(frozen=True)
class Activations:
    """Stored activations, opened for reading; rows come from memory-mapped shards."""

    folder: Path  # where the manifest lies
    manifest: dict[str, Any]  # see `extract`
    shards: tuple[np.ndarray, ...]  # per shard: uint16 bits [rows, d_in], memory-mapped
    first_rows: Int[np.ndarray, "shards+1"]  # global number of each shard's first row, then n_tokens

    @property
    def n_tokens(self) -> int:
        """Rows in all shards."""
        return int(self.first_rows[-1])

    @property
    def d_in(self) -> int:
        """Width of a row."""
        return self.manifest["d_in"]

    def gather(self, indices: Int[np.ndarray, "n"]) -> Float[Tensor, "n d_in"]:
        """Rows by global number, in the order asked for, as float32.

        Rows are read one by one: memory stays constant however much is read, and a mapped page costs several times as
        much as a read (measured at 1 kB a row with the file in the system's cache: 2.8 against 0.7 µs).
        """
        order = np.argsort(indices, kind="stable")  # neighbours on disk are read one after the other
        ordered = indices[order]
        cuts = np.searchsorted(ordered, self.first_rows)
        width, read = 2 * self.d_in, []
        for shard, first, start, stop in zip(self.shards, self.first_rows[:-1], cuts[:-1], cuts[1:], strict=True):
            places = (ordered[start:stop] - first) * width + shard.offset
            with open(shard.filename, "rb", buffering=0) as file:
                read += [os.pread(file.fileno(), width, place) for place in places.tolist()]
        bits = np.empty((len(indices), self.d_in), np.int16)
        bits[order] = np.frombuffer(b"".join(read), np.int16).reshape(bits.shape)
        return torch.from_numpy(bits).view(DTYPES[self.manifest["dtype"]]).float()


def open_activations(folder: str | Path) -> Activations:
    """Open a folder that `extract` wrote. Raises ArtefactError naming a shard that is missing, cut or foreign."""
    folder = Path(folder)
    manifest = io.read_json(folder / "manifest.json")
    shards = []
    for shard in manifest["shards"]:
        path = folder / shard["file"]
        rows = io.load_npy(path, mmap=True)
        expected = (shard["rows"], manifest["d_in"])
        if rows.shape != expected or rows.dtype != np.uint16 or path.stat().st_size != shard["bytes"]:
            raise io.ArtefactError(
                f"{path} holds {rows.dtype} {list(rows.shape)}, its manifest says uint16 {list(expected)}: "
                f"delete {folder / 'manifest.json'} and run the same command again to extract anew"
            )
        shards.append(rows)
    first_rows = np.cumsum([0] + [shard["rows"] for shard in manifest["shards"]])
    return Activations(folder, manifest, tuple(shards), first_rows)
