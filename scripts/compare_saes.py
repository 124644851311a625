"""Compare the variants of all sweeps of one site: what their settings are chosen by.

    snakemake FIDELITY.json --cores 2 --configfile paper/sae-settings.yaml
    python -m scripts.compare_saes FIDELITY.json

FIDELITY.json is results/evaluation/<model>/<site>/fidelity.json. The split that it was measured on comes first.
"""

import argparse
from pathlib import Path

from scripts.monosem.core import artefacts
from scripts.monosem.reporting import tables


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fidelity", type=Path)
    document = artefacts.read_json(parser.parse_args(arguments).fidelity)
    print(f"{document['split']} split, {document['n_tokens']:,} tokens of {document['model']} at {document['site']}")
    for name, variants in document["sweeps"].items():
        print(f"\n{name}:\n\n{tables.sweep(variants)}")


if __name__ == "__main__":
    main()
