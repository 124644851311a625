"""The autoencoders of Bricken et al. 2023 by the formulas of this workflow: what a run of their size would take."""

from dataclasses import dataclass

from scripts.monosem.core.artefacts import human_bytes
from scripts.monosem.models.cost import disk_bytes
from scripts.monosem.workflow.estimates import autoencoders
from scripts.monosem.workflow.estimates.work import Machine

VECTORS = 8_000_000_000
"""Vectors of the training ("Sparse autoencoder training", Bricken et al. 2023)."""
WIDTHS = (4096, 131_072)
"""Latents of A/1 and of the widest dictionary there."""
D_IN = 512
"""MLP neurons of their one-layer transformer."""
STORED_BYTES = 770e9
"""A store of activations that a large disk holds."""
BATCH = 8192
"""Vectors per step."""
CARD_FLOPS_PER_S = 1e14
"""Assumed: what a data-centre card keeps up in bfloat16 products of this size. Not measured here."""
INDEX_BYTES = 4
"""Of the order of an epoch, per stored row, while there are fewer than 2^32."""


@dataclass(frozen=True)
class Scale:
    """One autoencoder at the paper's size."""

    architecture: str
    """Key of `sae.architectures`."""
    d_sae: int
    """Latents."""
    core_hours: float
    """On one core of the machine."""
    card_hours: float
    """On a card that keeps CARD_FLOPS_PER_S."""
    weights_bytes: float
    """Saved."""
    memory_bytes: float
    """Weights, gradients, moments, and arrays [batch, d_sae]."""


def autoencoder(machine: Machine, architecture: str, d_sae: int) -> Scale:
    """Time, memory and disk of one training."""
    run = {"architecture": architecture, "d_sae": d_sae, "vectors": VECTORS, "batch_size": BATCH}
    work = autoencoders.training(D_IN, run)
    return Scale(
        architecture, d_sae, work.seconds(machine) / 3600, work.products / CARD_FLOPS_PER_S / 3600, work.disk_bytes,
        work.memory_bytes,
    )  # fmt: skip


def stored_rows() -> int:
    """Rows of a store of STORED_BYTES, float16 with their positions."""
    return int(STORED_BYTES / disk_bytes(1, [D_IN]))


def table(machine: Machine) -> str:
    """The calculation as Markdown."""
    rows = stored_rows()
    whole = disk_bytes(VECTORS, [D_IN])
    lines = [
        "| autoencoder | core-hours | card-hours (assumed 100 TFLOP/s) | weights | memory in training |",
        "|---|---|---|---|---|",
    ]
    for d_sae in WIDTHS:
        for architecture in ("relu", "topk"):
            of = autoencoder(machine, architecture, d_sae)
            lines.append(
                f"| {architecture}, {d_sae:,} latents | {of.core_hours:,.0f} | {of.card_hours:,.1f} | "
                f"{human_bytes(of.weights_bytes)} | {human_bytes(of.memory_bytes)} |"
            )
    return "\n".join(
        [
            *lines,
            "",
            f"{VECTORS:,} vectors of {D_IN} numbers, each seen once, are {human_bytes(whole)} on disk; "
            f"{human_bytes(STORED_BYTES)} hold {rows:,} of them, which are read {VECTORS / rows:.1f} times. The order "
            f"of an epoch over these is {human_bytes(INDEX_BYTES * rows)} in memory.",
        ]
    )
