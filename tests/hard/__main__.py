"""Try hard failures and print a table: tried, refused, survived, lost. Ends with an error if something was lost."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.hard import common, files, foreign_files, kills, together
from tests.hard.configurations import configurations

PARTS = {
    "configurations": lambda given: configurations(given.examples, given.commands, given.seed, given.show),
    "kills": lambda given: [kills.kills(given.work, given.kills, given.seed)],
    "compared": lambda given: files.compared(given.work, given.seed),
    "files": lambda given: files.damaged(given.work, given.only, given.seed),
    "foreign": lambda given: foreign_files.foreign_files(given.work, given.mutations, given.seed, given.show),
    "disks": lambda given: files.disks(given.work),
    "together": lambda given: [together.together(given.work)],
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.hard", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all if none is named")
    parser.add_argument("--examples", type=int, default=2000, help="bad configurations that are generated")
    parser.add_argument("--commands", type=int, default=10, help="of them, given to the real command")
    parser.add_argument(
        "--show",
        action="store_true",
        help="print the configurations that were accepted, and how every foreign file ended",
    )
    parser.add_argument("--kills", type=int, default=100, help="kills in all, ten per run")
    parser.add_argument("--only", default="", help="kinds of artefacts to damage: a regular expression")
    parser.add_argument("--mutations", type=int, default=20, help="of each file of each foreign format")
    parser.add_argument("--seed", type=int, default=0, help="of everything random")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir(), "monosem-hard"))
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    tallies: list[common.Tally] = []
    for name in given.parts or PARTS:
        print(name, flush=True)
        tallies += PARTS[name](given)
    for tally in tallies:
        for sentence in tally.lost:
            print(f"LOST {sentence}")
    print("\n".join([common.HEAD, *(tally.row() for tally in tallies)]))
    sys.exit(any(tally.lost for tally in tallies))


if __name__ == "__main__":
    main()
