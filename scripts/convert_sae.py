"""Convert an autoencoder: python -m scripts.convert_sae FOLDER TARGET --to saelens|dictionary_learning"""

import argparse
import sys

from scripts.monosem.core import command
from scripts.monosem.sae import convert


def main() -> None:
    """FOLDER: SAELens', dictionary_learning's or sparsify's files, or a file of OpenAI's; TARGET: a folder to make."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("target")
    parser.add_argument("--to", choices=convert.FORMATS, required=True)
    arguments = parser.parse_args()
    cfg = convert.convert(arguments.folder, arguments.target, arguments.to)
    print(
        f"{cfg['architecture']} with {cfg['d_sae']:,} latents of {cfg['metadata'].get('hook_name')}: {arguments.target}"
    )


if __name__ == "__main__":
    sys.exit(command.run(main))
