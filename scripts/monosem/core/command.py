"""Tools that people call themselves, outside the workflow: what goes wrong is one sentence."""

import sys
from collections.abc import Callable

from scripts.monosem.core.artefacts import ArtefactError


def run(main: Callable[[], None]) -> int:
    """Exit code of a tool: 0, or 1 with one sentence on stderr for files that are missing, foreign or not writable."""
    try:
        main()
    except (ArtefactError, OSError) as error:
        print(str(error) or type(error).__name__, file=sys.stderr)
        return 1
    return 0
