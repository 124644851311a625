"""Memory, arithmetic and disk that a model needs, from its config.json alone. Imports neither torch nor transformers.

Matrices and embeddings are counted; norms and biases (less than 1 % of any model that matters here) are not.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from scripts.monosem.core.artefacts import ArtefactError, human_bytes
from scripts.monosem.core.job import duration
from scripts.monosem.models.families import Family, family_of, shape_of
from scripts.monosem.models.site_names import parse

DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
WORKING_BYTES = 6 * 10**8  # of an extraction beside the weights, whatever the number of tokens
ROW_BYTES = 2  # of the context position that is stored with each activation vector


@dataclass(frozen=True)
class Size:
    """Parameters of a model, by part."""

    block: int
    """Of each block."""
    n_blocks: int
    """Number of blocks."""
    embeddings: int
    """Of tokens, and of positions where they are learned."""
    head: int
    """Of the unembedding, 0 where it is tied to the embedding."""

    @property
    def total(self) -> int:
        """All parameters."""
        return self.up_to(None)

    def up_to(self, last_block: int | None) -> int:
        """Parameters loaded to read a site in `last_block`: embeddings and the blocks so far. None: everything."""
        if last_block is None:
            return self.embeddings + self.n_blocks * self.block + self.head
        return self.embeddings + (last_block + 1) * self.block


def size_of(config: Mapping[str, Any], family: Family | None = None) -> Size:
    """Count the parameters. Raises: ValueError for a family that is not in the table, or a key that is missing."""
    family = family or family_of(config)
    if family is None:
        raise ValueError(f"the size of a model of model_type '{config.get('model_type')}' is not known")
    shape = shape_of(config, family)
    attention = 2 * shape.d_model * shape.d_head * (shape.n_head + shape.n_kv_head)
    mlp = (3 if family.gated else 2) * shape.d_model * shape.d_mlp
    vocabulary = shape.n_vocab * shape.d_model
    positions = shape.n_positions * shape.d_model if family.learned_positions else 0
    tied = config.get("tie_word_embeddings", family.tied_by_default)
    return Size(attention + mlp, shape.n_layer, vocabulary + positions, 0 if tied else vocabulary)


def stored_dtype(config: Mapping[str, Any]) -> str:
    """The dtype of the files, as config.json declares it; float32 if it does not."""
    named = config.get("dtype") or config.get("torch_dtype") or "float32"
    return named if named in DTYPE_BYTES else "float32"


def memory_bytes(config: Mapping[str, Any], dtype: str, last_block: int | None) -> int:
    """Peak memory of a job: the weights in the wider of their dtypes in the file and in use, and working memory."""
    widest = max(DTYPE_BYTES[dtype], DTYPE_BYTES[stored_dtype(config)])
    return size_of(config).up_to(last_block) * widest + WORKING_BYTES


def require_memory(
    config: Mapping[str, Any], dtype: str, last_block: int | None, what: str, on_device: int | None = None
) -> int:
    """Memory that a job needs. Raises: ArtefactError with the numbers when there is less.

    Args:
        on_device: free memory of a device with memory of its own; the weights pass through the machine's on their way.
    """
    need, there, where = memory_bytes(config, dtype, last_block), psutil.virtual_memory().available, "this machine"
    if on_device is not None and on_device < there:
        there, where = on_device, "the device"
    if need > there:
        fewer = "" if last_block is None else ", a site in an earlier block"
        half = ", dtype: bfloat16" if dtype == "float32" and stored_dtype(config) != "float32" else ""
        raise ArtefactError(
            f"{what} needs {human_bytes(need)} of memory, but only {human_bytes(there)} are available on {where}; "
            f"take a smaller model{fewer}{half}, or a machine with more memory"
        )
    return need


def flops_per_token(config: Mapping[str, Any], last_block: int, context: int) -> float:
    """Multiplications and additions of the matrix products up to the end of a block, for one token of a window."""
    size, shape = size_of(config), shape_of(config, family_of(config))
    attended = (
        2 * 2 * shape.n_head * shape.d_head * context / 2
    )  # scores and mixing, over the half that the causal mask leaves
    return (last_block + 1) * (2.0 * size.block + attended)


def evaluation_flops(config: Mapping[str, Any], site: str, context: int, replacements: int) -> float:
    """Multiplications and additions of the matrix products, per token, to score a model and as many replacements.

    The clean model costs all blocks and the unembedding twice (logits, and their mean unembedding vector), a
    replacement what comes after the site and the unembedding once. Of the site's own block, all that may be computed
    again counts.
    Raises: ValueError for a model of no known family, or a site that the configuration named.
    """
    layer, inner, _ = parse(site, config)
    if layer is None:
        raise ValueError(f"'{site}': where in the model this site is, is not known")
    family = family_of(config)
    shape = shape_of(config, family)
    width = shape.d_model * shape.d_mlp
    again = {"hook_resid_post": 0.0, "hook_mlp_out": 0.0, "mlp.hook_post": 2.0 * width}
    mlp = 2.0 * width * (3 if family.gated else 2)
    block = flops_per_token(config, 0, context)
    unembedding = 2.0 * shape.n_vocab * shape.d_model
    after = again.get(inner, block if inner == "hook_resid_pre" else mlp) + (shape.n_layer - layer - 1) * block
    return shape.n_layer * block + 2 * unembedding + replacements * (after + unembedding)


def disk_bytes(n_tokens: int, widths: list[int]) -> int:
    """Activations of several sites: two bytes per number and the position of each row."""
    return sum(n_tokens * (2 * d + ROW_BYTES) for d in widths)


def sentence(
    config: Mapping[str, Any], dtype: str, last_block: int, context: int, n_tokens: int, flops_per_s: float
) -> str:
    """Memory and time of an extraction, for a person."""
    flops = flops_per_token(config, last_block, context)
    seconds = n_tokens * flops / flops_per_s
    return (
        f"{n_tokens:,} tokens through {last_block + 1} of {size_of(config).n_blocks} blocks in {dtype}: "
        f"{human_bytes(memory_bytes(config, dtype, last_block))} of memory, "
        f"{flops / 1e6:,.0f} MFLOP per token, at least {duration(math.ceil(seconds))} at the "
        f"{flops_per_s / 1e9:,.0f} GFLOP/s that a matrix product reaches here"
    )
