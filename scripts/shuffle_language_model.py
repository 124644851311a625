"""Make the random-transformer control: a trained model with the entries of every weight matrix permuted."""

import shutil

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run

TEST_TOKENS = 100_000


def main(job: Job) -> None:
    from scripts.monosem.models import score as scores
    from scripts.monosem.models.gpt2.modules import build
    from scripts.monosem.models.train import shuffle_weights
    from scripts.monosem.text.tokens import load_tokens

    config, tokens = artefacts.read_json(job.input.config), job.folder("tokens")
    weights = shuffle_weights(artefacts.load_tensors(job.input.weights), job.params.shuffle["seed"])
    network, *_ = build(config, weights, config["n_layer"])
    summary = {
        "kind": "shuffled",
        "shuffle": job.params.shuffle,
        "parameters": sum(value.numel() for value in weights.values()),
        "scores": scores.score(network, load_tokens(tokens, "train"), load_tokens(tokens, "test"), TEST_TOKENS),
    }
    artefacts.save_tensors(weights, job.output.weights, {"format": "pt"})
    for name in ("config", "tokenizer", "tokenizer_config"):
        shutil.copyfile(getattr(job.input, name), getattr(job.output, name))
    artefacts.write_json(summary, job.output.summary)


if __name__ == "__main__":
    run(main, snakemake)
