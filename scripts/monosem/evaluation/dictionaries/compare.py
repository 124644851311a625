"""Whole dictionaries beside one another: universality, splitting and automata, on the same held-out tokens."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from scripts.monosem.core import job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.dictionaries.compare_seeds import universality_part
from scripts.monosem.evaluation.dictionaries.compare_transitions import automata_part
from scripts.monosem.evaluation.dictionaries.compare_widths import splitting_part
from scripts.monosem.evaluation.dictionaries.document import Automata, Splitting, Universality
from scripts.monosem.evaluation.dictionaries.world import Place, narrower_dictionary, read_world


def compare_dictionaries(
    model: Place, second: Place | None, control: Place | None, narrower: Mapping[Path, Path], tokens_folder: Path,
    tokenizer_path: Path, case_latents: Mapping[str, int], parts: Sequence[str], n_tokens: int, seed: int, device: str,
) -> tuple[dict[str, Universality | Splitting | Automata], dict[str, np.ndarray]]:  # fmt: skip
    """Compare a dictionary with that of another seed, with narrower ones, and with itself one token later.

    Args:
        model, second, control: a model and its dictionary; another seed, and permuted weights.
        narrower: codes.npz of narrower dictionaries of the model's site -> folder of the dictionary.
        case_latents: context -> the latent that detects it.
        parts: of "universality", "splitting" and "automata", those that are made.
        n_tokens: of each of validation and test, among those of the codes.
    Returns: part -> contents of its JSON file; arrays for figures, keyed `part/…`.
    Raises: ArtefactError for files that do not belong together.
    """
    world = read_world(model, second, control, tokens_folder, tokenizer_path, n_tokens, seed, device)
    documents: dict[str, Universality | Splitting | Automata] = {}
    arrays: dict[str, dict[str, np.ndarray]] = {}
    if "universality" in parts:
        job.say(f"universality: {world.model.name} and {world.second.name}")
        documents["universality"], arrays["universality"] = universality_part(world, case_latents, seed)
    if "splitting" in parts:
        job.say(f"splitting: {len(narrower)} narrower dictionaries")
        others = [narrower_dictionary(world, codes, folder) for codes, folder in narrower.items()]
        documents["splitting"], arrays["splitting"] = splitting_part(world, others, seed)
    if "automata" in parts:
        job.say("automata")
        documents["automata"] = automata_part(world, derive_seed(seed, "automata"))
    return documents, {f"{part}/{name}": array for part, made in arrays.items() for name, array in made.items()}
