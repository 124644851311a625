"""Export an autoencoder of a run: python -m scripts.export_sae results/sae/MODEL/SITE/RUN TARGET --tokens FOLDER"""

import argparse
import sys
from pathlib import Path

from scripts.monosem.core import command


def main() -> None:
    """FOLDER of --tokens: results/data/CORPUS/tokens/TOKENIZER; TARGET: a folder to make."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sae", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--tokens", type=Path, required=True)
    arguments = parser.parse_args()
    from scripts.monosem.browser import export

    *_, model, site, run = arguments.sae.parts
    results = arguments.sae.parents[3]
    codes = results / "evaluation" / model / site / run / "codes.npz"
    count = export.export(arguments.sae, results / "models" / model, arguments.tokens, codes, arguments.target)
    print(f"{count:,} latents: {arguments.target}/saelens and {arguments.target}/neuronpedia")


if __name__ == "__main__":
    sys.exit(command.run(main))
