"""Fetch a model or a sparse autoencoder from the hub into its cache; the workflow reads only what is on this machine.

    python -m scripts.fetch_model EleutherAI/pythia-70m --revision a39f36b
    python -m scripts.fetch_model jbloom/GPT2-Small-SAEs-Reformatted --sae blocks.8.hook_resid_pre

HF_ENDPOINT names a mirror, HF_HOME or HF_HUB_CACHE another cache.
"""

import argparse
import sys

from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.models.hub import fetch
from scripts.monosem.sae.hub import fetch_sae


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="owner/name on the hub")
    parser.add_argument("--revision", help="commit, tag or branch")
    parser.add_argument("--sae", metavar="FOLDER", help="a sparse autoencoder in this folder of the repository (or .)")
    parser.add_argument(
        "--allow-pickle", action="store_true", help="take pytorch_model.bin where there is no safetensors"
    )
    parser.add_argument("--optional", action="store_true", help="one sentence and success where it cannot be fetched")
    given = parser.parse_args(arguments)
    try:
        if given.sae is not None:
            print(fetch_sae(given.name, given.sae if given.sae != "." else None, given.revision))
        else:
            print(fetch(given.name, given.revision, given.allow_pickle))
    except (ArtefactError, OSError) as error:
        print(error, file=sys.stderr)
        return 0 if given.optional else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
