"""The random-transformer control: a trained model with the entries of every weight matrix permuted."""

import shutil
from pathlib import Path

from scripts.monosem.core import artefacts, job
from scripts.monosem.models import score as scores
from scripts.monosem.models import train as lm
from scripts.monosem.models.gpt2.modules import build
from scripts.monosem.text.tokens import load_tokens

TEST_TOKENS = 100_000


def main(source, tokens: Path, shuffle: dict, outputs) -> None:
    """`source` and `outputs` name the files of the two model folders; `shuffle` holds the seed."""
    config = artefacts.read_json(source.config)
    weights = lm.shuffle_weights(artefacts.load_tensors(source.weights), shuffle["seed"])
    network, *_ = build(config, weights, config["n_layer"])
    summary = {
        "kind": "shuffled",
        "shuffle": shuffle,
        "parameters": sum(value.numel() for value in weights.values()),
        "scores": scores.score(network, load_tokens(tokens, "train"), load_tokens(tokens, "test"), TEST_TOKENS),
    }
    artefacts.save_tensors(weights, outputs.weights, {"format": "pt"})
    for name in ("config", "tokenizer", "tokenizer_config"):
        shutil.copyfile(getattr(source, name), getattr(outputs, name))
    artefacts.write_json(summary, outputs.summary)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(snakemake.input, Path(snakemake.input.tokens).parent, snakemake.params.shuffle, snakemake.output)
