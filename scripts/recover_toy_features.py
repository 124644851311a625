# ruff: noqa: F821
"""Grade sparse autoencoders against the features of a toy model: one dict of parameters in, numbers and cosines out."""

from scripts.monosem import io, joblog


def main(toy: dict, seed: int, result: str, cosines: str) -> None:
    from scripts.monosem.toy import recovery

    described, arrays = recovery.run(recovery.from_params(toy), seed)
    io.save_npz(cosines, **arrays)
    io.write_json({"parameters": toy, "seed": seed, **described}, result)
    best, chance = described["best"], described["controls"]["chance_mmcs"]
    joblog.say(f"best SAE: MMCS {best['mmcs']:.3f} (chance {chance:.3f}), matched {best['matched_share']:.1%}")


if __name__ == "__main__":
    joblog.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(snakemake.params.toy, snakemake.params.seed, snakemake.output.result, snakemake.output.cosines)
