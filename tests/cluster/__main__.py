"""The smoke run on a real Slurm cluster of one node, and out of a real bucket: its numbers are those of a local run."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.cluster import bucket, submitted
from tests.hard.common import Tally

PARTS = {"slurm": submitted.slurm_run, "s3": bucket.s3_run}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all if none is named")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir(), "monosem-cluster"))
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    tallies: list[Tally] = [PARTS[name](given.work) for name in given.parts or PARTS]
    for tally in tallies:
        print(
            f"{tally.part}: "
            + (f"skipped, {tally.skipped}" if tally.skipped else f"{tally.survived} of {tally.tried} checks hold")
        )
        for sentence in tally.lost:
            print(f"  LOST {sentence}")
    sys.exit(any(tally.lost for tally in tallies))


if __name__ == "__main__":
    main()
