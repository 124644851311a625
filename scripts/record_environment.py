"""Check the environment against the lock and write it down: versions, machine, device, commit."""

from scripts.monosem.core import artefacts, environment
from scripts.monosem.core.job import Job, run, say


def main(job: Job) -> None:
    params = job.params
    facts = environment.record(job.input.lock, params.device, params.threads, params.disk_need_bytes)
    for difference in facts["differences_from_lock"]:
        say(f"warning: {difference}")
    artefacts.write_json(facts, job.output.environment)
    say(f"Python {facts['python']['version']}, torch {facts['torch']['version']} on {facts['torch']['device']}")


if __name__ == "__main__":
    run(main, snakemake)
