"""Train one small GPT-2 on the train split, score it on the test split, save it as a Hugging Face folder."""

import shutil
from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run, say

VALIDATION_TOKENS = 30_000


def main(job: Job) -> None:
    device = job.device
    from scripts.monosem.models import score as scores
    from scripts.monosem.models import train
    from scripts.monosem.models.gpt2.modules import weights_of
    from scripts.monosem.text.tokens import load_tokens

    tokens, output = job.folder("tokens"), job.output
    streams = {split: load_tokens(tokens, split) for split in ("train", "validation", "test")}
    config = train.training_from(job.params.train, streams["train"].vocab_size)
    validation = streams["validation"].tokens[:VALIDATION_TOKENS]
    checkpoint = Path(f"results/checkpoints/models/{job.wildcards['model']}.pt")
    network, summary = train.train(
        streams["train"].tokens,
        config,
        checkpoint,
        Path(output.curve),
        device,
        data_digest=artefacts.sha256(tokens / "manifest.json"),
        validate=lambda now: float(scores.predict_all(now, validation).mean()),
    )
    weights = weights_of(network)
    n_parameters = sum(value.numel() for value in weights.values())
    summary |= {"kind": "trained", "parameters": n_parameters, "train": job.params.train}
    summary["scores"] = scores.score(network, streams["train"], streams["test"], scores.TEST_TOKENS)
    say(f"{summary['scores']['model']['bits_per_character']:.3f} bits per character on held-out natural text")
    artefacts.save_tensors(weights, output.weights, {"format": "pt"})
    artefacts.write_json(config.architecture.hf_config(streams["train"].eos_token_id), output.config)
    shutil.copyfile(job.input.tokenizer, output.tokenizer)
    shutil.copyfile(job.input.tokenizer_config, output.tokenizer_config)
    artefacts.write_json(summary, output.summary)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run(main, snakemake)
