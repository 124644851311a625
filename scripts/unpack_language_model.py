"""A model that comes with the checkout as a Hugging Face folder, scored on this run's held-out text."""

import shutil

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run, say


def main(job: Job) -> None:
    from scripts.monosem.models import score as scores
    from scripts.monosem.models import shipped
    from scripts.monosem.models.gpt2.modules import build
    from scripts.monosem.text.tokens import load_tokens

    folder, model, output = job.params.shipped["folder"], job.wildcards["model"], job.output
    place = {
        name: shipped.require(folder, path) for name, path in zip(shipped.MODEL, shipped.files_of(model), strict=True)
    }
    config, weights = artefacts.read_json(place["config.json"]), shipped.load_weights(folder, model)
    network, *_ = build(config, weights, config["n_layer"])
    tokens = job.folder("tokens")
    summary = artefacts.read_json(place[shipped.SUMMARY]) | {
        "shipped": folder,
        "scores": scores.score(network, load_tokens(tokens, "train"), load_tokens(tokens, "test"), scores.TEST_TOKENS),
    }
    say(f"{summary['scores']['model']['bits_per_character']:.3f} bits per character on held-out natural text")
    artefacts.save_tensors(weights, output.weights, {"format": "pt"})
    for source, target in (
        (place["config.json"], output.config),
        (place[shipped.CURVE], output.curve),
        (job.input.tokenizer, output.tokenizer),
        (job.input.tokenizer_config, output.tokenizer_config),
    ):
        shutil.copyfile(source, target)
    artefacts.write_json(summary, output.summary)


if __name__ == "__main__":
    run(main, snakemake)
