"""Compare the variants of all sweeps of one site: what their settings are chosen by.

    snakemake FIDELITY.json --cores 2 --configfile paper/sae-settings.yaml
    python -m scripts.compare_saes FIDELITY.json

FIDELITY.json is results/evaluation/<model>/<site>/fidelity.json. The split that it was measured on comes first.
"""

import argparse
import sys
from pathlib import Path

from scripts.monosem.core import artefacts, command
from scripts.monosem.reporting import tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fidelity", type=Path)
    path = parser.parse_args().fidelity
    document = artefacts.read_json(path)
    try:
        lines = [
            f"{document['split']} split, {document['n_tokens']:,} tokens of {document['model']} at {document['site']}"
        ]
        lines += [f"{name}:\n\n{tables.sweep(variants)}" for name, variants in document["sweeps"].items()]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise artefacts.ArtefactError(
            f"{path} is no fidelity.json of results/evaluation/<model>/<site>/, which has split, sweeps and their rows"
        ) from None
    print("\n\n".join(lines))


if __name__ == "__main__":
    sys.exit(command.run(main))
