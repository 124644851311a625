"""Train a small GPT-2 on a token stream: limited by tokens, resumable, the same bits for the same seed and threads."""

import json
import math
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor, nn

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Progress, say
from scripts.monosem.core.runtime import derive_seed, resolve_precision
from scripts.monosem.models import muon, unembedding_loss
from scripts.monosem.models.gpt2.architecture import Architecture
from scripts.monosem.models.gpt2.modules import Gpt2Network, initial_network, weights_of

BETAS = (0.9, 0.98)


@dataclass(frozen=True)
class Training:
    """Hyper-parameters of one language model."""

    architecture: Architecture
    """Shape of the model."""
    tokens: int
    """Tokens trained on, rounded down to whole batches."""
    batch_size: int
    """Windows of n_positions tokens per step."""
    learning_rate: float
    """Peak of Muon's learning rate, for the matrices of the blocks (scaled to AdamW's step size)."""
    embedding_learning_rate: float
    """Peak of AdamW's learning rate, for embeddings, biases and LayerNorms."""
    warmup_share: float
    """Share of the steps that raise the learning rate from zero; then it falls linearly to zero."""
    weight_decay: float
    """Decay of matrices and embeddings (not of biases and LayerNorms)."""
    seed: int
    """Initial weights and order of the data."""
    precision: str = "float32"
    """Of the unembedding's products: float32, bfloat16, or auto (bfloat16 where the hardware supports it)."""

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        return max(1, self.tokens // (self.batch_size * self.architecture.n_positions))


def training_from(params: dict[str, Any], vocab_size: int) -> Training:
    """Hyper-parameters from config.yaml's `models.<name>.train`."""
    architecture = Architecture(**params["architecture"], vocab_size=vocab_size)
    return Training(**{**params, "architecture": architecture})


def schedule(step: int, config: Training) -> float:
    """Share of the peak learning rate: linear warm-up, then linear decay to zero at the last step."""
    warmup = max(1, round(config.warmup_share * config.steps))
    if step < warmup:
        return (step + 1) / warmup
    return (config.steps - step) / max(1, config.steps - warmup)


def window_starts(n_tokens: int, config: Training) -> Int[np.ndarray, " window"]:
    """First token of each training window, in the order of training.

    Every epoch cuts the stream into non-overlapping windows from a new random offset and shuffles them.
    """
    context, wanted = config.architecture.n_positions, config.steps * config.batch_size
    if n_tokens < 2 * context + 1:
        raise ValueError(f"the train split has {n_tokens} tokens, too few for windows of {context}")
    starts: list[np.ndarray] = []
    while sum(map(len, starts)) < wanted:
        random = np.random.default_rng(derive_seed(config.seed, "order", len(starts)))
        offset = int(random.integers(context))
        starts.append(random.permutation(np.arange(offset, n_tokens - context, context)))
    return np.concatenate(starts)[:wanted]


def batch_at(
    stream: Integer[np.ndarray, " n_tokens"], starts: Int[np.ndarray, " batch"], context: int
) -> tuple[Int[Tensor, "batch {context}"], Int[Tensor, "batch {context}"]]:
    """Inputs and next-token targets of the windows of a stream that start at `starts`."""
    rows = torch.from_numpy(stream[starts[:, None] + np.arange(context + 1)].astype(np.int64))
    return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


@dataclass(frozen=True)
class Optimisers:
    """AdamW for embeddings and vectors, Muon for the matrices of the blocks.

    At a few million tokens the pair reaches a lower loss than AdamW alone does with half as many again.
    """

    parameters: list[nn.Parameter]
    """All that are trained."""
    adamw: torch.optim.AdamW
    """Embeddings, biases and LayerNorms."""
    matrices: list[nn.Parameter]
    """Muon's."""
    momenta: list[Tensor]
    """One per matrix."""


def _optimisers(network: Gpt2Network, config: Training) -> Optimisers:
    def is_embedding(name: str) -> bool:
        return name.endswith(("wte.weight", "wpe.weight"))

    named = dict(network.named_parameters())
    embeddings = [value for name, value in named.items() if is_embedding(name)]
    vectors = [value for value in named.values() if value.dim() == 1]
    groups = [{"params": embeddings, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=config.embedding_learning_rate, betas=BETAS, fused=True)
    matrices = [value for name, value in named.items() if value.dim() == 2 and not is_embedding(name)]
    return Optimisers(list(named.values()), adamw, matrices, [torch.zeros_like(value) for value in matrices])


@dataclass
class Curve:
    """The training curve so far."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    """One per logged step."""
    losses: list[Float[Tensor, ""]] = field(default_factory=list)
    """Of the steps since the last line."""


@dataclass
class Stopwatch:
    """Seconds of training over all attempts, without validation."""

    before: float = 0.0
    """Of earlier attempts."""
    since: float = field(default_factory=time.perf_counter)
    """The clock's time when this attempt began, later by what was spent on validation."""

    def seconds(self) -> float:
        """The time so far."""
        return self.before + time.perf_counter() - self.since

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Does not count what happens within."""
        began = time.perf_counter()
        yield
        self.since += time.perf_counter() - began


def _read_checkpoint(path: Path, digest: str) -> dict[str, Any] | None:
    """The checkpoint at `path`, or None with a sentence if there is none that fits."""
    if not path.exists():
        return None
    try:
        if changed := zipfile.ZipFile(path).testzip():  # torch does not compare its own checksums
            raise ValueError(f"checksum of {changed}")
        state = torch.load(path, weights_only=True)
    except Exception as error:  # a file cut by a full disk or a crash; training from the start is always right
        say(f"{path} cannot be read ({type(error).__name__}): training starts from the beginning")
        return None
    if state.get("digest") != digest:
        say(f"{path} belongs to other settings or data: training starts from the beginning")
        return None
    say(f"resuming at step {state['step']:,} from {path}")
    return state


@torch.no_grad()
def _restore(state: dict[str, Any], network: Gpt2Network, optimisers: Optimisers, curve: Curve) -> None:
    for name, value in weights_of(network).items():
        value.copy_(state["parameters"][name])
    optimisers.adamw.load_state_dict(state["adamw"])
    for momentum, value in zip(optimisers.momenta, state["momenta"], strict=True):
        momentum.copy_(value)
    curve.lines, curve.losses = state["lines"], state["losses"]


def _write_checkpoint(
    path: Path, digest: str, step: int, seconds: float, network: Gpt2Network, optimisers: Optimisers, curve: Curve
) -> None:
    state = {
        "digest": digest, "step": step, "seconds": seconds, "parameters": weights_of(network),
        "adamw": optimisers.adamw.state_dict(), "momenta": optimisers.momenta,
        "lines": curve.lines, "losses": curve.losses,
    }  # fmt: skip
    with artefacts.atomic_path(path) as temporary:
        torch.save(state, temporary)


def mean_nats(
    network: Gpt2Network,
    tokens: Int[Tensor, "batch context"],
    targets: Int[Tensor, "batch context"],
    precision: str = "float32",
) -> Float[Tensor, ""]:
    """Mean cross-entropy of the targets in nats, differentiable; `precision` is that of the unembedding's products."""
    hidden = network.transformer(tokens).last_hidden_state
    return unembedding_loss.mean_nats(hidden.flatten(0, 1), network.lm_head.weight, targets.flatten(), precision)


def _update_(optimisers: Optimisers, share: float, config: Training) -> None:
    """One step of both optimisers at a share of the peak learning rates; the gradients are used up."""
    for group in optimisers.adamw.param_groups:
        group["lr"] = share * config.embedding_learning_rate
    torch.nn.utils.clip_grad_norm_(optimisers.parameters, 1.0)
    muon.step_(optimisers.matrices, optimisers.momenta, share * config.learning_rate, config.weight_decay)
    optimisers.adamw.step()
    for value in optimisers.parameters:
        value.grad = None


def _log_line(losses: list[Float[Tensor, ""]], done: int, share: float, config: Training) -> dict[str, Any]:
    """One line of the training curve. Raises: ArtefactError when the loss is not finite."""
    mean = torch.stack(losses).mean().item()
    if not math.isfinite(mean):
        raise artefacts.ArtefactError(f"training diverged before step {done:,}: loss {mean}; lower learning_rate")
    n_tokens = done * config.batch_size * config.architecture.n_positions
    return {"step": done, "tokens": n_tokens, "loss_nats": mean, "learning_rate": share * config.learning_rate}


def train(
    stream: Integer[np.ndarray, " n_tokens"],
    config: Training,
    checkpoint: Path,
    curve_path: Path,
    device: str = "cpu",
    data_digest: str = "",
    validate: Callable[[Gpt2Network], float] | None = None,
    checkpoint_every_s: float = 30.0,
    stop_after_step: int | None = None,
) -> tuple[Gpt2Network, dict[str, Any]]:
    """Train from scratch, or go on from `checkpoint` if it was made with the same settings and data.

    `curve_path` gets one JSON line per logged step. `validate` is called four times a run. `stop_after_step` leaves
    after that many steps with the checkpoint written, as a kill would (tests).

    Returns: the network on the CPU, and a summary with tokens, steps and seconds of training.
    Raises: ArtefactError when the loss is not finite, naming the step and the likely knob.
    """
    config = replace(config, precision=resolve_precision(config.precision, device))
    context = config.architecture.n_positions
    starts = window_starts(len(stream), config)
    digest = artefacts.sha256_json({**asdict(config), "data": data_digest, "device": device})
    network = initial_network(config.architecture, derive_seed(config.seed, "weights")).to(device).requires_grad_()
    optimisers, curve, first, before = _optimisers(network, config), Curve(), 0, 0.0
    if state := _read_checkpoint(checkpoint, digest):
        _restore(state, network, optimisers, curve)
        first, before = state["step"], state["seconds"]
    log_every, validate_every = max(1, config.steps // 200), max(1, math.ceil(config.steps / 4))
    progress, watch, saved = Progress(config.tokens, "tokens"), Stopwatch(before), time.perf_counter()
    for done in range(first + 1, config.steps + 1):
        share = schedule(done - 1, config)
        chosen = starts[(done - 1) * config.batch_size : done * config.batch_size]
        inputs, targets = batch_at(stream, chosen, context)
        loss = mean_nats(network, inputs.to(device), targets.to(device), config.precision)
        loss.backward()
        _update_(optimisers, share, config)
        curve.losses.append(loss.detach())
        validating = validate and (done % validate_every == 0 or done == config.steps)
        if done % log_every == 0 or done == config.steps or validating:
            line = _log_line(curve.losses, done, share, config)
            curve.losses.clear()
            line["seconds"] = watch.seconds()
            if validating:
                with watch.paused():
                    line["validation_nats"] = validate(network)
            curve.lines.append(line)
            progress.update(line["tokens"], loss_nats=line["loss_nats"], learning_rate=line["learning_rate"])
        stopping = done == stop_after_step
        if stopping or time.perf_counter() - saved > checkpoint_every_s:
            _write_checkpoint(checkpoint, digest, done, watch.seconds(), network, optimisers, curve)
            saved = time.perf_counter()
        if stopping:
            break
    summary = {
        "tokens": config.steps * config.batch_size * context, "steps": config.steps, "seconds": watch.seconds(),
        "precision": config.precision,
    }  # fmt: skip
    artefacts.write_text("".join(json.dumps(line) + "\n" for line in curve.lines), curve_path)
    return network.cpu().requires_grad_(False), summary


def shuffle_weights(weights: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Permute the entries of every weight matrix: the random-transformer control of Bricken et al. 2023.

    Each matrix keeps its marginal distribution and loses what it learnt; vectors (biases, LayerNorms) stay.
    """
    shuffled = {}
    for name, value in weights.items():
        if value.dim() < 2:
            shuffled[name] = value.clone()
            continue
        generator = torch.Generator().manual_seed(derive_seed(seed, "shuffle", name))
        order = torch.randperm(value.numel(), generator=generator)
        shuffled[name] = value.flatten()[order].view_as(value)
    return shuffled
