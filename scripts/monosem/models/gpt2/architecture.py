"""Shape of a GPT-2 model trained here, and its initial weights under Hugging Face's names."""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

LAYER_NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class Architecture:
    """Shape of a GPT-2 model; the fields are keys of Hugging Face's GPT2Config."""

    n_layer: int
    """Transformer blocks."""
    n_embd: int
    """Width of the residual stream (d_model)."""
    n_head: int
    """Attention heads."""
    n_inner: int
    """Width of the MLP (d_mlp); 0 for a model without MLPs, of which their output bias is left (transformers
    cannot run it)."""
    n_positions: int
    """Longest context, in tokens."""
    activation_function: str
    """`relu` or `gelu_new`."""
    vocab_size: int
    """Tokens of the tokenizer."""

    def hf_config(self, eos_token_id: int) -> dict:
        """The config.json of a Hugging Face folder."""
        return {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            **asdict(self),
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


def initialise(architecture: Architecture, seed: int) -> dict[str, Tensor]:
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
