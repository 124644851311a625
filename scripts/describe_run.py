"""Write results/ro-crate-metadata.json: a finished run as an RO-Crate, for archives and reviewers.

python -m scripts.describe_run
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import yaml

from scripts.monosem.core import artefacts
from scripts.monosem.reporting import run_crate


def main(results: Path = Path("results")) -> int:
    environment, claims = (artefacts.read_json(results / name) for name in ("environment.json", "claims.json"))
    finished = datetime.fromtimestamp((results / "claims.json").stat().st_mtime, UTC).isoformat(timespec="seconds")
    citation = yaml.safe_load(Path("CITATION.cff").read_text(encoding="utf-8"))
    sources = [reference["url"] for reference in citation["references"]]
    document = run_crate.crate(results, environment, claims["claims"], finished, sources)
    if problems := run_crate.problems(document, results):
        print("\n".join(problems), file=sys.stderr)
        return 1
    artefacts.write_json(document, results / run_crate.METADATA, indent=1)
    print(f"{results / run_crate.METADATA}: the run with {len(document['@graph'])} entities")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except artefacts.ArtefactError as error:
        sys.exit(str(error))
