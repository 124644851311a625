"""Print how a finished run agrees with the reference run; ends with an error if it does not confirm it.

make verify                          the run that is needed for it, then this
python -m scripts.verify --keep      take this run as the reference
"""

import argparse
import sys
from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.workflow import outputs

AGREEMENT, REFERENCE = Path(outputs.AGREEMENT), Path(outputs.REFERENCE)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help=f"write this run to {REFERENCE}")
    given = parser.parse_args(arguments)
    document = artefacts.read_json(AGREEMENT)
    if given.keep:
        artefacts.write_json(document["run"], REFERENCE, indent=1)
        print(f"{REFERENCE} is this run now")
        return 0
    print("\n".join(document["lines"]))
    return 0 if document["agreement"] and document["agreement"]["holds"] else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except artefacts.ArtefactError as error:
        sys.exit(str(error))
