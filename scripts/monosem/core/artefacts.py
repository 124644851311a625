"""Files in and out: atomic writes, hashes, manifests, and errors that name the file and what to do about it."""

import contextlib
import glob
import hashlib
import json
import math
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


class ArtefactError(RuntimeError):
    """A file is missing, cut short, foreign or holds impossible values; the message says which and what to do."""


def remedy(path: str | Path) -> str:
    """Advice about a file that is not whole: the run makes results anew, other files are somebody's."""
    if Path(path).parts[:1] == ("results",):
        return f"the same command with `--forcerun {path}` added makes it anew"
    return "fetch it again, or put a whole file in its place"


def missing(path: str | Path) -> ArtefactError:
    """The error of a file that is not there, and how a result is made."""
    made = (
        f"; `snakemake --cores 4 {path}` with your configuration makes it"
        if Path(path).parts[:1] == ("results",)
        else ""
    )
    return ArtefactError(f"{path} is missing{made}")


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it into place only when the block succeeds.

    A reader, or a run after `kill -9`, therefore sees the whole file or none; what such a run left is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        stale.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(text: str, path: str | Path) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def plain(value: Any) -> Any:
    """Turn numpy and torch scalars and arrays, tuples and paths inside `value` into what JSON knows."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value


def _refuse_non_finite(value: Any, path: str | Path, where: str = "") -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ArtefactError(f"{path}: the value at '{where}' is {value}; only finite numbers (or null) are written")
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_non_finite(item, path, f"{where}.{key}" if where else key)
    if isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_non_finite(item, path, f"{where}[{index}]")


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""UTF-8 cannot encode it, JSON can: from names of files that are no Unicode, for instance."""


def write_json(value: Any, path: str | Path, indent: int | None = 2) -> None:
    """Write JSON atomically. NaN and infinity are refused by key: write None for 'not defined' on purpose."""
    value = plain(value)
    _refuse_non_finite(value, path)
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    write_text(_LONE_SURROGATE.sub(lambda half: f"\\u{ord(half.group()):04x}", text) + "\n", path)


def read_json(path: str | Path) -> Any:
    """Read JSON; a missing or cut file is an ArtefactError that names it."""
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing(path) from None
    except ValueError as error:
        raise ArtefactError(f"{path} is not whole JSON ({error}); {remedy(path)}") from None


def read_jsonl(path: str | Path) -> list[dict]:
    """Read a JSON-lines file (a training curve, say) into a list; a missing or cut file is an ArtefactError."""
    try:
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.strip()]
    except FileNotFoundError:
        raise missing(path) from None
    except ValueError as error:
        raise ArtefactError(f"{path} is cut short or no JSON lines ({error}); {remedy(path)}") from None


def save_npy(array: np.ndarray, path: str | Path) -> None:
    """Write one array atomically as .npy."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array, allow_pickle=False)


def load_npy(path: str | Path, mmap: bool = False) -> np.ndarray:
    """Read one .npy array; a cut or foreign file is an ArtefactError."""
    try:
        return np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
    except FileNotFoundError:
        raise missing(path) from None
    except (ValueError, EOFError, OSError) as error:
        raise ArtefactError(f"{path} is cut short or no .npy file ({error}); {remedy(path)}") from None


def save_npz(path: str | Path, **arrays: np.ndarray) -> None:
    """Write several arrays atomically as one .npz."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def save_tensors(tensors: dict, path: str | Path, metadata: dict[str, str] | None = None) -> None:
    """Write torch tensors atomically as safetensors; NaN or infinite weights are refused by name."""
    import torch
    from safetensors.torch import save_file

    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ArtefactError(f"{path}: tensor '{name}' holds NaN or infinity and was not written")
    with atomic_path(path) as temporary:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary, metadata)


def load_tensors(path: str | Path) -> dict:
    """Read a safetensors file into torch tensors; cut files and NaN are ArtefactErrors that name file and tensor."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(str(path))
    except FileNotFoundError:
        raise missing(path) from None
    except (SafetensorError, ValueError, OSError) as error:
        raise ArtefactError(f"{path} is cut short or no safetensors file ({error}); {remedy(path)}") from None
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ArtefactError(f"{path}: tensor '{name}' holds NaN or infinity; {remedy(path)}")
    return tensors


def safetensors_header(path: Path) -> dict[str, dict[str, Any]]:
    """Dtype, shape and place of every tensor of a file.

    Raises: ArtefactError for a file that is cut short or of another format.
    """
    try:
        with open(path, "rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            if length > path.stat().st_size:
                raise ValueError("its header goes beyond the end")
            header = json.loads(file.read(length))
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        if not all(isinstance(entry["dtype"], str) and isinstance(entry["shape"], list) for entry in tensors.values()):
            raise ValueError("its header has a tensor without dtype or shape")
        end = 8 + length + max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
        if end > path.stat().st_size:
            raise ValueError(f"it ends at byte {path.stat().st_size:,} of {end:,}")
    except (ValueError, LookupError, TypeError, AttributeError, struct.error) as error:
        raise ArtefactError(f"{path} is cut short or no safetensors file ({error}); {remedy(path)}") from None
    return tensors


@cache
def _sha256(path: str, version: tuple[int, ...]) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256(path: str | Path) -> str:
    """Hex digest of a file's bytes, read in blocks; read once by a process, as long as the file stays the same."""
    status = os.stat(path)
    return _sha256(os.fspath(path), (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


def require_sha256(path: Path, digest: str, manifest: Path) -> None:
    """Raises: ArtefactError if a file beside a manifest is not the one that the manifest was written for."""
    if path.is_file() and sha256(path) != digest:  # a missing file has a sentence where it is read
        raise ArtefactError(
            f"{path} is cut short or changed: its sha256 is not that in {manifest}; the same command with "
            f"`--forcerun {manifest}` added makes it anew"
        )


def sha256_json(value: Any) -> str:
    """Hex digest of a JSON value, independent of key order: the identity of a set of parameters."""
    return hashlib.sha256(json.dumps(plain(value), sort_keys=True).encode()).hexdigest()


def human_bytes(n_bytes: float) -> str:
    """1536 -> '1.5 kB' in powers of 1000, for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(n_bytes) < 1000 or unit == "GB":
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    raise AssertionError("unreachable")


def require_disk(folder: str | Path, need_bytes: int, what: str) -> None:
    """Print what will be written and refuse when the disk cannot hold it.

    Raises: ArtefactError naming both numbers.
    """
    folder = Path(folder)
    existing = next(parent for parent in (folder, *folder.resolve().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    print(f"{what}: {human_bytes(need_bytes)} on disk ({human_bytes(free)} free)", flush=True)
    if need_bytes > free:
        raise ArtefactError(
            f"{what} needs {human_bytes(need_bytes)} under {folder}, but only {human_bytes(free)} are free; "
            "free some space or lower the number of tokens in config.yaml"
        )


RESULTS = "results/"


def below_results(path: str | Path) -> str:
    """`results/models/a/training.json` -> `models/a/training.json`, also of a copy of it out of a bucket."""
    return str(path).rpartition(RESULTS)[2]


def key_prefix(path: str | Path) -> str:
    """`results/models/a/training.json` -> `models/a/training`: the part of a key before the colon."""
    return below_results(path).removesuffix(".json")


def source_of(key: str) -> str:
    """The file a key comes from; the inverse of `key_prefix`."""
    return f"{RESULTS}{key.split(':')[0]}.json"
