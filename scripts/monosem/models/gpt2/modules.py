"""GPT-2 as modules with Hugging Face's names and weights, but without its start-up time and its overhead per pass.

Sites hook into it as into GPT2LMHeadModel, and a test holds both to the same activations everywhere. It is made of
modules, unlike `gpt2`, because hooks need them; it is for reading a trained model, not for training one.
"""

from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

ACTIVATIONS: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "relu": (nn.ReLU, {}),
    "gelu": (nn.GELU, {}),
    "gelu_new": (nn.GELU, {"approximate": "tanh"}),
    "gelu_pytorch_tanh": (nn.GELU, {"approximate": "tanh"}),
    "silu": (nn.SiLU, {}),
}
UNUSUAL = {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False}


def can_run(config: dict[str, Any]) -> bool:
    """Whether a config.json describes what this file computes; the few others go by transformers."""
    return (
        config.get("model_type") == "gpt2"
        and config.get("activation_function", "gelu_new") in ACTIVATIONS
        and all(config.get(key, usual) == usual for key, usual in UNUSUAL.items())
    )


class Conv1D(nn.Module):
    """x W + b with W [d_in, d_out], as GPT-2's checkpoints store it."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(d_in, d_out)), nn.Parameter(torch.empty(d_out))

    def forward(self, x: Float[Tensor, "... d_in"]) -> Float[Tensor, "... d_out"]:
        flat = torch.addmm(self.bias, x.reshape(-1, x.shape[-1]), self.weight)
        return flat.view(*x.shape[:-1], -1)


class Attention(nn.Module):
    def __init__(self, d: int, n_head: int) -> None:
        super().__init__()
        self.c_attn, self.c_proj, self.n_head = Conv1D(d, 3 * d), Conv1D(d, d), n_head

    def forward(self, x: Float[Tensor, "b c d"], attention_mask: Tensor | None = None) -> tuple[Tensor, None]:
        b, c, d = x.shape
        q, k, v = self.c_attn(x).view(b, c, 3, self.n_head, d // self.n_head).permute(2, 0, 3, 1, 4).unbind()
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=attention_mask, is_causal=attention_mask is None)
        return self.c_proj(mixed.transpose(1, 2).reshape(b, c, d)), None


class Mlp(nn.Module):
    def __init__(self, d: int, d_mlp: int, activation: str) -> None:
        super().__init__()
        kind, options = ACTIVATIONS[activation]
        self.c_fc, self.act, self.c_proj = Conv1D(d, d_mlp), kind(**options), Conv1D(d_mlp, d)

    def forward(self, x: Float[Tensor, "b c d"]) -> Float[Tensor, "b c d"]:
        return self.c_proj(self.act(self.c_fc(x)))


class Block(nn.Module):
    def __init__(self, d: int, d_mlp: int, n_head: int, activation: str, epsilon: float) -> None:
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(d, epsilon), Attention(d, n_head)
        self.ln_2, self.mlp = nn.LayerNorm(d, epsilon), Mlp(d, d_mlp, activation)

    def forward(self, x: Float[Tensor, "b c d"], attention_mask: Tensor | None = None) -> Float[Tensor, "b c d"]:
        x = x + self.attn(self.ln_1(x), attention_mask)[0]
        return x + self.mlp(self.ln_2(x))


class Body(nn.Module):
    """Everything but the unembedding."""

    def __init__(self, config: dict[str, Any], n_layer: int) -> None:
        super().__init__()
        d, epsilon = config["n_embd"], config.get("layer_norm_epsilon", 1e-5)
        block = (
            d,
            config.get("n_inner") or 4 * d,
            config["n_head"],
            config.get("activation_function", "gelu_new"),
            epsilon,
        )
        # from_pretrained draws no random weights: normal_ on the meta device imports torch's compiler, over a second
        self.wte, self.wpe = (
            nn.Embedding.from_pretrained(torch.empty(rows, d)) for rows in (config["vocab_size"], config["n_positions"])
        )
        self.h = nn.ModuleList(Block(*block) for _ in range(n_layer))
        self.ln_f = nn.LayerNorm(d, epsilon)

    def embed(
        self, tokens: Int[Tensor, "b c"], position_ids: Int[Tensor, "b c"] | None
    ) -> tuple[Float[Tensor, "b c d"], Bool[Tensor, "b 1 c c"] | None]:
        """The first residual stream, and who may look at whom where that is not all that went before."""
        mask = None
        if position_ids is None:
            position_ids = torch.arange(tokens.shape[1], device=tokens.device)
        else:
            document = (position_ids == 0).cumsum(-1)
            mask = (document[:, :, None] == document[:, None, :]).tril()[:, None]
        return self.wte(tokens) + self.wpe(position_ids), mask

    def forward(
        self, tokens: Int[Tensor, "b c"], position_ids: Int[Tensor, "b c"] | None = None, use_cache: bool = False
    ) -> SimpleNamespace:
        """`position_ids` that start anew at 0 part documents, between which nothing attends."""
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
        return self.transformer.wte.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.transformer.wte.weight.dtype

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head

    def forward(self, tokens: Int[Tensor, "b c"], **inputs: Any) -> SimpleNamespace:
        return SimpleNamespace(logits=self.lm_head(self.transformer(tokens, **inputs).last_hidden_state))


def build(config: dict[str, Any], state: dict[str, Tensor], n_layer: int) -> tuple[Gpt2Network, list[str], list[str]]:
    """A network that holds the tensors of `state` themselves; names that are missing, and names that are foreign.

    Old GPT-2 files lack the prefix `transformer.` and carry attention masks; weights of blocks from `n_layer` on are
    passed by.
    """
    with torch.device("meta"):
        network = Gpt2Network(config, n_layer)
    prefix = "" if any(name.startswith("transformer.") for name in state) else "transformer."
    named = {name if name == "lm_head.weight" else prefix + name: value for name, value in state.items()}
    if config.get("tie_word_embeddings", True):
        named["lm_head.weight"] = named.get("transformer.wte.weight")
    missing, foreign = network.load_state_dict(
        {k: v for k, v in named.items() if v is not None}, strict=False, assign=True
    )
    later = tuple(f"transformer.h.{layer}." for layer in range(n_layer, config["n_layer"]))
    foreign = [n for n in foreign if not n.endswith((".attn.bias", ".attn.masked_bias")) and not n.startswith(later)]
    return network.eval().requires_grad_(False), missing, foreign
