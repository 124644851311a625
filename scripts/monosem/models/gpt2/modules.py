"""GPT-2 as modules with Hugging Face's names and weights, for training and for reading.

Importing transformers takes seconds, and its model adds an overhead to each pass; this one has no dropout and no
key-value cache. Sites hook into it as into GPT2LMHeadModel, and tests check that the two have the same logits,
gradients and activations.
"""

from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from scripts.monosem.models.gpt2.architecture import LAYER_NORM_EPSILON, Architecture, initialise

ACTIVATIONS: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "relu": (nn.ReLU, {}),
    "gelu": (nn.GELU, {}),
    "gelu_new": (nn.GELU, {"approximate": "tanh"}),
    "gelu_pytorch_tanh": (nn.GELU, {"approximate": "tanh"}),
    "silu": (nn.SiLU, {}),
}
USUAL = {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False}
TIED = "lm_head.weight"


def activation_of(config: dict[str, Any]) -> str:
    """Name of the MLP's activation function."""
    return config.get("activation_function", "gelu_new")


def can_run(config: dict[str, Any]) -> bool:
    """True if a config.json describes what this file computes; the few other GPT-2 go by transformers."""
    return (
        config.get("model_type") == "gpt2"
        and activation_of(config) in ACTIVATIONS
        and all(config.get(key, usual) == usual for key, usual in USUAL.items())
    )


class Conv1D(nn.Module):
    """x W + b with W [d_in, d_out], as GPT-2's checkpoints store it."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(d_in, d_out)), nn.Parameter(torch.empty(d_out))

    def forward(self, x: Float[Tensor, "*rows d_in"]) -> Float[Tensor, "*rows d_out"]:
        """One product over all rows."""
        flat = torch.addmm(self.bias, x.reshape(x.shape[:-1].numel(), x.shape[-1]), self.weight)
        return flat.view(*x.shape[:-1], -1)


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, d_model: int, n_head: int) -> None:
        super().__init__()
        self.c_attn, self.c_proj, self.n_head = Conv1D(d_model, 3 * d_model), Conv1D(d_model, d_model), n_head

    def forward(
        self,
        x: Float[Tensor, "batch context d_model"],
        attention_mask: Bool[Tensor, "batch 1 context context"] | None = None,
    ) -> tuple[Float[Tensor, "batch context d_model"], None]:
        """Sum that the heads add to the residual stream; a tuple, as in GPT2LMHeadModel."""
        batch, context, d_model = x.shape
        qkv = self.c_attn(x).view(batch, context, 3, self.n_head, d_model // self.n_head)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind()
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=attention_mask, is_causal=attention_mask is None)
        return self.c_proj(mixed.transpose(1, 2).reshape(batch, context, d_model)), None


class Mlp(nn.Module):
    """act(x W_up + b_up) W_down + b_down."""

    def __init__(self, d_model: int, d_mlp: int, activation: str) -> None:
        super().__init__()
        kind, options = ACTIVATIONS[activation]
        self.c_fc, self.act, self.c_proj = Conv1D(d_model, d_mlp), kind(**options), Conv1D(d_mlp, d_model)

    def forward(self, x: Float[Tensor, "batch context d_model"]) -> Float[Tensor, "batch context d_model"]:
        """Vector that the MLP adds to the residual stream."""
        return self.c_proj(self.act(self.c_fc(x)))


class Block(nn.Module):
    """Attention and MLP, each on the normalised residual stream; `mlp` None is zero ablation of the MLP."""

    def __init__(self, d_model: int, d_mlp: int, n_head: int, activation: str, epsilon: float) -> None:
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(d_model, epsilon), Attention(d_model, n_head)
        self.ln_2, self.mlp = nn.LayerNorm(d_model, epsilon), Mlp(d_model, d_mlp, activation)

    def forward(
        self,
        x: Float[Tensor, "batch context d_model"],
        attention_mask: Bool[Tensor, "batch 1 context context"] | None = None,
    ) -> Float[Tensor, "batch context d_model"]:
        """The residual stream after the block."""
        x = x + self.attn(self.ln_1(x), attention_mask)[0]
        return x if self.mlp is None else x + self.mlp(self.ln_2(x))


class Body(nn.Module):
    """Everything but the unembedding."""

    def __init__(self, config: dict[str, Any], n_layer: int) -> None:
        super().__init__()
        d_model, epsilon = config["n_embd"], config.get("layer_norm_epsilon", LAYER_NORM_EPSILON)
        d_mlp = config["n_inner"] if config.get("n_inner") is not None else 4 * d_model  # 0: no MLP
        # from_pretrained draws no random weights: normal_ on the meta device imports torch's compiler, over a second
        self.wte, self.wpe = (
            nn.Embedding.from_pretrained(torch.empty(rows, d_model))
            for rows in (config["vocab_size"], config["n_positions"])
        )
        self.h = nn.ModuleList(
            Block(d_model, d_mlp, config["n_head"], activation_of(config), epsilon) for _ in range(n_layer)
        )
        self.ln_f = nn.LayerNorm(d_model, epsilon)

    def embed(
        self, tokens: Int[Tensor, "batch context"], position_ids: Int[Tensor, "batch context"] | None
    ) -> tuple[Float[Tensor, "batch context d_model"], Bool[Tensor, "batch 1 context context"] | None]:
        """Token plus position embeddings, and the attention mask of packed documents (None: causal)."""
        mask = None
        if position_ids is None:
            position_ids = torch.arange(tokens.shape[1], device=tokens.device)
        else:
            document = (position_ids == 0).cumsum(-1)
            mask = (document[:, :, None] == document[:, None, :]).tril()[:, None]
        return self.wte(tokens) + self.wpe(position_ids), mask

    def forward(
        self,
        tokens: Int[Tensor, "batch context"],
        position_ids: Int[Tensor, "batch context"] | None = None,
        use_cache: bool = False,
    ) -> SimpleNamespace:
        """The residual stream after the last LayerNorm, as `last_hidden_state`.

        `position_ids` that start anew at 0 separate documents, between which nothing attends. `use_cache` is there
        because transformers' models have it.
        """
        x, mask = self.embed(tokens, position_ids)
        for block in self.h:
            x = block(x, mask)
        return SimpleNamespace(last_hidden_state=self.ln_f(x))


class Gpt2Network(nn.Module):
    """GPT2LMHeadModel's tree of modules; `config` is its config.json."""

    def __init__(self, config: dict[str, Any], n_layer: int) -> None:
        super().__init__()
        self.config = SimpleNamespace(**config, to_dict=lambda: config)
        self.transformer = Body(config, n_layer)
        self.lm_head = nn.Linear(config["n_embd"], config["vocab_size"], bias=False)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.transformer.wte.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the weights."""
        return self.transformer.wte.weight.dtype

    def get_output_embeddings(self) -> nn.Module:
        """The unembedding."""
        return self.lm_head

    def forward(self, tokens: Int[Tensor, "batch context"], **inputs: Any) -> SimpleNamespace:
        """Logits of the token after each, as `logits`."""
        return SimpleNamespace(logits=self.lm_head(self.transformer(tokens, **inputs).last_hidden_state))


def build(config: dict[str, Any], state: dict[str, Tensor], n_layer: int) -> tuple[Gpt2Network, list[str], list[str]]:
    """A network that shares the tensors of `state`; names that are missing, and names that are unexpected.

    Old GPT-2 files lack the prefix `transformer.` and carry attention masks; weights of blocks from `n_layer` on are
    ignored. A tied unembedding is the token embedding's parameter.
    """
    with torch.device("meta"):
        network = Gpt2Network(config, n_layer)
    prefix = "" if any(name.startswith("transformer.") for name in state) else "transformer."
    named = {name if name == TIED else prefix + name: value for name, value in state.items()}
    tied = config.get("tie_word_embeddings", True)
    if tied:
        network.lm_head.weight = network.transformer.wte.weight
        named.pop(TIED, None)
    missing, unexpected = network.load_state_dict(named, strict=False, assign=True)
    if tied:  # assigning has parted them
        missing.remove(TIED)
        network.lm_head.weight = network.transformer.wte.weight
    later = tuple(f"transformer.h.{layer}." for layer in range(n_layer, config["n_layer"]))
    masks = (".attn.bias", ".attn.masked_bias")
    unexpected = [name for name in unexpected if not name.endswith(masks) and not name.startswith(later)]
    return network.eval().requires_grad_(False), missing, unexpected


def initial_network(architecture: Architecture, seed: int) -> Gpt2Network:
    """A network with GPT-2's initial weights."""
    return build(asdict(architecture), initialise(architecture, seed), architecture.n_layer)[0]


def without_mlps(network: Gpt2Network) -> Gpt2Network:
    """A network that shares the weights, in which no MLP adds anything to the residual stream (zero ablation)."""
    ablated, *_ = build(network.config.to_dict(), network.state_dict(), len(network.transformer.h))
    for block in ablated.transformer.h:
        block.mlp = None
    return ablated


def weights_of(network: Gpt2Network) -> dict[str, Tensor]:
    """The tensors as a checkpoint of Hugging Face stores them: without gradients, and without a tied unembedding."""
    tied = network.lm_head.weight is network.transformer.wte.weight
    return {name: value for name, value in network.state_dict().items() if not (tied and name == TIED)}
