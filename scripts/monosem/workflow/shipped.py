"""Models that a configuration takes from the checkout in place of training them. No torch.

`shipped: paper/models` in a configuration names a folder of models and what they depend on (models/shipped.py). A model
is read from there if all of that is what the configuration asks for; a change of one number, or another text, trains.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.monosem.core.artefacts import ArtefactError, plain
from scripts.monosem.models import shipped

Config = dict[str, Any]
TEXT = ("corpus", "tokenizer", "seed")
"""Keys of a configuration that all models of a folder depend on."""


@dataclass(frozen=True)
class Shipped:
    """Models that are read from the folder, and why the rest is not."""

    folder: str | None
    """None where nothing is read from it: tokenizer and splits are then made in the run, too."""
    models: tuple[str, ...]
    """Models that are read."""
    reasons: tuple[str, ...]
    """A sentence for every model, or for all, that the folder has and the run trains."""

    @property
    def files(self) -> list[str]:
        """Files of the folder that all its models share."""
        names = (shipped.RECIPE, shipped.HELD_OUT, *shipped.TOKENIZER)
        return [f"{self.folder}/{name}" for name in names] if self.folder else []

    def files_of(self, model: str) -> list[str]:
        """Files of the folder that one model depends on."""
        return [*self.files, *(f"{self.folder}/{name}" for name in shipped.files_of(model))]


def differences(asked: Any, given: Any, where: str) -> Iterator[str]:
    """Paths of the keys in which two values differ, each with both."""
    if isinstance(asked, dict) and isinstance(given, dict):
        for key in dict.fromkeys((*asked, *given)):
            yield from differences(asked.get(key), given.get(key), f"{where}.{key}")
    elif asked != given:
        yield f"{where} is {asked!r}, there {given!r}"


def of(config: Config) -> Shipped:
    """Models that a configuration takes from its folder.

    Raises: ArtefactError for a folder without a recipe, or with a damaged one.
    """
    folder = config["shipped"]
    trained = {name: model["train"] for name, model in config["models"].items() if "train" in model}
    if folder is None:
        return Shipped(None, (), ())
    if not Path(folder, shipped.RECIPE).is_file():
        raise ArtefactError(
            f"shipped: expected a folder with {shipped.RECIPE}, as `python -m scripts.ship_models` writes it, or null; "
            f"'{folder}' is none"
        )
    recipe = shipped.recipe(folder)
    there = [name for name in trained if name in recipe["train"]]
    for key in TEXT:
        for sentence in differences(plain(config[key]), recipe[key], key):
            reason = f"Models of {folder} are trained in this run: {sentence}"
            return Shipped(None, (), (reason,) if there else ())
    changed = {
        name: next(differences(plain(trained[name]), recipe["train"][name], f"models.{name}.train"), None)
        for name in there
    }
    read = tuple(name for name, sentence in changed.items() if sentence is None)
    reasons = tuple(f"{name} is trained in this run: {sentence}" for name, sentence in changed.items() if sentence)
    return Shipped(folder, read, reasons) if read else Shipped(None, (), reasons)
