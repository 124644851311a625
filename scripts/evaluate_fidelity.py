"""Evaluate all sparse autoencoders of one site on held-out text, beside ablations and baselines at equal L0."""

from scripts.monosem.core import artefacts
from scripts.monosem.core.job import Job, run


def main(job: Job) -> None:
    device = job.device
    from scripts.monosem.evaluation.documents import to_json
    from scripts.monosem.evaluation.fidelity import site

    result, densities, norms = site.evaluate_site(
        job.folder("model"),
        job.folder("tokens"),
        job.folder("activations"),
        job.folders("saes"),
        job.params.evaluation,
        job.params.seed,
        device,
        job.folder("neighbour"),
        job.folder("twin"),
    )
    artefacts.save_npz(job.output.densities, **densities)
    artefacts.save_npz(job.output.norms, **norms)
    artefacts.write_json(to_json(result), job.output.fidelity)


if __name__ == "__main__":
    run(main, snakemake)
