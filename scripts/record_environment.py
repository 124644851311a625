"""Check the environment against the lock and write it down: versions, machine, device, commit."""

from scripts.monosem.core import artefacts, environment, job


def main(lock: str, device: str, threads: dict[str, int], disk_need_bytes: int, path_to_environment: str) -> None:
    facts = environment.record(lock, device, threads, disk_need_bytes)
    for difference in facts["differences_from_lock"]:
        job.say(f"warning: {difference}")
    artefacts.write_json(facts, path_to_environment)
    job.say(f"Python {facts['python']['version']}, torch {facts['torch']['version']} on {facts['torch']['device']}")


if __name__ == "__main__":
    job.start(snakemake.log[0], snakemake.rule, dict(snakemake.wildcards), snakemake.threads)
    main(
        lock=snakemake.input.lock,
        device=snakemake.params.device,
        threads=snakemake.params.threads,
        disk_need_bytes=snakemake.params.disk_need_bytes,
        path_to_environment=snakemake.output.environment,
    )
