"""Text, tokens, language models and their activations, as a configuration states them."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Len

from scripts.monosem.core.declaration import (
    UNIQUE,
    Count,
    InnerShare,
    Keyword,
    Name,
    Positive,
    Share,
    Text,
    Weight,
    Whole,
)
from scripts.monosem.workflow.declaration.common import Device


@dataclass(frozen=True, kw_only=True)
class Installed:
    """Documentation of installed packages and of the standard library."""

    packages: Annotated[tuple[Text, ...], UNIQUE]
    """Import names."""
    standard_library: bool
    """Read its documentation, too."""


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A data set of the Hugging Face hub."""

    name: Text
    """As the hub calls it."""
    revision: Text
    """Commit or tag, so that a rerun reads the same text."""
    subset: str | None = None
    """Of a data set that has several."""
    split: str = "train"
    """The data set's own split."""
    text_field: str = "text"
    """Where the text is."""
    max_documents: Count
    """Documents that are read."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Shares of the documents; they add up to 1."""

    train: InnerShare
    """For training."""
    validation: InnerShare
    """For choices."""
    test: InnerShare
    """For results."""


@dataclass(frozen=True, kw_only=True)
class Planted:
    """Documents written by the project with a label for every character."""

    share: Annotated[float, Ge(0), Le(0.5)]
    """Of all characters."""
    contexts: Annotated[tuple[Literal["arabic", "hebrew", "dna", "base64"], ...], UNIQUE]
    """Their contents."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Where text comes from; `hub` wins over `folder`, and `folder` over `installed`."""

    name: Name
    """Names the folder under results/data."""
    installed: Installed | None = None
    """Documentation of installed packages and of the standard library."""
    folder: Text | None = None
    """Folder with plain-text files."""
    hub: Hub | None = None
    """A data set of the Hugging Face hub."""
    min_characters: Count
    """Shorter documents are dropped."""
    max_characters: Count
    """Longer documents are cut at a line end."""
    split: Split
    """Shares of the documents."""
    planted: Planted
    """Documents written by the project with a label for every character."""


@dataclass(frozen=True, kw_only=True)
class Tokenizer:
    """Byte-level BPE of the trained models."""

    vocab_size: Annotated[int, Ge(257), Le(1_000_000)]
    """256 bytes and <|endoftext|> at least."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Shape of a GPT-2."""

    n_layer: Count
    """Blocks."""
    n_embd: Count
    """Width of the residual stream."""
    n_head: Count
    """Attention heads; divides n_embd."""
    n_inner: Whole
    """Neurons of each MLP; 0 for a model without MLPs."""
    n_positions: Annotated[int, Ge(2)]
    """Longest window in tokens."""
    activation_function: Literal["relu", "gelu_new"]
    """Of the MLPs."""


@dataclass(frozen=True, kw_only=True)
class Train:
    """A GPT-2 trained here."""

    architecture: Architecture
    """Its shape."""
    tokens: Count
    """Budget of the training."""
    batch_size: Count
    """Windows of n_positions tokens per step."""
    learning_rate: Positive
    """Muon's peak, for the matrices of the blocks."""
    embedding_learning_rate: Positive
    """AdamW's peak, for embeddings, biases and LayerNorms."""
    warmup_share: Share
    """Share of the steps that raise the learning rate."""
    weight_decay: Weight
    """Of matrices and embeddings."""
    seed: Whole
    """Of the initial weights and the order of the data."""
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    """Of the unembedding's products; auto is bfloat16 where the machine has it."""


@dataclass(frozen=True, kw_only=True)
class Shuffle:
    """A trained model with the entries of every weight matrix permuted."""

    of: str
    """A trained model."""
    seed: Whole
    """Of the permutations."""


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A model that is on this machine."""

    name: Text | None = None
    """A folder or the name of a model in the hub cache."""
    gguf: Text | None = None
    """In place of name: a GGUF file, as a path or as package:file of an installed package."""
    revision: Text | None = None
    """Commit or tag of the hub; without it, the newest snapshot here."""
    allow_pickle: bool = False
    """Read pytorch_model.bin where there are no safetensors."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision in which the model computes."""
    device: Device | None = None
    """Where it computes, instead of the device of the run."""
    attention_across_documents: bool = False
    """Tokens attend to other documents of their window."""
    sites: dict[str, str] | None = None
    """Sites of a model that is not in the table of families: a name -> path.of.module:input:width."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A language model, made in one of three ways."""

    train: Train | None = None
    """A GPT-2 trained here."""
    shuffle: Shuffle | None = None
    """A trained model with the entries of every weight matrix permuted."""
    pretrained: Pretrained | None = None
    """A model that is on this machine."""


Models = dict[Name, Annotated[Model, Len(1, 1)]]


@dataclass(frozen=True, kw_only=True)
class OneLayer:
    """Models of chapter 2."""

    model: str
    """The model under study."""
    second: str | None = None
    """The same with another seed."""
    control: str | None = None
    """A shuffled model."""
    without_mlp: str | None = None
    """The model under study trained in the same way without MLPs: what the MLP is worth is measured against it."""


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """The model of chapter 3."""

    model: str
    """A name under models; or auto: the first of the candidates that is on this machine."""
    candidates: Annotated[tuple[str, ...], Len(1)]
    """Names under models. What is asked of those that are not chosen, in any `use` list, is left out."""


@dataclass(frozen=True, kw_only=True)
class Chapters:
    """Models that the chapters of the report are about."""

    one_layer: OneLayer
    """Chapter 2."""
    language_model: LanguageModel
    """Chapter 3."""


@dataclass(frozen=True, kw_only=True)
class Activations:
    """Activations that are stored for the training of autoencoders."""

    dtype: Literal["float16", "bfloat16"]
    """On disk."""
    context: Annotated[int, Ge(2)]
    """Tokens per window; at most the models' n_positions."""
    drop_first_position: bool
    """Leave out the first token of every window."""
    exclude_norm_above: Annotated[float, Gt(1)] | None
    """Leave out tokens whose norm is above this many times the median; null keeps them."""
    tokens: Annotated[dict[str, Count], Keyword("required", ("default",))]
    """Tokens per site, by model; `default` for the others."""
