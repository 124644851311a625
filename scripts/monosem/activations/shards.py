"""Write rows of two-byte numbers to .npy shards as they come: memory is one batch, whatever the number of rows."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import UInt16

from scripts.monosem.core import artefacts

SHARD_BYTES = 256 * 2**20


@dataclass
class ShardWriter:
    """Open until `close`; a shard gets its name when it is whole."""

    folder: Path
    """Folder of the shards."""
    d: int
    """Numbers per row."""
    shards: list[dict[str, Any]] = field(default_factory=list)
    """File, rows, bytes and sha256 of each finished shard."""
    rows: int = 0
    """Rows in the shard that is open."""
    file: BinaryIO | None = None
    """The shard that is open."""
    path: Path | None = None
    """Its final name."""
    open_shard: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    """Renames the open shard when it is whole, or removes it."""

    @property
    def rows_per_shard(self) -> int:
        """Rows after which a new shard begins."""
        return max(1, SHARD_BYTES // (2 * self.d))

    def _header(self) -> None:
        """The .npy header for the rows so far; numpy pads it so that its length stays the same as they grow."""
        self.file.seek(0)
        described = {"descr": "<u2", "fortran_order": False, "shape": (self.rows, self.d)}
        np.lib.format.write_array_header_1_0(self.file, described)

    def write(self, bits: UInt16[np.ndarray, "n d_in"]) -> None:
        """Append rows."""
        while len(bits):
            if self.file is None:
                self.path = self.folder / f"activations-{len(self.shards):05d}.npy"
                temporary = self.open_shard.enter_context(artefacts.atomic_path(self.path))
                self.file = self.open_shard.enter_context(open(temporary, "wb"))
                self._header()
            part = bits[: self.rows_per_shard - self.rows]
            self.file.write(np.ascontiguousarray(part))
            self.rows += len(part)
            bits = bits[len(part) :]
            if self.rows == self.rows_per_shard:
                self._finish()

    def _finish(self) -> None:
        self._header()
        self.open_shard.close()
        size = self.path.stat().st_size
        self.shards.append(
            {"file": self.path.name, "rows": self.rows, "bytes": size, "sha256": artefacts.sha256(self.path)}
        )
        self.file, self.rows = None, 0

    def discard(self) -> None:
        """Remove everything that was written."""
        self.open_shard.pop_all().__exit__(InterruptedError, InterruptedError(), None)
        for shard in self.shards:
            (self.folder / shard["file"]).unlink(missing_ok=True)

    def close(self) -> list[dict[str, Any]]:
        """Finish the last shard; returns the finished ones."""
        if self.file is not None:
            self._finish()
        return self.shards
