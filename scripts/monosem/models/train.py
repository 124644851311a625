"""Train a small GPT-2 on a token stream: limited by tokens, resumable, the same bits for the same seed and threads."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Progress, say
from scripts.monosem.core.runtime import derive_seed, resolve_precision
from scripts.monosem.models import muon
from scripts.monosem.models.gpt2 import functional

BETAS = (0.9, 0.98)


@dataclass(frozen=True)
class Training:
    """Hyper-parameters of one language model."""

    architecture: functional.Architecture  # shape of the model
    tokens: int  # tokens trained on; the last step may be cut by rounding to whole batches
    batch_size: int  # windows of n_positions tokens per step
    learning_rate: float  # peak of Muon's learning rate, for the matrices of the blocks (scaled to AdamW's step size)
    embedding_learning_rate: float  # peak of AdamW's learning rate, for embeddings, biases and LayerNorms
    warmup_share: float  # share of the steps that raise the learning rate from zero; then it falls linearly to zero
    weight_decay: float  # decay of matrices and embeddings (not of biases and LayerNorms)
    seed: int  # initial weights and order of the data
    precision: str = "float32"  # of the unembedding's products: float32, bfloat16, or auto (as the machine likes)

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        return max(1, self.tokens // (self.batch_size * self.architecture.n_positions))


def training_from(params: dict, vocab_size: int) -> Training:
    """Build the dataclass from config.yaml's `models.<name>.train`."""
    architecture = functional.Architecture(**params["architecture"], vocab_size=vocab_size)
    return Training(**{**params, "architecture": architecture})


def schedule(step: int, config: Training) -> float:
    """Share of the peak learning rate: linear warm-up, then linear decay to zero at the last step."""
    warmup = max(1, round(config.warmup_share * config.steps))
    if step < warmup:
        return (step + 1) / warmup
    return (config.steps - step) / max(1, config.steps - warmup)


def window_starts(n_tokens: int, config: Training) -> Int[np.ndarray, "windows"]:
    """Where each training window starts, in the order of training.

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


def batch_at(stream: np.ndarray, starts: np.ndarray, context: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and next-token targets, both [windows, context], for windows of a stream that start at `starts`."""
    rows = stream[starts[:, None] + np.arange(context + 1)].astype(np.int64)
    rows = torch.from_numpy(rows)
    return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


def _is_embedding(name: str) -> bool:
    return name.endswith(("wte.weight", "wpe.weight"))


def _adamw(parameters: functional.Parameters, config: Training) -> torch.optim.Optimizer:
    """AdamW for embeddings and vectors; Muon takes the matrices of the blocks.

    At a few million tokens the pair reaches a lower loss than AdamW alone does with half as many again.
    """
    embeddings = [value for name, value in parameters.items() if _is_embedding(name)]
    vectors = [value for value in parameters.values() if value.dim() == 1]
    groups = [{"params": embeddings, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.embedding_learning_rate, betas=BETAS, fused=True)


def _load_checkpoint(path: Path, digest: str) -> dict | None:
    """The checkpoint at `path`, or None with a sentence if there is none that fits."""
    if not path.exists():
        return None
    try:
        state = torch.load(path, weights_only=True)
    except Exception as error:  # a file cut by a full disk or a crash; training from the start is always right
        say(f"{path} cannot be read ({type(error).__name__}): training starts from the beginning")
        return None
    if state.get("digest") != digest:
        say(f"{path} belongs to other settings or data: training starts from the beginning")
        return None
    say(f"resuming at step {state['step']:,} from {path}")
    return state


def train(
    stream: Int[np.ndarray, "n_tokens"],
    config: Training,
    checkpoint: Path,
    curve: Path,
    device: str = "cpu",
    data_digest: str = "",
    validate: Callable[[functional.Parameters], float] | None = None,
    checkpoint_every_s: float = 30.0,
    stop_after_step: int | None = None,
) -> tuple[functional.Parameters, dict]:
    """Train from scratch, or go on from `checkpoint` if it was made with the same settings and data.

    `curve` gets one JSON line per logged step. `validate` is called four times a run. `stop_after_step` leaves after
    that many steps with the checkpoint written, as a kill would (tests).

    Returns: parameters as float32 CPU tensors, and a summary with tokens, steps and seconds of training.
    Raises: ArtefactError when the loss is not finite, naming the step and the likely knob.
    """
    config = replace(config, precision=resolve_precision(config.precision, device))
    architecture, context = config.architecture, config.architecture.n_positions
    starts = window_starts(len(stream), config)
    digest = artefacts.sha256_json({**asdict(config), "data": data_digest, "device": device})
    parameters = functional.initialise(architecture, derive_seed(config.seed, "weights"))
    parameters = {name: value.to(device).requires_grad_() for name, value in parameters.items()}
    adamw = _adamw(parameters, config)
    matrices = [value for name, value in parameters.items() if value.dim() == 2 and not _is_embedding(name)]
    momenta = [torch.zeros_like(value) for value in matrices]
    first, seconds, lines, losses = 0, 0.0, [], []
    if state := _load_checkpoint(checkpoint, digest):
        first, seconds, lines, losses = state["step"], state["seconds"], state["lines"], state["losses"]
        with torch.no_grad():
            for name, value in parameters.items():
                value.copy_(state["parameters"][name])
        adamw.load_state_dict(state["adamw"])
        momenta = [value.to(device) for value in state["momenta"]]

    log_every, validate_every = max(1, config.steps // 200), max(1, math.ceil(config.steps / 4))
    progress, since, saved = Progress(config.tokens, "tokens"), time.perf_counter(), time.perf_counter()
    for step in range(first, config.steps):
        share = schedule(step, config)
        for group in adamw.param_groups:
            group["lr"] = share * config.embedding_learning_rate
        chosen = starts[step * config.batch_size : (step + 1) * config.batch_size]
        inputs, targets = batch_at(stream, chosen, context)
        loss = functional.mean_nats(parameters, architecture, inputs.to(device), targets.to(device), config.precision)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        muon.step_(matrices, momenta, share * config.learning_rate, config.weight_decay)
        adamw.step()
        for value in parameters.values():
            value.grad = None
        losses.append(loss.detach())

        done = step + 1
        validating = validate and (done % validate_every == 0 or done == config.steps)
        if done % log_every == 0 or done == config.steps or validating:
            mean = torch.stack(losses).mean().item()
            losses.clear()
            if not math.isfinite(mean):
                raise artefacts.ArtefactError(
                    f"training diverged before step {done:,}: loss {mean}; lower learning_rate"
                )
            rate = share * config.learning_rate
            now = seconds + time.perf_counter() - since
            n_tokens = done * config.batch_size * context
            line = {"step": done, "tokens": n_tokens, "loss_nats": mean, "learning_rate": rate, "seconds": now}
            if validating:
                line["validation_nats"] = validate(parameters)
                since += seconds + time.perf_counter() - since - now  # validation is not training time
            lines.append(line)
            progress.update(n_tokens, loss_nats=mean, learning_rate=rate)
        stopping = done == stop_after_step
        if stopping or time.perf_counter() - saved > checkpoint_every_s:
            with artefacts.atomic_path(checkpoint) as temporary:
                state = {"digest": digest, "step": done, "parameters": parameters, "lines": lines, "losses": losses}
                state |= {"adamw": adamw.state_dict(), "momenta": momenta}
                state |= {"seconds": seconds + time.perf_counter() - since}
                torch.save(state, temporary)
            saved = time.perf_counter()
        if stopping:
            break
    seconds += time.perf_counter() - since
    artefacts.write_text("".join(json.dumps(line) + "\n" for line in lines), curve)
    summary = {"tokens": config.steps * config.batch_size * context, "steps": config.steps, "seconds": seconds}
    summary["precision"] = config.precision
    return {name: value.detach().cpu() for name, value in parameters.items()}, summary


def shuffle_weights(parameters: functional.Parameters, seed: int) -> functional.Parameters:
    """Permute the entries of every weight matrix: the random-transformer control of Bricken et al. 2023.

    Each matrix keeps its marginal distribution and loses what it learnt; vectors (biases, LayerNorms) stay.
    """
    shuffled = {}
    for name, value in parameters.items():
        if value.dim() < 2:
            shuffled[name] = value.clone()
            continue
        generator = torch.Generator().manual_seed(derive_seed(seed, "shuffle", name))
        order = torch.randperm(value.numel(), generator=generator)
        shuffled[name] = value.flatten()[order].view_as(value)
    return shuffled
