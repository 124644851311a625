"""A small random model of every family in the table, as transformers builds it."""

import copy
from functools import cache
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    Qwen2Config,
    Qwen3Config,
)  # fmt: skip

VOCAB, CONTEXT, SEPARATOR = 50, 12, 0
SMALL = {
    "vocab_size": VOCAB, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "bos_token_id": 0,
    "eos_token_id": 0, "pad_token_id": None, "initializer_range": 0.3, "max_position_embeddings": 64,
}  # fmt: skip
LLAMA_LIKE = {**SMALL, "intermediate_size": 40, "num_key_value_heads": 1, "head_dim": 8}
GEMMA_LIKE = {**LLAMA_LIKE, "query_pre_attn_scalar": 8, "sliding_window": 5}
CONFIGS = {
    "gpt2": GPT2Config(
        n_layer=2, n_embd=16, n_head=2, n_inner=40, n_positions=64, vocab_size=VOCAB, initializer_range=0.3,
        bos_token_id=0, eos_token_id=0,
    ),
    "pythia": GPTNeoXConfig(**SMALL, intermediate_size=40),
    "neox-sequential": GPTNeoXConfig(**SMALL, intermediate_size=40, use_parallel_residual=False),
    "llama": LlamaConfig(**LLAMA_LIKE),
    "mistral": MistralConfig(**LLAMA_LIKE, sliding_window=5),
    "qwen2": Qwen2Config(**{k: v for k, v in LLAMA_LIKE.items() if k != "head_dim"}),
    "qwen3": Qwen3Config(**LLAMA_LIKE),
    "gemma": GemmaConfig(**LLAMA_LIKE),
    "gemma2": Gemma2Config(**GEMMA_LIKE, final_logit_softcapping=1.5),
    "gemma3": Gemma3TextConfig(**GEMMA_LIKE, layer_types=["sliding_attention", "full_attention"]),
    "opt": OPTConfig(**SMALL, ffn_dim=40, word_embed_proj_dim=16, dropout=0.0),
    "opt-projected": OPTConfig(**SMALL, ffn_dim=40, word_embed_proj_dim=12, dropout=0.0),
    "opt-post-norm": OPTConfig(**SMALL, ffn_dim=40, word_embed_proj_dim=16, do_layer_norm_before=False),
}  # fmt: skip


@cache
def model(name: str, across: bool = True) -> torch.nn.Module:
    """In eval mode, with weights and norms far from their initial values; the same weights whatever `across` says."""
    torch.manual_seed(0)
    made = AutoModelForCausalLM.from_config(copy.deepcopy(CONFIGS[name])).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    for key, value in made.named_parameters():
        if value.dim() == 1:
            value.add_(0.3 * torch.randn(value.shape, generator=generator))
        assert torch.isfinite(value).all(), key
    made.config.monosem = {"attention_across_documents": across}
    return made


def tokens(n: int = 3) -> torch.Tensor:
    """Windows without the separator."""
    return torch.randint(1, VOCAB, (n, CONTEXT), generator=torch.Generator().manual_seed(2))


def save_tokenizer(folder: Path, n_tokens: int = VOCAB) -> None:
    """A tokenizer.json that knows `<|endoftext|>`, w1, w2 and so on."""
    vocabulary = {"<|endoftext|>": 0, **{f"w{number}": number for number in range(1, n_tokens)}}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w1"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
