"""Latents that tell sets of prompts apart, and text that the model writes with the best of them pinned."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from tokenizers import Tokenizer

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.interventions import pin
from scripts.monosem.evaluation.prompts.document import PromptSets, RankedLatent

PROMPT = "When I woke up this morning, I"
BEST, LISTED = 2, 10
"""Latents per set that are pinned, and that are listed."""
TOKENS, DOSE = 20, 1.0
"""Length of a sample; value in multiples of the latent's largest activation."""


@dataclass(frozen=True)
class Ranked:
    """A latent of high correlation with membership in a set."""

    latent: int
    mean_correlation: float
    confirmed: bool
    """On other prompts, pooled by mean or maximum."""
    sample: str | None
    """Text written with the latent pinned; None for those beyond the best."""


@dataclass(frozen=True)
class Moods:
    """Sets of prompts with their latents, and samples that all go on from one prompt."""

    prompt: str
    dose: float
    free: str
    """Text written with nothing pinned, by the same random numbers."""
    sets: dict[str, tuple[Ranked, ...]]


def moods_of(
    target: pin.Target, tokenizer: Tokenizer, eos: int, context: int, prompts: PromptSets,
    largest: Float[np.ndarray, " latents"], seed: int,
) -> Moods:  # fmt: skip
    """Rankings of prompts.json, and samples of the best latents of each set."""
    names = [name for name in prompts.sets if name != prompts.baseline]
    chosen = {name: prompts.sets[name].ranking[:LISTED] for name in names}
    pinned = [each.latent for name in names for each in chosen[name][:BEST]]
    units = np.array([*pinned, 0], np.int64)
    pins = pin.Pins(
        unit=units,
        value=DOSE * largest[units].astype(np.float64),
        active=np.arange(len(units)) < len(pinned),
        stream=np.zeros(len(units), np.int64),
    )
    prompt = pin.encoded_prompt(tokenizer, PROMPT, eos, context)
    room = min(TOKENS, context - len(prompt))
    ids, _ = pin.sample(target, prompt, pins, room, derive_seed(seed, "moods") % 2**32)
    *texts, free = pin.decoded(tokenizer, ids)
    samples = iter(texts)

    def ranked(number: int, each: RankedLatent) -> Ranked:
        sample = next(samples) if number < BEST else None
        return Ranked(each.latent, each.mean_correlation, each.confirmed_mean or each.confirmed_max, sample)

    sets = {name: tuple(ranked(number, each) for number, each in enumerate(chosen[name])) for name in names}
    return Moods(PROMPT, DOSE, free, sets)
