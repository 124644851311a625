"""Convert an autoencoder: python -m scripts.convert_sae FOLDER TARGET --to saelens|dictionary_learning"""

import argparse

from scripts.monosem.sae import convert


def main() -> None:
    """FOLDER: SAELens', dictionary_learning's or sparsify's files; TARGET: a folder that is made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("target")
    parser.add_argument("--to", choices=convert.FORMATS, required=True)
    arguments = parser.parse_args()
    cfg, tensors = convert.read(arguments.folder)
    convert.write(cfg, tensors, arguments.target, arguments.to)
    print(
        f"{cfg['architecture']} with {cfg['d_sae']:,} latents of {cfg['metadata'].get('hook_name')}: {arguments.target}"
    )


if __name__ == "__main__":
    main()
