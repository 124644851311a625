"""The architectures of sparse autoencoders, one file each: all that distinguishes an architecture is in its file.

A file begins with its equations and source and with a literal `ARCHITECTURE = Architecture(…)`: the keys that it needs,
its words and its marker. That literal is read from the source text, without running the file: parsing the workflow and
drawing figures must not wait 2.4 s for torch. The functions behind it (see training/equations.py) are imported by
training alone. To add an architecture, add a file and a test of its gradients; a new parameter is a field of SaeConfig.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Architecture:
    """Declaration of one architecture."""

    position: int
    """In lists, legends and tables."""
    label: str
    """Its name for people."""
    marker: str
    """Of matplotlib."""
    required: tuple[str, ...]
    """Parameters that a run must set; the first one sets how sparse the autoencoder is."""
    optional: tuple[str, ...]
    """Parameters that a run may set and that not every architecture has."""
    saved_as: str
    """The SAELens architecture that does the same at inference (model.py has its equation)."""
    on_where: str
    """Completes the sentence 'a latent is on where …'."""
    trained_on: str
    """Loss beside the squared error, constraints and treatment of dead latents."""
    use_for: str
    """When to choose it."""
    unit_rows: bool = True
    """Training keeps the decoder's rows at length 1."""
    pre_encoder_bias: bool = True
    """Training subtracts b_dec before the encoder, unless the parameter of this name says otherwise."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Parameters that it has and some other architecture may lack."""
        return self.required + self.optional


def read(path: Path) -> Architecture:
    """The declaration in an architecture's file."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["ARCHITECTURE"]:
            return Architecture(**{keyword.arg: ast.literal_eval(keyword.value) for keyword in node.value.keywords})
    raise ValueError(f"{path} has no ARCHITECTURE = Architecture(…)")


_FILES = [path for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__"]
ARCHITECTURES: dict[str, Architecture] = dict(
    sorted(((path.stem, read(path)) for path in _FILES), key=lambda item: item[1].position)
)
"""Name in the configuration -> declaration."""


def foreign_keys(architecture: str) -> tuple[str, ...]:
    """Keys that some architecture has and this one has not, sorted."""
    every = {key for each in ARCHITECTURES.values() for key in each.keys}
    return tuple(sorted(every - {*ARCHITECTURES[architecture].keys}))


def sparsity_knob(architecture: str) -> str:
    """The key that sets how sparse an autoencoder is: a number of latents, or the weight of a penalty."""
    return ARCHITECTURES[architecture].required[0]


def missing_key(architecture: str, params: Mapping[str, Any]) -> str | None:
    """The first key that the architecture needs and `params` lacks."""
    return next((key for key in ARCHITECTURES[architecture].required if params.get(key) is None), None)
