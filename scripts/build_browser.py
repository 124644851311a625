"""Build the feature browser: a page that runs the small models and their autoencoders, and shows every latent."""

from pathlib import Path

from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    from scripts.monosem.browser import build

    inputs = job.input
    explained = {Path(path).parent: Path(path) for path in inputs.explanations}
    features = {Path(path).parent.parts[-3:]: Path(path) for path in inputs.features}
    moods = {Path(path).parts[-4:-1]: Path(path) for path in inputs.prompts}
    sources = [
        build.Source(
            *(Path(path).parent for path in (model, tokens, sae)),
            Path(read),
            explanations=explained.get(Path(read).parent),
            prompts=moods.get(Path(sae).parts[-4:-1]),
            features=features.get(Path(sae).parts[-4:-1]),
        )
        for model, tokens, sae, read in zip(inputs.models, inputs.tokens, inputs.saes, inputs.read, strict=True)
    ]
    build.build(
        sources,
        job.params.tokens,
        job.params.seed,
        build.Pieces(*map(Path, (job.params.template, job.params.style, job.params.entry))),
        Path(job.output.page),
    )


if __name__ == "__main__":
    run(main, snakemake)
