"""The random-transformer control: a trained model with the entries of every weight matrix permuted."""
# ruff: noqa: F821

import shutil
from pathlib import Path

from scripts.monosem import gpt2, io, joblog
from scripts.monosem import language_model as lm
from scripts.monosem import language_model_scores as scores
from scripts.monosem.tokens import load_tokens

TEST_TOKENS = 100_000


def main(source, tokens: Path, shuffle: dict, outputs) -> None:
    """`source` and `outputs` name the files of the two model folders; `shuffle` holds the seed."""
    config = io.read_json(source.config)
    names = gpt2.Architecture.__dataclass_fields__
    architecture = gpt2.Architecture(**{name: config[name] for name in names})
    parameters = lm.shuffle_weights(io.load_tensors(source.weights), shuffle["seed"])
    summary = {
        "kind": "shuffled",
        "shuffle": shuffle,
        "parameters": sum(value.numel() for value in parameters.values()),
        "scores": scores.score(
            parameters, architecture, load_tokens(tokens, "train"), load_tokens(tokens, "test"), TEST_TOKENS
        ),
    }
    io.save_tensors(parameters, outputs.weights, {"format": "pt"})
    for name in ("config", "tokenizer", "tokenizer_config"):
        shutil.copyfile(getattr(source, name), getattr(outputs, name))
    io.write_json(summary, outputs.summary)


if __name__ == "__main__":
    joblog.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(snakemake.input, Path(snakemake.input.tokens).parent, snakemake.params.shuffle, snakemake.output)
