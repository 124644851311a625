"""Extraction at GPT-2 small's shape: tokens per second of this workflow, of TransformerLens, of transformers, and the
floor that the matrix products alone set.

    python -m tests.bench.extraction --out extraction        # writes extraction.md and extraction.json

Random weights (speed does not depend on them), blocks.6.mlp.hook_post, context 128. Contenders take turns, so that a
busy neighbour hits all of them; the median of the turns counts. Peers that are not installed are left out and said so.
Then the workflow's whole extraction, from a model folder to shards, at two numbers of tokens, each in a process of its
own: its rate is that of the tokens between the two, and its memory must be the same.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from scripts.monosem.activations import run_pass
from scripts.monosem.models import sites
from scripts.monosem.models.gpt2 import modules, onednn
from scripts.monosem.models.gpt2.architecture import Architecture, initialise
from tests.bench.benchmark import processor

LAYER, CONTEXT, VOCAB, WINDOWS = 6, 128, 50257, 32
SHAPE = Architecture(12, 768, 12, 3072, 1024, "gelu_new", VOCAB)
WHOLE_TOKENS = (10_000, 50_000)
FLOOR_ROWS = (256, 384, 512, 1024, 2048)
SITE = f"blocks.{LAYER}.mlp.hook_post"
Run = Callable[[], int]  # does some work and returns its tokens


def tokens_of(windows: int) -> torch.Tensor:
    return torch.randint(0, VOCAB, (windows, CONTEXT), generator=torch.Generator().manual_seed(0))


def floor(dtype: torch.dtype, rows: int, packed: bool) -> Run:
    """Matrix products of the pass and nothing else: linear layers, attention scores and mixing.

    `packed`: with weights in oneDNN's layout, else torch.mm. Which is faster depends on the processor.
    """
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).to(dtype)

    d, d_mlp, heads = SHAPE.n_embd, SHAPE.n_inner, SHAPE.n_head * rows // CONTEXT
    shapes = ((d, 3 * d), (d, d), (d, d_mlp), (d_mlp, d))

    def product(weight: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        if packed:
            return onednn.pack(weight, torch.zeros(weight.shape[1], dtype=dtype)).plain
        return lambda x: torch.mm(x, weight)

    layers = [[product(random(*shape)) for shape in shapes] for _ in range(LAYER + 1)]
    x, hidden = random(rows, d), random(rows, d_mlp)
    q, scores = random(heads, CONTEXT, d // SHAPE.n_head), random(heads, CONTEXT, CONTEXT)
    k = q.transpose(1, 2)

    @torch.inference_mode()
    def run() -> int:
        for number, (qkv, out, up, down) in enumerate(layers):
            qkv(x), torch.bmm(q, k), torch.bmm(scores, q), out(x), up(x)
            if number < LAYER:
                down(hidden)
        return rows

    return run


def can_pack(dtype: torch.dtype) -> bool:
    """True where oneDNN's packed layout exists for a dtype on this processor."""
    return dtype != torch.bfloat16 or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def ours(dtype: torch.dtype) -> Run:
    """The reader that the workflow's extraction uses on this machine."""
    state = {name: value.to(dtype) for name, value in initialise(SHAPE, 0).items()}
    state = {name: value for name, value in state.items() if not _is_later(name)}
    network, _, _ = modules.build(SHAPE.hf_config(0), state, LAYER + 1)
    read, batch = run_pass.reader(network, [sites.resolve(network, SITE)], CONTEXT, WINDOWS, None)
    tokens = tokens_of(batch)

    def run() -> int:
        read(tokens)
        return tokens.numel()

    return run


def _is_later(name: str) -> bool:
    parts = name.split(".")
    return parts[1] == "h" and int(parts[2]) > LAYER


def plain_transformers() -> Run:
    """GPT2LMHeadModel with a hook on the module, the whole forward pass, as a notebook would do it."""
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config()).eval()
    caught: list[torch.Tensor] = []
    model.transformer.h[LAYER].mlp.c_proj.register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
    tokens = tokens_of(4)

    @torch.inference_mode()
    def run() -> int:
        caught.clear()
        model(tokens)
        return tokens.numel()

    return run


def transformer_lens() -> Run:
    """`run_with_cache` with `stop_at_layer`, at TransformerLens' default dtype (float32)."""
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    config = HookedTransformerConfig(
        n_layers=12, d_model=768, n_ctx=1024, d_head=64, n_heads=12, d_mlp=3072, d_vocab=VOCAB, act_fn="gelu_new",
        normalization_type="LNPre", device="cpu",
    )  # fmt: skip
    model = HookedTransformer(config).eval()
    tokens = tokens_of(4)

    @torch.inference_mode()
    def run() -> int:
        model.run_with_cache(tokens, names_filter=SITE, stop_at_layer=LAYER + 1)
        return tokens.numel()

    return run


def rates(contenders: dict[str, Run], turns: int, seconds: float) -> dict[str, float]:
    """Median tokens per second; each turn gives every contender about `seconds`."""
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for run in contenders.values():
        run()
    for _ in range(turns):
        for name, run in contenders.items():
            began, done = time.perf_counter(), 0
            while time.perf_counter() - began < seconds:
                done += run()
            measured[name].append(done / (time.perf_counter() - began))
    return {name: statistics.median(values) for name, values in measured.items()}


def whole(dtype: str, threads: int) -> dict:
    """The extraction of the workflow at two numbers of tokens."""
    from tests.bench.whole_extraction import write_model

    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder))
        runs = []
        for tokens in WHOLE_TOKENS:
            command = [sys.executable, "-m", "tests.bench.whole_extraction", folder, "--dtype", dtype]
            command += ["--tokens", str(tokens), "--threads", str(threads)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    few, many = runs
    between = {key: many[key] - few[key] for key in ("tokens", "seconds", "disk_bytes")}
    return {
        "tokens_per_s": between["tokens"] / between["seconds"],
        "bytes_per_token": between["disk_bytes"] / between["tokens"],
        "peak_above_weights_bytes": [run["peak_above_weights_bytes"] for run in runs],
        "runs": runs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("extraction"), help="path without suffix")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    best, left_out = {}, {}
    for name, dtype in dtypes.items():
        layouts = (False, True) if can_pack(dtype) else (False,)
        forms = [(rows, packed) for rows in FLOOR_ROWS for packed in layouts]
        found = rates({form: floor(dtype, *form) for form in forms}, 3, given.seconds / 2)
        best[name] = max(found, key=found.get)
    floor_names = {
        name: f"floor, {name} ({'packed weights' if packed else 'torch.mm'}, {rows} rows)"
        for name, (rows, packed) in best.items()
    }
    contenders = {floor_names[name]: floor(dtype, *best[name]) for name, dtype in dtypes.items()}
    contenders |= {f"monosem, {name}": ours(dtype) for name, dtype in dtypes.items()}
    for name, make in (("TransformerLens", transformer_lens), ("transformers, hook", plain_transformers)):
        try:
            contenders[name] = make()
        except ImportError as error:
            left_out[name] = str(error)
    measured = rates(contenders, given.turns, given.seconds)
    floors = {name: measured[floor_names[name]] for name in dtypes}
    to_disk = {name: whole(name, given.threads) for name in dtypes}
    result = {
        "processor": processor(), "site": SITE, "context": CONTEXT, "threads": given.threads,
        "torch": torch.__version__, "to_disk": to_disk,
        "tokens_per_s": measured, "left_out": left_out,
        "share_of_floor": {name: measured[f"monosem, {name}"] / floors[name] for name in dtypes},
    }  # fmt: skip
    lines = ["| extraction at GPT-2 small's shape | tokens/s | of its floor | x TransformerLens |", "|---|--:|--:|--:|"]
    lens = measured.get("TransformerLens")
    shards = {f"monosem, {name}, to shards": facts["tokens_per_s"] for name, facts in to_disk.items()}
    for name, rate in (measured | shards).items():
        dtype = "bfloat16" if "bfloat16" in name else "float32"
        times = f"{rate / lens:.1f}" if lens else "–"
        lines.append(f"| {name} | {rate:,.0f} | {100 * rate / floors[dtype]:.0f} % | {times} |")
    for name, facts in to_disk.items():
        peaks = " and ".join(f"{peak / 1e9:.2f}" for peak in facts["peak_above_weights_bytes"])
        counts = " and ".join(f"{tokens:,}" for tokens in WHOLE_TOKENS)
        lines.append(f"| peak memory above the weights, {name}: {peaks} GB for {counts} tokens | | | |")
    lines += [f"| {name} | left out: {reason} | | |" for name, reason in left_out.items()]
    text = "\n".join(lines) + "\n"
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.with_suffix(".md").write_text(text, encoding="utf-8")
    given.out.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
