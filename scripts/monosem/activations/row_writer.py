"""Write rows of two-byte numbers to one .npy file as they come: memory is one batch, whatever the number of rows."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import UInt16

from scripts.monosem.core import artefacts


@dataclass
class RowWriter:
    """Open until `close`; the file gets its name when it is whole."""

    path: Path
    """Where the rows go."""
    d: int
    """Numbers per row."""
    rows: int = 0
    """Rows so far."""
    file: BinaryIO | None = None
    """The temporary file, once there are rows."""
    open_file: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    """Moves it into place, or removes it."""

    def _header(self) -> None:
        """The .npy header for the rows so far; numpy pads it so that its length stays the same as they grow."""
        self.file.seek(0)
        described = {"descr": "<u2", "fortran_order": False, "shape": (self.rows, self.d)}
        np.lib.format.write_array_header_1_0(self.file, described)

    def write(self, bits: UInt16[np.ndarray, "n d_in"]) -> None:
        """Append rows."""
        if self.file is None:
            temporary = self.open_file.enter_context(artefacts.atomic_path(self.path))
            self.file = self.open_file.enter_context(open(temporary, "wb"))
            self._header()
        self.file.write(np.ascontiguousarray(bits))
        self.rows += len(bits)

    def discard(self) -> None:
        """Remove everything that was written."""
        self.open_file.pop_all().__exit__(InterruptedError, InterruptedError(), None)

    def close(self) -> list[dict[str, Any]]:
        """Move the file into place; its name, rows, bytes and sha256, as a manifest lists them."""
        self._header()
        self.open_file.close()
        return [
            {
                "file": self.path.name,
                "rows": self.rows,
                "bytes": self.path.stat().st_size,
                "sha256": artefacts.sha256(self.path),
            }
        ]
