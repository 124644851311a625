"""Write models that a finished run has trained into the checkout, where later runs read them instead of training.

snakemake --cores all --configfile paper/from-scratch.yaml
python -m scripts.ship_models onelayer-a onelayer-b onelayer-a-no-mlp
"""

import argparse
import sys
from pathlib import Path

from scripts.monosem.core import artefacts, command
from scripts.monosem.models import shipped
from scripts.monosem.text import corpus, held_out


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="names under models in the configuration")
    parser.add_argument("--corpus", default="python-docs", help="corpus.name of the run (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=Path("results"), help="of the run (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("paper/models"), help="to write (default: %(default)s)")
    given = parser.parse_args(arguments)

    def ship() -> None:
        given.folder.mkdir(parents=True, exist_ok=True)
        documents = corpus.read(given.results / "data" / given.corpus / "documents.jsonl")
        natural = ((item.split, item.text) for item in documents if item.source != corpus.PLANTED)
        held_out.save(natural, given.folder / held_out.FILE)
        recipe = shipped.ship(given.results, given.corpus, given.models, given.folder)
        for name in recipe["sha256"]:
            print(f"{given.folder / name}: {artefacts.human_bytes((given.folder / name).stat().st_size)}")

    return command.run(ship)


if __name__ == "__main__":
    sys.exit(main())
