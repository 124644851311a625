"""GPT-2's forward pass as pure functions of a Hugging Face state dict.

The same tensors, names and shapes as GPT2LMHeadModel, without dropout; a test holds both to the same logits. Training
uses this form because it starts in a second and never keeps a [tokens, vocabulary] matrix.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from scripts.monosem.models import unembedding_loss

ACTIVATIONS = {"relu": torch.relu, "gelu_new": lambda x: F.gelu(x, approximate="tanh")}
LAYER_NORM_EPSILON = 1e-5
Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class Architecture:
    """Shape of a GPT-2 model, in the words of Hugging Face's GPT2Config."""

    n_layer: int  # transformer blocks
    n_embd: int  # width of the residual stream (d_model)
    n_head: int  # attention heads
    n_inner: int  # width of the MLP (d_mlp)
    n_positions: int  # longest context, in tokens
    activation_function: str  # "relu" or "gelu_new"
    vocab_size: int  # tokens of the tokenizer

    def hf_config(self, eos_token_id: int) -> dict:
        """The config.json of a Hugging Face folder."""
        return {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "n_ctx": self.n_positions,
            "layer_norm_epsilon": LAYER_NORM_EPSILON,
            "resid_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "attn_pdrop": 0.0,
            "bos_token_id": eos_token_id,
            "eos_token_id": eos_token_id,
            "tie_word_embeddings": True,
            "torch_dtype": "float32",
        }


def initialise(architecture: Architecture, seed: int) -> Parameters:
    """GPT-2's initial weights: N(0, 0.02), residual projections scaled by 1/sqrt(2 n_layer), biases zero."""
    generator = torch.Generator().manual_seed(seed)
    d, m = architecture.n_embd, architecture.n_inner

    def normal(*shape: int, std: float = 0.02) -> Tensor:
        return torch.randn(*shape, generator=generator) * std

    parameters = {
        "transformer.wte.weight": normal(architecture.vocab_size, d),
        "transformer.wpe.weight": normal(architecture.n_positions, d, std=0.01),
    }
    residual_std = 0.02 / (2 * architecture.n_layer) ** 0.5
    for layer in range(architecture.n_layer):
        block = {
            "ln_1.weight": torch.ones(d), "ln_1.bias": torch.zeros(d),
            "attn.c_attn.weight": normal(d, 3 * d), "attn.c_attn.bias": torch.zeros(3 * d),
            "attn.c_proj.weight": normal(d, d, std=residual_std), "attn.c_proj.bias": torch.zeros(d),
            "ln_2.weight": torch.ones(d), "ln_2.bias": torch.zeros(d),
            "mlp.c_fc.weight": normal(d, m), "mlp.c_fc.bias": torch.zeros(m),
            "mlp.c_proj.weight": normal(m, d, std=residual_std), "mlp.c_proj.bias": torch.zeros(d),
        }  # fmt: skip
        parameters |= {f"transformer.h.{layer}.{name}": value for name, value in block.items()}
    parameters |= {"transformer.ln_f.weight": torch.ones(d), "transformer.ln_f.bias": torch.zeros(d)}
    return parameters


def final_hidden(
    parameters: Parameters, architecture: Architecture, tokens: Int[Tensor, "batch context"], zero_mlp: bool = False
) -> Float[Tensor, "batch_context d"]:
    """The residual stream after the last LayerNorm; `zero_mlp` removes what every MLP adds (zero ablation)."""
    batch, context = tokens.shape
    d = architecture.n_embd
    activation = ACTIVATIONS[architecture.activation_function]

    def norm(x: Tensor, name: str) -> Tensor:
        weight, bias = parameters[f"transformer.{name}.weight"], parameters[f"transformer.{name}.bias"]
        return F.layer_norm(x, (d,), weight, bias, LAYER_NORM_EPSILON)

    def conv1d(x: Tensor, name: str) -> Tensor:
        return torch.addmm(parameters[f"transformer.{name}.bias"], x, parameters[f"transformer.{name}.weight"])

    positions = parameters["transformer.wpe.weight"][:context]
    x = (F.embedding(tokens, parameters["transformer.wte.weight"]) + positions).view(-1, d)
    for layer in range(architecture.n_layer):
        block = f"h.{layer}"
        qkv = conv1d(norm(x, f"{block}.ln_1"), f"{block}.attn.c_attn")
        q, k, v = rearrange(qkv, "(b c) (three h e) -> three b h c e", b=batch, three=3, h=architecture.n_head)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + conv1d(rearrange(mixed, "b h c e -> (b c) (h e)"), f"{block}.attn.c_proj")
        if not zero_mlp:
            hidden = activation(conv1d(norm(x, f"{block}.ln_2"), f"{block}.mlp.c_fc"))
            x = x + conv1d(hidden, f"{block}.mlp.c_proj")
    return norm(x, "ln_f")


def mean_nats(
    parameters: Parameters,
    architecture: Architecture,
    tokens: Int[Tensor, "batch context"],
    targets: Int[Tensor, "batch context"],
    precision: str = "float32",
) -> Float[Tensor, ""]:
    """Mean cross-entropy of the targets in nats, differentiable; `precision` is that of the unembedding's products."""
    hidden = final_hidden(parameters, architecture, tokens)
    embedding = parameters["transformer.wte.weight"]
    return unembedding_loss.mean_nats(hidden, embedding, targets.reshape(-1), precision)


@torch.inference_mode()
def token_nats(
    parameters: Parameters,
    architecture: Architecture,
    tokens: Int[Tensor, "batch context"],
    targets: Int[Tensor, "batch context"],
    zero_mlp: bool = False,
) -> Float[Tensor, "batch context"]:
    """Cross-entropy in nats of every target token."""
    hidden = final_hidden(parameters, architecture, tokens, zero_mlp)
    logits = hidden @ parameters["transformer.wte.weight"].T
    return F.cross_entropy(logits, targets.reshape(-1), reduction="none").view(targets.shape)
