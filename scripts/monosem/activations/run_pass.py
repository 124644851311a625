"""Run a model over seeded random windows up to the last site that is wanted, and store what it computes there.

Several sites cost one pass. Nothing after the last of them is computed, the unembedding never runs, and memory is the
weights and one batch, whatever the number of tokens.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor, nn

from scripts.monosem.activations import norms
from scripts.monosem.activations.norms import Ordinary
from scripts.monosem.activations.row_writer import RowWriter
from scripts.monosem.activations.store import DTYPES, as_bits
from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Progress, say
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.models import cost, sites
from scripts.monosem.models.families import family_of, shape_of
from scripts.monosem.models.gpt2 import onednn
from scripts.monosem.models.sites import Site
from scripts.monosem.text.tokens import TokenStream, kept_positions, windows

LARGEST_FLOAT16 = 65504.0
NUMBERS_IN_FLIGHT = 2**23  # of the widest tensor of a pass: 32 MB of float32
PACKED_FROM = 512  # width of the residual stream from which packed weights are worth their preparation
Read = Callable[[Int[Tensor, "batch context"]], list[Float[Tensor, "batch context _"]]]


@dataclass(frozen=True)
class Extraction:
    """Options of an extraction."""

    tokens: int
    """As many rows are wanted, excluded ones counted; fewer if the split is shorter."""
    dtype: str
    """On disk, `float16` or `bfloat16`; float16 gives way to bfloat16 where a value is too large for it."""
    drop_first_position: bool
    """Also drop position 0 of every window (<|endoftext|> is always dropped)."""
    exclude_norm_above: float | None = None
    """Also drop tokens whose norm is above this many times the median of the first rows; None keeps them all."""
    batch_size: int = 32
    """Windows per forward pass, at most."""


@dataclass(eq=False)
class Sink:
    """Rows of one site while they are written, and their sums so far."""

    site: Site
    """The site whose activations are stored."""
    dtype: str
    """Of the numbers on disk."""
    writer: RowWriter
    """Writes the rows."""
    total: Float[Tensor, " d_in"]
    """Sum of the rows, in float64."""
    norm: float = 0.0
    """Sum of the rows' norms."""
    square: float = 0.0
    """Sum of their squared norms."""
    largest: float = 0.0
    """Largest absolute value."""
    positions: list[Integer[np.ndarray, " _"]] = field(default_factory=list)
    """Position of each row in its window."""
    ordinary: Ordinary | None = None
    """The tokens that are kept; set before the first row."""
    excluded: list[Float[np.ndarray, " _"]] = field(default_factory=list)
    """Squared deviations of the tokens that were left out."""
    deviations: list[Float[np.ndarray, " _"]] = field(default_factory=list)
    """Squared deviations of the others."""

    def add(self, rows: Float[Tensor, "n d_in"], positions: Integer[np.ndarray, " n"]) -> bool:
        """Store rows; False if float16 cannot hold them. Raises: ArtefactError for NaN or infinity."""
        low, high = (float(x) for x in rows.aminmax())
        if not -low < float("inf") or not high < float("inf"):
            raise artefacts.ArtefactError(f"{self.site.name}: the model gives NaN or infinity; check its weights")
        ordinary, deviations = self.ordinary.holds(rows), self.ordinary.deviations(rows)
        self.deviations.append(deviations[ordinary])
        if not ordinary.all():
            self.excluded.append(deviations[~ordinary])
            rows, positions = rows[ordinary], positions[ordinary]
        if not len(rows):
            return True
        self.largest = max(self.largest, float(rows.abs().max()))
        if self.dtype == "float16" and self.largest > LARGEST_FLOAT16:
            return False
        stored = rows.to(DTYPES[self.dtype])
        self.writer.write(as_bits(stored))
        self.positions.append(positions)
        norms = torch.linalg.vector_norm(stored, dim=1, dtype=torch.float32).double()
        self.total += stored.sum(0, dtype=torch.float64)
        self.norm, self.square = self.norm + norms.sum().item(), self.square + norms.square().sum().item()
        return True


def reader(
    model: nn.Module, wanted: list[Site], context: int, batch_size: int, separator: int | None
) -> tuple[Read, int]:
    """A function that runs the model up to the sites, and the windows per pass at which it is fastest."""
    config = model.config.to_dict()
    family = family_of(config)
    widest = shape_of(config, family).d_mlp if family else max(site.d for site in wanted)
    batch = max(1, min(batch_size, NUMBERS_IN_FLIGHT // (context * widest)))
    if family and shape_of(config, family).d_model >= PACKED_FROM and onednn.can_read(model):
        problem = onednn.problem_with_operators(model)
        if problem is None:
            prepared = onednn.prepare(model)
            rows = max(1, onednn.ROWS // context)

            def packed(tokens: Tensor) -> list[Tensor]:
                return onednn.read(prepared, wanted, tokens, **sites.packing(model, tokens, separator))

            return packed, min(rows, batch_size)
        say(f"going on without oneDNN's packed products, which this machine cannot use: {problem}")
    return lambda tokens: sites.capture_all(model, wanted, tokens, separator), batch


def passes(
    read: Read, batch: int, stream: TokenStream, context: int, config: Extraction, seed: int, device: str
) -> Iterator[tuple[Integer[np.ndarray, " n"], list[Float[Tensor, "n _"]]]]:
    """Pass by pass, the positions of the kept tokens in their windows, and their activations at every site."""
    starts, n_rows = windows(stream, context, None, derive_seed(seed, "windows")), 0
    for first in range(0, len(starts), batch):
        tokens = stream.tokens[starts[first : first + batch, None] + np.arange(context)].astype(np.int64)
        keep: Bool[np.ndarray, "batch context"] = kept_positions(
            tokens, stream.eos_token_id, config.drop_first_position
        )
        if not keep.any():
            continue
        kept, place = torch.from_numpy(keep), np.nonzero(keep)[1].astype(np.uint16)[: config.tokens - n_rows]
        yield place, [values.cpu()[kept][: len(place)] for values in read(torch.from_numpy(tokens).to(device))]
        n_rows += len(place)
        if n_rows >= config.tokens:
            return


def one_pass(
    read: Read, batch: int, sinks: list[Sink], stream: TokenStream, context: int, config: Extraction, seed: int,
    device: str,
) -> list[Sink]:  # fmt: skip
    """Fill the sinks; returns those that overflowed float16, with nothing written."""
    progress, n_rows, overflown = Progress(config.tokens, "tokens"), 0, []
    rows = passes(read, batch, stream, context, config, seed, device)
    first = []
    while sum(len(place) for place, _ in first) < norms.FIRST_ROWS and (following := next(rows, None)):
        first.append(following)
    for number, sink in enumerate(sinks if first else ()):
        sink.ordinary = norms.ordinary(torch.cat([values[number] for _, values in first]), config.exclude_norm_above)
    for place, values in itertools.chain(first, rows):
        for sink, at_site in zip(sinks, values, strict=True):
            if sink not in overflown and not sink.add(at_site, place):
                sink.writer.discard()
                overflown.append(sink)
        n_rows += len(place)
        progress.update(n_rows)
        if len(overflown) == len(sinks):
            break
    if n_rows < config.tokens and len(overflown) < len(sinks):
        say(f"the split holds {n_rows:,} tokens, fewer than the {config.tokens:,} asked for; all were taken")
    return overflown


def extract_all(
    model: nn.Module,
    folders: Mapping[str, Path],
    stream: TokenStream,
    context: int,
    config: Extraction,
    seed: int,
    identity: Mapping[str, Any],
    device: str = "cpu",
) -> dict[str, dict[str, Any]]:
    """Store the activations at every site of `folders` (hook name -> folder); returns their manifests.

    A manifest is written last: a folder without it is unfinished. `identity` (hashes of the model and the tokens,
    names) goes into it. float16 holds values up to 65,504; a site with a larger one is stored in bfloat16 from its
    first row on, in a second pass, and its manifest says so. The model may not run afterwards: oneDNN's
    path repacks its weights.

    Raises: ArtefactError when the disk is too small, or the model gives NaN or infinity.
    """
    wanted = [sites.resolve(model, name) for name in folders]
    n_tokens = min(config.tokens, len(windows(stream, context)) * context)
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
        for stale in (*folder.glob("manifest*.json"), *folder.glob("*.npy")):
            stale.unlink()
    need = cost.disk_bytes(n_tokens, [site.d for site in wanted])
    artefacts.require_disk(next(iter(folders.values())), need, f"activations at {', '.join(folders)}")

    def sink(site: Site, dtype: str) -> Sink:
        return Sink(
            site,
            dtype,
            RowWriter(folders[site.name] / "activations.npy", site.d),
            torch.zeros(site.d, dtype=torch.float64),
        )

    read, batch = reader(model, wanted, context, config.batch_size, stream.eos_token_id)
    sinks = [sink(site, config.dtype) for site in wanted]
    overflown = one_pass(read, batch, sinks, stream, context, config, seed, device)
    if overflown:
        names = ", ".join(f"{each.site.name} ({each.largest:,.0f})" for each in overflown)
        say(f"values above 65,504, which float16 cannot hold, at {names}: stored in bfloat16 instead")
        again = [sink(site, "bfloat16" if site in [each.site for each in overflown] else "") for site in wanted]
        redone = [each for each in again if each.dtype]
        places = [number for number, each in enumerate(again) if each.dtype]
        one_pass(
            lambda tokens: [values for number, values in enumerate(read(tokens)) if number in places],
            batch, redone, stream, context, config, seed, device,
        )  # fmt: skip
        sinks = [redone[places.index(n)] if n in places else each for n, each in enumerate(sinks)]
    return {each.site.name: _finish(each, folders[each.site.name], context, config, identity) for each in sinks}


def _finish(sink: Sink, folder: Path, context: int, config: Extraction, identity: Mapping[str, Any]) -> dict[str, Any]:
    positions = np.concatenate(sink.positions)
    artefacts.save_npy(positions, folder / "positions.npy")
    n_rows, n_excluded = len(positions), sum(map(len, sink.excluded))
    share, of_all = norms.top_share(sink.deviations), norms.top_share([*sink.deviations, *sink.excluded])
    times = config.exclude_norm_above
    if n_excluded:
        say(
            f"{sink.site.name}: {n_excluded:,} of {n_rows + n_excluded:,} tokens have norms above {times:g} times the "
            f"median ({sink.ordinary.median:.4g}) and are left out; with them, {norms.TOP_SHARE:.1%} of the tokens "
            f"hold {of_all:.1%} of the variance"
        )
    if sentence := norms.warning(share, times):
        say(f"{sink.site.name}: {sentence}")
    manifest = {
        **identity,
        "site": sink.site.name,
        "d_in": sink.site.d,
        "n_tokens": n_rows,
        "context": context,
        "dtype": sink.dtype,
        "dtype_asked": config.dtype,
        "drop_first_position": config.drop_first_position,
        "mean_norm": sink.norm / n_rows,
        "rms_norm": (sink.square / n_rows) ** 0.5,
        "largest": sink.largest,
        "median_norm": sink.ordinary.median,
        "exclude_norm_above": times,
        "norm_limit": sink.ordinary.limit if math.isfinite(sink.ordinary.limit) else None,
        "n_excluded": n_excluded,
        "top_variance_share": share,
        "top_variance_share_with_excluded": of_all,
        "positions": "positions.npy",
        "shards": sink.writer.close(),
        "mean": (sink.total / n_rows).tolist(),
    }
    artefacts.write_json(manifest, folder / "manifest.json")
    return manifest
