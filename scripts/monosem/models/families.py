"""Table of the families of Hugging Face models: modules of each site, keys of config.json. Imports no torch.

Site names are TransformerLens'; a test checks every entry against the definition of the site.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Place = tuple[str, str, str]  # module path within the block ("" is the block), "input" or "output" of it, width


@dataclass(frozen=True)
class Family:
    """Module paths of the parts of a model, and the keys of its config.json."""

    model_types: tuple[str, ...]
    """`model_type` of config.json."""
    body: str
    """Path within the causal language model of everything but the unembedding."""
    blocks: str
    """Path of the list of blocks within the body."""
    after_blocks: tuple[str, ...]
    """Modules of the body between the last block and the unembedding; absent ones are None."""
    attention: str
    """Path of the attention within a block."""
    before_post: tuple[str, ...]
    """Modules of the MLP whose results mlp.hook_post replaces."""
    down: str
    """Path of the module that maps mlp.hook_post back to the residual stream."""
    sites: Mapping[str, Place]
    """Hook name within a block -> place."""
    keys: Mapping[str, str]
    """Sizes: n_layer, d_model, d_mlp, n_positions, n_head -> key of config.json."""
    absent_when: Mapping[str, tuple[str, Any, str]] = field(default_factory=dict)
    """Site -> (key, value, reason): a model with this value (which a missing key counts as) lacks the site."""
    centred_norm: bool = True
    """The norms subtract the mean (LayerNorm); False for RMSNorm."""
    norm_gain_offset: float = 0.0
    """The final norm multiplies by weight + offset."""
    norm_after_mlp: str | None = None
    """Path of a norm between the MLP and the residual stream."""
    gated: bool = False
    """The MLP has three matrices instead of two."""
    learned_positions: bool = False
    """There is a position embedding of [n_positions, d_model]."""
    tied_by_default: bool = True
    """`tie_word_embeddings` where config.json has no such key."""
    packed_by_mask: bool = False
    """Packed documents need a 4-d attention mask; otherwise positions that start anew are enough."""


_HF_KEYS = {
    "n_layer": "num_hidden_layers", "d_model": "hidden_size", "d_mlp": "intermediate_size",
    "n_positions": "max_position_embeddings", "n_head": "num_attention_heads",
}  # fmt: skip
_ENDS: dict[str, Place] = {"hook_resid_pre": ("", "input", "d_model"), "hook_resid_post": ("", "output", "d_model")}
_GATED_MLP: dict[str, Place] = {
    "mlp.hook_pre": ("mlp.gate_proj", "output", "d_mlp"),
    "mlp.hook_pre_linear": ("mlp.up_proj", "output", "d_mlp"),
    "mlp.hook_post": ("mlp.down_proj", "input", "d_mlp"),
}
_LLAMA_SITES: dict[str, Place] = {
    **_ENDS,
    "hook_attn_out": ("self_attn", "output", "d_model"),
    "hook_resid_mid": ("post_attention_layernorm", "input", "d_model"),
    **_GATED_MLP,
    "hook_mlp_out": ("mlp", "output", "d_model"),
}
_LLAMA_LIKE = {
    "body": "model", "blocks": "layers", "after_blocks": ("norm",), "attention": "self_attn",
    "before_post": ("mlp.gate_proj", "mlp.up_proj", "mlp.act_fn"), "down": "mlp.down_proj", "keys": _HF_KEYS,
    "centred_norm": False, "gated": True,
}  # fmt: skip
_PARALLEL = "attention and MLP read the same residual stream"
_POST_NORM = "a norm comes after the sum of attention and residual stream"

GPT2 = Family(
    model_types=("gpt2",),
    body="transformer",
    blocks="h",
    after_blocks=("ln_f",),
    attention="attn",
    before_post=("mlp.c_fc", "mlp.act"),
    down="mlp.c_proj",
    sites={
        **_ENDS,
        "hook_attn_out": ("attn", "output", "d_model"),
        "hook_resid_mid": ("ln_2", "input", "d_model"),
        "mlp.hook_pre": ("mlp.c_fc", "output", "d_mlp"),
        "mlp.hook_post": ("mlp.c_proj", "input", "d_mlp"),
        "hook_mlp_out": ("mlp", "output", "d_model"),
    },
    keys={
        "n_layer": "n_layer", "d_model": "n_embd", "d_mlp": "n_inner", "n_positions": "n_positions", "n_head": "n_head"
    },
    learned_positions=True,
)  # fmt: skip
GPT_NEOX = Family(  # Pythia
    model_types=("gpt_neox",),
    body="gpt_neox",
    blocks="layers",
    after_blocks=("final_layer_norm",),
    attention="attention",
    before_post=("mlp.dense_h_to_4h", "mlp.act"),
    down="mlp.dense_4h_to_h",
    sites={
        **_ENDS,
        "hook_attn_out": ("attention", "output", "d_model"),
        "hook_resid_mid": ("post_attention_layernorm", "input", "d_model"),
        "mlp.hook_pre": ("mlp.dense_h_to_4h", "output", "d_mlp"),
        "mlp.hook_post": ("mlp.dense_4h_to_h", "input", "d_mlp"),
        "hook_mlp_out": ("mlp", "output", "d_model"),
    },
    keys=_HF_KEYS,
    absent_when={"hook_resid_mid": ("use_parallel_residual", True, _PARALLEL)},
    tied_by_default=False,
)
LLAMA = Family(
    model_types=("llama", "mistral", "qwen2", "qwen3"), sites=_LLAMA_SITES, tied_by_default=False, **_LLAMA_LIKE
)
GEMMA = Family(model_types=("gemma",), sites=_LLAMA_SITES, norm_gain_offset=1.0, **_LLAMA_LIKE)
GEMMA_2_3 = Family(  # what is added to the residual stream has passed a norm of its own
    model_types=("gemma2", "gemma3_text"),
    sites={
        **_ENDS,
        "hook_attn_out": ("post_attention_layernorm", "output", "d_model"),
        "hook_resid_mid": ("pre_feedforward_layernorm", "input", "d_model"),
        **_GATED_MLP,
        "hook_mlp_out": ("post_feedforward_layernorm", "output", "d_model"),
    },
    norm_gain_offset=1.0,
    norm_after_mlp="post_feedforward_layernorm",
    **_LLAMA_LIKE,
)
OPT = Family(
    model_types=("opt",),
    body="model.decoder",
    blocks="layers",
    after_blocks=("final_layer_norm", "project_out"),
    attention="self_attn",
    before_post=("fc1", "activation_fn"),
    down="fc2",
    sites={
        **_ENDS,
        "hook_attn_out": ("self_attn", "output", "d_model"),
        "hook_resid_mid": ("final_layer_norm", "input", "d_model"),
        "mlp.hook_pre": ("fc1", "output", "d_mlp"),
        "mlp.hook_post": ("fc2", "input", "d_mlp"),
        "hook_mlp_out": ("fc2", "output", "d_model"),
    },
    keys={**_HF_KEYS, "d_mlp": "ffn_dim"},
    absent_when={"hook_resid_mid": ("do_layer_norm_before", False, _POST_NORM)},
    learned_positions=True,
    packed_by_mask=True,
)
FAMILIES = (GPT2, GPT_NEOX, LLAMA, GEMMA, GEMMA_2_3, OPT)


def family_of(config: Mapping[str, Any]) -> Family | None:
    """The family of a config.json, None if unknown; a shape without `model_type` is of a GPT-2 trained here."""
    model_type = config.get("model_type", "gpt2")
    return next((family for family in FAMILIES if model_type in family.model_types), None)


def known() -> str:
    """Model types in the table, for messages."""
    return ", ".join(model_type for family in FAMILIES for model_type in family.model_types)


@dataclass(frozen=True)
class Shape:
    """Sizes of a model."""

    n_layer: int
    """Blocks."""
    d_model: int
    """Width of the residual stream."""
    d_mlp: int
    """Neurons of each MLP."""
    n_positions: int
    """Longest window, in tokens."""
    n_head: int
    """Attention heads."""
    n_kv_head: int
    """Heads of keys and values."""
    d_head: int
    """Width of a head."""
    n_vocab: int
    """Rows of the embedding; 0 if config.json has none."""


def shape_of(config: Mapping[str, Any], family: Family) -> Shape:
    """Read the sizes from config.json. Raises: ValueError naming a key that is missing."""

    def read(name: str) -> int:
        key = family.keys[name]
        if config.get(key) is None:
            raise ValueError(f"config.json of model_type '{config.get('model_type')}' has no key '{key}'")
        return config[key]

    d_model, n_head = read("d_model"), read("n_head")
    d_mlp = 4 * d_model if family is GPT2 and config.get("n_inner") is None else read("d_mlp")
    return Shape(
        n_layer=read("n_layer"),
        d_model=d_model,
        d_mlp=d_mlp,
        n_positions=read("n_positions"),
        n_head=n_head,
        n_kv_head=config.get("num_key_value_heads") or n_head,
        d_head=config.get("head_dim") or d_model // n_head,
        n_vocab=config.get("vocab_size") or 0,
    )
