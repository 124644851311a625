"""The whole configuration: what config.yaml and the files beside it may hold, and the schema of that."""

from dataclasses import dataclass
from typing import Any

from scripts.monosem.core.declaration import Count, Name, Text, Whole
from scripts.monosem.toy.settings import CONFIGS
from scripts.monosem.workflow.declaration.autoencoders import Autoencoders
from scripts.monosem.workflow.declaration.common import Device
from scripts.monosem.workflow.declaration.evaluation import (
    Analysis,
    Browser,
    Cases,
    Dictionaries,
    Evaluation,
    Interpretation,
    Interventions,
    Prompts,
    Scores,
)
from scripts.monosem.workflow.declaration.models import Activations, Chapters, Corpus, Models, Tokenizer
from scripts.monosem.workflow.schema import Schema, schema


@dataclass(frozen=True, kw_only=True)
class Threads:
    """Threads per job; scaled down where a machine has fewer cores."""

    language_models: Count
    """Training of language models."""
    activations: Count
    """Extraction."""
    autoencoders: Count
    """Training of autoencoders."""
    evaluation: Count
    """Fidelity and interpretation."""
    toy: Count
    """Toy experiments."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Configuration of monosem."""

    seed: Whole
    """Every other seed is derived from this one and a name."""
    device: Device
    """Where torch computes."""
    threads: Threads
    """Per job; scaled down where a machine has fewer cores."""
    corpus: Corpus
    """Where text comes from; `hub` wins over `folder`, and `folder` over `installed`."""
    tokenizer: Tokenizer
    """Byte-level BPE of the trained models."""
    shipped: Text | None
    """Folder of models that come with the checkout: read in place of training where their recipe is this one's."""
    models: Models
    """Language models by name, each made in one of three ways."""
    chapters: Chapters
    """Models that the chapters of the report are about."""
    activations: Activations
    """Activations that are stored for the training of autoencoders."""
    sae: Autoencoders
    """Sparse autoencoders."""
    evaluation: Evaluation
    """Scores on held-out text."""
    interpretation: Interpretation
    """Latents beside neurons: examples, labels, specificity."""
    cases: Cases
    """The headline's best latents for contexts of text, beside controls."""
    dictionaries: Dictionaries
    """Two seeds, growing widths, and latents that lead to one another."""
    scores: Scores
    """Latents beside neurons and random units: how well text explains them."""
    analysis: Analysis
    """Activations of a model at every layer."""
    prompts: Prompts
    """Latents that tell sets of prompts apart."""
    interventions: Interventions
    """Latents pinned to a value while the model reads or writes."""
    browser: Browser
    """The feature browser."""
    toy: dict[Name, dict[str, Any] | None]
    """Experiments of the toy chapter by name; the keys of an entry depend on its kind, null leaves one out."""


def experiment_schema(kind: str) -> Schema:
    """Schema of an entry under `toy`: the parameters of its kind, the kind itself, and a seed of its own."""
    form = schema(CONFIGS[kind])
    seed = {"description": "The configuration's if not given", "type": "integer", "minimum": 0}
    form["properties"] |= {"kind": {"enum": [kind]}, "seed": seed}
    return form | {"required": ["kind", *form["required"]], "type": ["object", "null"]}


def configuration_schema(config: Any) -> Schema:
    """Schema of a configuration, in which each entry of its `toy` has the form of its kind."""
    form = schema(Configuration)
    toy = form["properties"]["toy"]
    toy["additionalProperties"] |= {"required": ["kind"], "properties": {"kind": {"enum": list(CONFIGS)}}}
    entries = config.get("toy") if isinstance(config, dict) else None
    kinds = {name: entry.get("kind") for name, entry in (entries or {}).items() if isinstance(entry, dict)}
    toy["properties"] = {
        name: experiment_schema(kind) for name, kind in kinds.items() if isinstance(kind, str) and kind in CONFIGS
    }
    return form
