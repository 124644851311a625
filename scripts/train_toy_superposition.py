# ruff: noqa: F821
"""Train the toy models of superposition at every sparsity: one dict of parameters in, numbers and weights out."""

from scripts.monosem import io, joblog


def main(toy: dict, seed: int, result: str, weights: str) -> None:
    from scripts.monosem.toy import superposition

    config = superposition.from_params(toy)
    described, arrays = superposition.run(config, seed)
    io.save_npz(weights, **arrays)
    io.write_json({"parameters": toy, "seed": seed, **described}, result)
    counts = [level["n_represented"] for level in described["models"]["relu"]]
    joblog.say(f"features represented, densest to sparsest: {counts} of {config.n} in {config.m} dimensions")


if __name__ == "__main__":
    joblog.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(snakemake.params.toy, snakemake.params.seed, snakemake.output.result, snakemake.output.weights)
