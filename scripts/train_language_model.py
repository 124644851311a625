"""Train one small GPT-2 on the train split, score it on the test split, save it as a Hugging Face folder."""

import shutil
from pathlib import Path

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import keep_freed_memory, pick_device
from scripts.monosem.models import score as scores
from scripts.monosem.models import train as lm
from scripts.monosem.models.gpt2.modules import weights_of
from scripts.monosem.text.tokens import load_tokens

VALIDATION_TOKENS = 30_000
TEST_TOKENS = 300_000


def main(tokens: Path, tokenizer: list[str], train: dict, device: str, checkpoint: Path, outputs) -> None:
    """`train` is config.yaml's models.<name>.train; `outputs` names the files of the folder."""
    keep_freed_memory()
    streams = {split: load_tokens(tokens, split) for split in ("train", "validation", "test")}
    config = lm.training_from(train, streams["train"].vocab_size)
    validation = streams["validation"].tokens[:VALIDATION_TOKENS]
    network, summary = lm.train(
        streams["train"].tokens,
        config,
        checkpoint,
        Path(outputs.curve),
        pick_device(device),
        data_digest=artefacts.sha256(tokens / "manifest.json"),
        validate=lambda now: float(scores.predict_all(now, validation).mean()),
    )
    weights = weights_of(network)
    summary |= {"kind": "trained", "parameters": sum(value.numel() for value in weights.values()), "train": train}
    summary["scores"] = scores.score(network, streams["train"], streams["test"], TEST_TOKENS)
    job.say(f"{summary['scores']['model']['bits_per_character']:.3f} bits per character on held-out natural text")
    artefacts.save_tensors(weights, outputs.weights, {"format": "pt"})
    artefacts.write_json(config.architecture.hf_config(streams["train"].eos_token_id), outputs.config)
    shutil.copyfile(tokenizer[0], outputs.tokenizer)
    shutil.copyfile(tokenizer[1], outputs.tokenizer_config)
    artefacts.write_json(summary, outputs.summary)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        tokens=Path(snakemake.input.tokens).parent,
        tokenizer=[snakemake.input.tokenizer, snakemake.input.tokenizer_config],
        train=snakemake.params.train,
        device=snakemake.params.device,
        checkpoint=Path(f"results/checkpoints/models/{snakemake.wildcards.model}.pt"),
        outputs=snakemake.output,
    )
