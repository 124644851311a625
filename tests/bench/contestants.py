"""Ours, the peers and the floor behind one small interface: `step(x)`, and `encode`/`decode` for the evaluation.

All get the same data, scaled to E‖x‖² = d_in, the same λ (the three losses have the same convention at unit decoder
norm), linear warm-up over a few steps and linear decay over the last fifth. The rest is each library's own default.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Task:
    """One training run of one contestant."""

    who: str
    """ours, sae_lens, dictionary_learning or floor."""
    architecture: str
    """topk or relu."""
    d_in: int
    d_sae: int
    batch: int
    steps: int
    learning_rate: float
    k: int = 32
    l1: float = 5.0
    precision: str = "auto"
    """Ours: of the encoder's product; the peers: bfloat16 means autocast."""
    device: str = "cpu"


@dataclass(frozen=True)
class Contestant:
    """A run under way."""

    step: Callable[[Tensor], None]
    reconstruct: Callable[[Tensor], tuple[Tensor, Tensor]]
    """x -> codes of unit decoder rows, x̂."""


def warmup(steps: int) -> int:
    """Steps of rising learning rate."""
    return min(5, steps // 4)


def decay_start(steps: int) -> int:
    """First step of the decay."""
    return steps - max(1, steps // 5)


def start(task: Task, sample: Tensor) -> Contestant:
    """A contestant before its first step; `sample` is scaled data."""
    makers = {"ours": _ours, "sae_lens": _sae_lens, "dictionary_learning": _dictionary_learning, "floor": _floor}
    return makers[task.who](task, sample)


def _ours(task: Task, sample: Tensor) -> Contestant:
    from scripts.monosem.core.runtime import resolve_precision
    from scripts.monosem.sae import fold
    from scripts.monosem.sae.config import SaeConfig
    from scripts.monosem.sae.model import Sae, decode, encode
    from scripts.monosem.sae.training import loop

    config = SaeConfig(
        task.architecture,
        task.d_sae,
        vectors=task.steps * task.batch,
        batch_size=task.batch,
        learning_rate=task.learning_rate,
        warmup_steps=warmup(task.steps),
        k=task.k if task.architecture == "topk" else None,
        l1_coefficient=task.l1 if task.architecture == "relu" else None,
        precision=resolve_precision(task.precision, task.device),
        dead_after_vectors=10_000_000,  # as dictionary_learning; SAELens: 1,000 steps. So no one runs AuxK here
    )

    class Sample:
        n_tokens, d_in = sample.shape
        gather = staticmethod(lambda rows: sample[torch.from_numpy(rows)])

    state = loop.start(Sample, config, 0).to(task.device)
    buffers: dict[str, Tensor] = {}

    def step(x: Tensor) -> None:
        loop.advance_(state, config, x.mul(state.statistics.scale), buffers)

    def reconstruct(x: Tensor) -> tuple[Tensor, Tensor]:
        cfg = {"architecture": {"relu": "standard"}.get(task.architecture, task.architecture)}
        tensors = fold.folded(state.weights, state.statistics.scale, config)
        sae = Sae(cfg, *tensors.values(), k=config.k)
        f = encode(sae, x)
        return f, decode(sae, f)

    return Contestant(step, reconstruct)


def _sae_lens(task: Task, sample: Tensor) -> Contestant:
    from sae_lens import StandardTrainingSAE, StandardTrainingSAEConfig, TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.config import LoggingConfig, SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    torch.manual_seed(0)
    common = {"d_in": task.d_in, "d_sae": task.d_sae, "device": task.device}
    if task.architecture == "topk":
        sae = TopKTrainingSAE(TopKTrainingSAEConfig(**common, k=task.k))
    else:
        sae = StandardTrainingSAE(StandardTrainingSAEConfig(**common, l1_coefficient=task.l1))
    config = SAETrainerConfig(
        total_training_samples=task.steps * task.batch,
        train_batch_size_samples=task.batch,
        lr=task.learning_rate,
        lr_end=0.0,
        lr_warm_up_steps=warmup(task.steps),
        lr_decay_steps=task.steps - decay_start(task.steps),
        device=task.device,
        autocast=task.precision == "bfloat16",
        logger=LoggingConfig(log_to_wandb=False),
    )
    trainer = SAETrainer(config, sae, iter(()))

    def step(x: Tensor) -> None:
        trainer.step(x)
        trainer.n_training_steps += 1

    def reconstruct(x: Tensor) -> tuple[Tensor, Tensor]:
        f = sae.encode(x)
        return f * sae.W_dec.norm(dim=1), sae.decode(f)

    return Contestant(step, reconstruct)


def _dictionary_learning(task: Task, sample: Tensor) -> Contestant:
    from dictionary_learning.trainers import StandardTrainer, TopKTrainer

    common = dict(
        steps=task.steps, activation_dim=task.d_in, dict_size=task.d_sae, layer=0, lm_name="", lr=task.learning_rate,
        warmup_steps=warmup(task.steps), decay_start=decay_start(task.steps), seed=0, device=task.device,
    )  # fmt: skip
    if task.architecture == "topk":
        trainer = TopKTrainer(**common, k=task.k)
    else:
        trainer = StandardTrainer(**common, l1_penalty=task.l1, sparsity_warmup_steps=None)
    done = iter(range(task.steps))
    cast = torch.autocast(task.device, torch.bfloat16, enabled=task.precision == "bfloat16")

    def step(x: Tensor) -> None:
        with cast:
            trainer.update(next(done), x)

    def reconstruct(x: Tensor) -> tuple[Tensor, Tensor]:
        f = trainer.ae.encode(x)
        return f * trainer.ae.decoder.weight.norm(dim=0), trainer.ae.decode(f)

    return Contestant(step, reconstruct)


def _floor(task: Task, sample: Tensor) -> Contestant:
    """The encoder's product and nothing else."""
    from scripts.monosem.core.runtime import resolve_precision

    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[resolve_precision(task.precision, task.device)]
    x = sample[: task.batch].to(task.device, dtype)
    encoder = torch.randn(task.d_sae, task.d_in, device=task.device).to(dtype)
    out = torch.empty(len(x), task.d_sae, dtype=dtype, device=task.device)
    return Contestant(lambda _: torch.mm(x, encoder.t(), out=out), lambda x: (x, x))
