"""Fast path for reading sites of a GPT-2 on a CPU: oneDNN's linear layers with packed weights, in which the activation
function or the residual sum is part of the product.

These are the operators that torch.compile's CPU backend calls. They are no public interface, and some of them need
instructions that not every processor has: `problem_with_operators` compares them with torch before an extraction, which
falls back on the modules.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from scripts.monosem.models.gpt2.modules import Block, Conv1D, Gpt2Network, activation_of
from scripts.monosem.models.sites import Site

ROWS = 384  # tokens per pass: activations of a layer stay in the cache of a core
SHORT = 256  # tokens of a window up to which attention is faster as two products than by torch's own kernel
FUSED = {
    "relu": ("relu", ""),
    "gelu": ("gelu", "none"),
    "gelu_new": ("gelu", "tanh"),
    "gelu_pytorch_tanh": ("gelu", "tanh"),
}


@dataclass(frozen=True)
class Linear:
    """x W + b with the weights in oneDNN's own layout."""

    weight: Tensor
    """Packed, as [d_out, d_in]."""
    bias: Float[Tensor, " d_out"]
    """Added to each row."""

    def plain(self, x: Float[Tensor, "n d_in"]) -> Float[Tensor, "n d_out"]:
        """x W + b."""
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")

    def activated(self, x: Float[Tensor, "n d_in"], name: str, algorithm: str) -> Float[Tensor, "n d_out"]:
        """act(x W + b)."""
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, name, [], algorithm)

    def added(self, x: Float[Tensor, "n d_in"], stream: Float[Tensor, "n d_out"]) -> Float[Tensor, "n d_out"]:
        """stream + x W + b."""
        return torch.ops.mkldnn._linear_pointwise.binary(x, stream, self.weight, self.bias, "add")


def pack(weight: Float[Tensor, "d_in d_out"], bias: Float[Tensor, " d_out"]) -> Linear:
    """Weights in the layout that is fastest for `ROWS` rows."""
    return Linear(torch.ops.mkldnn._reorder_linear_weight(weight.T.contiguous(), ROWS), bias)


@dataclass(frozen=True)
class Layer:
    """One block."""

    ln_1: nn.LayerNorm
    qkv: Linear
    attention_out: Linear
    ln_2: nn.LayerNorm
    up: Linear
    down: Linear


@dataclass(frozen=True)
class Reader:
    """Weights repacked for oneDNN; the network cannot run by itself afterwards."""

    network: Gpt2Network
    """Embeddings and LayerNorms."""
    layers: tuple[Layer, ...]
    """One per block."""
    n_head: int
    """Attention heads."""
    activation: tuple[str, str]
    """oneDNN's name of the activation function, and its algorithm."""


def can_read(model: nn.Module) -> bool:
    """True if this file knows the network's shape, dtype and device."""
    if not isinstance(model, Gpt2Network) or model.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    known = activation_of(model.config.to_dict()) in FUSED
    return known and hasattr(torch.ops.mkldnn, "_linear_pointwise") and model.dtype in (torch.float32, torch.bfloat16)


@torch.inference_mode()
def problem_with_operators(network: Gpt2Network) -> str | None:
    """Reason why the operators cannot be used on this machine; None if they agree with torch.

    Compared on one matrix of the network and a random batch. Never raises: in bfloat16 the operators refuse a processor
    without AVX-512, and another release of torch may refuse something else.
    """
    try:
        pairs = _probe(network)
    except (RuntimeError, NotImplementedError, TypeError) as error:
        return str(error).partition("\n")[0]
    tolerance = 1e-4 if network.dtype == torch.float32 else 2e-2
    # written so that NaN is a disagreement
    agree = all(float((a.float() - b.float()).norm()) <= tolerance * float(b.float().norm()) for a, b in pairs)
    return None if agree else "they give something else than torch on a probe batch"


def _probe(network: Gpt2Network) -> list[tuple[Tensor, Tensor]]:
    """Results of the operators beside torch's: linear layer, with its activation function, with a sum."""
    module, activation = network.transformer.h[0].mlp.c_fc, network.transformer.h[0].mlp.act
    d_in, d_out = module.weight.shape
    generator = torch.Generator().manual_seed(0)
    x, stream = (torch.randn(16, d, generator=generator).to(network.dtype) for d in (d_in, d_out))
    packed = pack(module.weight, module.bias)
    fused = FUSED[activation_of(network.config.to_dict())]
    plain = module(x)
    return [
        (packed.plain(x), plain),
        (packed.activated(x, *fused), activation(plain)),
        (packed.added(x, stream), stream + plain),
    ]


@torch.inference_mode()
def prepare(network: Gpt2Network) -> Reader:
    """Pack the weights, one matrix at a time; the network can't run by itself afterwards."""

    def packed(module: Conv1D) -> Linear:
        linear = pack(module.weight, module.bias)
        module.weight = None
        return linear

    def layer(block: Block) -> Layer:
        return Layer(
            block.ln_1, packed(block.attn.c_attn), packed(block.attn.c_proj),
            block.ln_2, packed(block.mlp.c_fc), packed(block.mlp.c_proj),
        )  # fmt: skip

    config = network.config.to_dict()
    layers = tuple(layer(block) for block in network.transformer.h)
    return Reader(network, layers, config["n_head"], FUSED[activation_of(config)])


def _attention(
    qkv: Float[Tensor, "n d_qkv"], batch: int, n_head: int, mask: Bool[Tensor, "batch 1 context context"] | None
) -> Float[Tensor, "n d_model"]:
    """Weighted values of all heads, by torch's kernel; `mask` None is causal."""
    q, k, v = qkv.view(batch, -1, 3, n_head, qkv.shape[1] // (3 * n_head)).permute(2, 0, 3, 1, 4).unbind()
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
    return mixed.transpose(1, 2).reshape(len(qkv), -1)


def _penalty(
    mask: Bool[Tensor, "batch 1 context context"] | None, batch: int, context: int, n_head: int
) -> Float[Tensor, "heads context context"]:
    """Additive attention mask, per head of each window."""
    if mask is None:
        return torch.full((context, context), -torch.inf).triu(1).expand(batch * n_head, -1, -1)
    apart = torch.zeros(mask.shape).masked_fill_(~mask, -torch.inf)
    return apart.expand(-1, n_head, -1, -1).reshape(batch * n_head, context, context)


def _short_attention(
    qkv: Float[Tensor, "n d_qkv"], batch: int, n_head: int, penalty: Float[Tensor, "heads context context"]
) -> Float[Tensor, "n d_model"]:
    """The same by two products. Scores are float32 also in bfloat16: large ones would lose what softmax needs."""
    d_head = qkv.shape[1] // (3 * n_head)
    parts = qkv.view(batch, -1, 3, n_head, d_head).permute(2, 0, 3, 1, 4)
    q, k, v = parts.reshape(3, batch * n_head, -1, d_head)
    scores = torch.baddbmm(penalty, q.float(), k.float().transpose(1, 2), alpha=d_head**-0.5)
    mixed = torch.bmm(scores.softmax(-1).to(v.dtype), v)
    return mixed.view(batch, n_head, -1, d_head).transpose(1, 2).reshape(len(qkv), -1)


@torch.inference_mode()
def read(
    reader: Reader,
    wanted: Sequence[Site],
    tokens: Int[Tensor, "batch context"],
    position_ids: Int[Tensor, "batch context"] | None = None,
) -> list[Float[Tensor, "batch context _"]]:
    """Activations at several sites; nothing after the last is computed. `position_ids` as in `modules.Body`."""
    places = [(site.layer, site.inner) for site in wanted]
    caught: dict[tuple[int, str], Tensor] = {}

    def keep(layer: int, inner: str, value: Tensor) -> bool:
        """Store a wanted value; True if that was the last."""
        if (layer, inner) in places:
            caught[layer, inner] = value
        return len(caught) == len(set(places))

    def run() -> None:
        body = reader.network.transformer
        x, mask = body.embed(tokens, position_ids)
        x, attend = x.view(-1, x.shape[-1]), _attention
        if tokens.shape[1] <= SHORT:
            mask, attend = _penalty(mask, *tokens.shape, reader.n_head), _short_attention
        for number, layer in enumerate(reader.layers):
            if keep(number, "hook_resid_pre", x):
                return
            mixed = attend(layer.qkv.plain(layer.ln_1(x)), len(tokens), reader.n_head, mask)
            if (number, "hook_attn_out") in places:
                added = layer.attention_out.plain(mixed)
                if keep(number, "hook_attn_out", added):
                    return
                x = x + added
            else:
                x = layer.attention_out.added(mixed, x)
            if keep(number, "hook_resid_mid", x):
                return
            if (number, "mlp.hook_pre") in places:
                pre = layer.up.plain(layer.ln_2(x))
                if keep(number, "mlp.hook_pre", pre):
                    return
                post = body.h[number].mlp.act(pre)
            else:
                post = layer.up.activated(layer.ln_2(x), *reader.activation)
            if keep(number, "mlp.hook_post", post):
                return
            if (number, "hook_mlp_out") in places:
                added = layer.down.plain(post)
                if keep(number, "hook_mlp_out", added):
                    return
                x = x + added
            else:
                x = layer.down.added(post, x)
            if keep(number, "hook_resid_post", x):
                return

    run()
    return [caught[place].view(*tokens.shape, -1) for place in places]
