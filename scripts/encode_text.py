"""Encode held-out text with one sparse autoencoder: sparse codes that several evaluations read."""

from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    device = job.device
    from scripts.monosem.evaluation.latents import stored_codes
    from scripts.monosem.evaluation.latents.encode_text import encode_text

    codes = encode_text(
        job.folder("model"), job.folder("tokens"), job.folder("sae"), job.params.tokens, job.params.seed, device
    )
    stored_codes.save(codes, job.output.codes)


if __name__ == "__main__":
    run(main, snakemake)
