"""Train one small GPT-2 on the train split, score it on the test split, save it as a Hugging Face folder."""
# ruff: noqa: F821

import shutil
from pathlib import Path

from scripts.monosem import io, joblog
from scripts.monosem import language_model as lm
from scripts.monosem import language_model_scores as scores
from scripts.monosem.runtime import keep_freed_memory, pick_device
from scripts.monosem.tokens import load_tokens

VALIDATION_TOKENS = 30_000
TEST_TOKENS = 300_000


def main(tokens: Path, tokenizer: list[str], train: dict, device: str, checkpoint: Path, outputs) -> None:
    """`train` is config.yaml's models.<name>.train; `outputs` names the files of the folder."""
    keep_freed_memory()
    streams = {split: load_tokens(tokens, split) for split in ("train", "validation", "test")}
    config = lm.training_from(train, streams["train"].vocab_size)
    shape = config.architecture
    validation = streams["validation"].tokens[:VALIDATION_TOKENS]
    parameters, summary = lm.train(
        streams["train"].tokens,
        config,
        checkpoint,
        Path(outputs.curve),
        pick_device(device),
        data_digest=io.sha256(tokens / "manifest.json"),
        validate=lambda now: float(scores.predict_all(now, shape, validation).mean()),
    )
    summary |= {"kind": "trained", "parameters": sum(value.numel() for value in parameters.values()), "train": train}
    summary["scores"] = scores.score(parameters, shape, streams["train"], streams["test"], TEST_TOKENS)
    joblog.say(f"{summary['scores']['model']['bits_per_character']:.3f} bits per character on held-out natural text")
    io.save_tensors(parameters, outputs.weights, {"format": "pt"})
    io.write_json(shape.hf_config(streams["train"].eos_token_id), outputs.config)
    shutil.copyfile(tokenizer[0], outputs.tokenizer)
    shutil.copyfile(tokenizer[1], outputs.tokenizer_config)
    io.write_json(summary, outputs.summary)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    joblog.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        tokens=Path(snakemake.input.tokens).parent,
        tokenizer=[snakemake.input.tokenizer, snakemake.input.tokenizer_config],
        train=snakemake.params.train,
        device=snakemake.params.device,
        checkpoint=Path(f"results/checkpoints/models/{snakemake.wildcards.model}.pt"),
        outputs=snakemake.output,
    )
