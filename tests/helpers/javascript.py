"""The page's modules in a JavaScript engine without a browser."""

import base64
import json
from pathlib import Path
from typing import Any

from py_mini_racer import MiniRacer

from scripts.monosem.browser import modules

CORE = Path("paper/browser/core/all.js")


_open: list[MiniRacer] = []


def close_engines() -> None:
    """Close every engine: one that is left to the end of the process may keep it from ending."""
    while _open:
        _open.pop().close()


class Engine:
    """V8 with the computing modules of the page as `core`."""

    def __init__(self) -> None:
        self.v8 = MiniRacer()
        _open.append(self.v8)
        self.v8.eval(modules.bundle(CORE))

    def run(self, body: str, **given: Any) -> Any:
        """The JSON value that a function body returns, in which the given values have their names."""
        values = ", ".join(json.dumps(value) for value in given.values())
        answer = self.v8.eval(f"JSON.stringify((({', '.join(given)}) => {{ {body} }})({values})) ?? 'null'")
        return json.loads(answer)

    def keep(self, name: str, body: str, **given: Any) -> None:
        """Let `name` be what a function body returns, for later calls."""
        values = ", ".join(json.dumps(value) for value in given.values())
        self.v8.eval(f"globalThis.{name} = (({', '.join(given)}) => {{ {body} }})({values}); null")


def as_text(content: bytes) -> str:
    """Bytes for a call: base64."""
    return base64.b64encode(content).decode("ascii")
