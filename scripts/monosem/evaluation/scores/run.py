"""Score units of one site: open what belongs together, draw the populations, explain, score, summarise."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Integer
from tokenizers import Tokenizer
from torch import nn

from scripts.monosem.core import artefacts, job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.latents import stored_codes
from scripts.monosem.evaluation.latents.stored_codes import SPLITS, CodesOfText
from scripts.monosem.evaluation.latents.text_rows import Text, read_rows
from scripts.monosem.evaluation.latents.unit_activations import Subject, open_subject
from scripts.monosem.evaluation.scores import logit_test, n2g, populations, scoring, summary
from scripts.monosem.evaluation.scores.document import (
    ExplainedUnit,
    Explanations,
    Pattern,
    PopulationScores,
    SampleScores,
    Scores,
)
from scripts.monosem.evaluation.scores.populations import Population, Sample
from scripts.monosem.evaluation.scores.scoring import Material, SplitRows
from scripts.monosem.evaluation.scores.token_vectors import TokenVectors, token_vectors
from scripts.monosem.evaluation.scores.trie import WILDCARD, Backwards, Node
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.models.sites import Site
from scripts.monosem.text.bpe import load_tokenizer
from scripts.monosem.text.tokens import load_tokens

COMPARED = ("latents", "neurons")
"""Populations that all others are compared with."""
PATTERNS = 12
"""Listed per unit."""


@dataclass(frozen=True)
class Judge:
    """The model that compares examples."""

    model: nn.Module
    site: Site


def populations_of(
    subject: Subject, text: Text, control: Subject | None, control_codes: CodesOfText | None, seed: int
) -> dict[str, Population]:
    """The populations by name; without a control the last is left out.

    Raises: ArtefactError for a control that was read on other text.
    """
    model, site, codes = subject.model, subject.site, text.codes
    matrices = {split: codes.matrix(split) for split in SPLITS}
    l0 = matrices["validation"].nnz / matrices["validation"].shape[0]
    x = {split: read_rows(model, site, text, split) for split in SPLITS}
    made = {
        "latents": populations.latents("latents of the autoencoder", model, site, subject.sae, matrices),
        "neurons": populations.neurons(model, site, subject.sae, x),
        "rotated": populations.rotated_neurons(model, site, subject.sae, x, seed),
        "random": populations.random_latents(model, site, subject.sae, x, max(1, round(l0)), seed),
    }
    if control is not None and control_codes is not None:
        for split in SPLITS:
            if not np.array_equal(control_codes.splits[split].places, codes.splits[split].places):
                raise artefacts.ArtefactError("the control's codes are of other text than those of the autoencoder")
        matrices = {split: control_codes.matrix(split) for split in SPLITS}
        what = "latents of the permuted model's own autoencoder"
        made["permuted"] = populations.latents(what, control.model, control.site, control.sae, matrices)
    return made


def material_of(text: Text, judge: Judge, vectors: TokenVectors, seed: int) -> Material:
    """All that units are scored with."""
    rows = {}
    for split, stream in text.splits.items():
        places = text.codes.splits[split].places
        backwards = Backwards.of(
            stream.tokens, places, text.window_starts(split), n2g.LENGTHS[-1], stream.vocab_size, stream.eos_token_id
        )
        hidden = read_rows(judge.model, judge.site, text, split)
        rows[split] = SplitRows(text.tokens(split), backwards, hidden)
    return Material(rows["validation"], rows["test"], vectors, rows["validation"].hidden.mean(0), seed)


@dataclass(frozen=True)
class Explained:
    """A sample with its tries, logit weights and scores."""

    sample: Sample
    tries: list[Node]
    weights: Float[np.ndarray, "units vocab"] | None
    scored: summary.Scored


def explain(
    sample: Sample, material: Material, train_counts: Integer[np.ndarray, " vocab"], n_examples: int, eos_token_id: int
) -> Explained:
    """Explain and score every unit of a sample."""
    seed = derive_seed(material.seed, "N2G examples")
    tries = n2g.fit(
        sample, material.validation.backwards, train_counts, material.vectors, n_examples, eos_token_id, seed
    )
    weights = scoring.weights_of(sample, material.vectors)
    units = [
        scoring.score_unit(sample, place, tries[place], None if weights is None else weights[place], material)
        for place in range(len(sample.index))
    ]
    return Explained(sample, tries, weights, summary.Scored.of(sample.index, units))


def explained_units(explained: Explained, vectors: TokenVectors, tokenizer: Tokenizer) -> tuple[ExplainedUnit, ...]:
    """Explanations in words, for readers."""

    def decode(token: int | np.integer) -> str | None:
        return None if token == WILDCARD else tokenizer.decode([int(token)], skip_special_tokens=False)

    def number(value: np.floating) -> float | None:
        return float(value) if np.isfinite(value) else None

    units = []
    for place, unit in enumerate(explained.sample.index):
        patterns = sorted(explained.tries[place].leaves(), key=lambda leaf: -leaf[1])[:PATTERNS]
        top = []
        if explained.weights is not None:
            top = logit_test.explained_tokens(explained.weights[place], vectors.usual, logit_test.EXPLAINED)
        scores = {name: number(values[place]) for name, values in explained.scored.scores.items()}
        units.append(
            ExplainedUnit(
                index=int(unit),
                density=scores.pop("density"),
                scores=scores,
                patterns=tuple(Pattern(tuple(map(decode, tokens[::-1])), value) for tokens, value in patterns),
                logit_tokens=tuple(map(decode, top)),
            )
        )
    return tuple(units)


def score_units(
    model_folder: Path, tokens_folder: Path, tokenizer_path: Path, sae_folder: Path, codes_path: Path,
    control: tuple[Path, Path, Path] | None, judge: tuple[Path, str], settings: Mapping[str, Any], seed: int,
    device: str,
) -> tuple[Scores, Explanations, dict[str, np.ndarray]]:  # fmt: skip
    """Score the latents of one autoencoder beside other populations of units.

    Args:
        control: folders of the permuted model and of its autoencoder, and its codes; None where there is none.
        judge: folder of the model that compares examples, and the site of its hidden states.
        settings: {"units", "examples", "bootstrap"}.
    Returns: contents of scores.json, explanations.json and scores.npz (`{population}.{variant}.{score}` per unit).
    Raises: ArtefactError for files that do not belong together.
    """
    subject = open_subject(model_folder, sae_folder, device)
    splits = {split: load_tokens(tokens_folder, split) for split in SPLITS}
    codes = stored_codes.load(codes_path)
    text = Text(load_tokens(tokens_folder, "train"), splits, codes, subject.drop_first_position)
    eos, vocab = text.train.eos_token_id, subject.model.config.vocab_size
    counts = np.bincount(text.train.tokens, minlength=vocab)
    job.say("vectors of tokens, from their neighbours in training text")
    vectors = token_vectors(text.train.tokens, vocab, eos, derive_seed(seed, "token vectors"))
    judge_model = load_model(judge[0], device)
    material = material_of(text, Judge(judge_model, sites.resolve(judge_model, judge[1])), vectors, seed)
    control_subject = open_subject(control[0], control[1], device) if control else None
    everything = populations_of(
        subject, text, control_subject, stored_codes.load(control[2]) if control else None, seed
    )
    latents = populations.draw(everything["latents"], settings["units"], derive_seed(seed, "scored", "latents"))
    made: dict[str, dict[str, Explained]] = {}
    for name, population in everything.items():
        job.say(f"{name}: {settings['units']} units, as they are and at the latents' density")
        samples = {"raw": latents, "equal_density": latents}
        if name != "latents":
            seeds = [derive_seed(seed, "scored", name, variant) for variant in samples]
            samples = {
                "raw": populations.draw(population, settings["units"], seeds[0]),
                "equal_density": populations.at_density_of(population, latents, seeds[1]),
            }
        made[name] = {}
        for variant, sample in samples.items():
            same = name == "latents" and "raw" in made[name]
            made[name][variant] = (
                made[name]["raw"] if same else explain(sample, material, counts, settings["examples"], eos)
            )
    resamplings = settings["bootstrap"]

    def summarised(name: str, variant: str) -> SampleScores:
        others = {other: made[other][variant].scored for other in COMPARED if other != name}
        paired = variant == "equal_density"
        return summary.summarise(made[name][variant].scored, others, paired, resamplings, seed)

    identity = {"model": model_folder.name, "site": subject.site.name, "run": sae_folder.name}
    scores = Scores(
        **identity,
        control=control[0].name if control else None,
        judge=f"{judge[0].name} at {judge[1]}",
        n_tokens={split: len(rows.places) for split, rows in codes.splits.items()},
        conventions=n2g.CONVENTIONS | scoring.SCORES | {f"by_interval/{k}": v for k, v in scoring.BY_INTERVAL.items()},
        populations={
            name: PopulationScores(
                what=population.what,
                n_live=int((population.validation.fired() >= populations.LIVE).sum()),
                raw=summarised(name, "raw"),
                equal_density=summarised(name, "equal_density"),
            )
            for name, population in everything.items()
        },
    )
    tokenizer = load_tokenizer(tokenizer_path)
    explanations = Explanations(
        **identity,
        populations={name: explained_units(each["raw"], vectors, tokenizer) for name, each in made.items()},
    )
    arrays = {
        f"{name}.{variant}.{score}": values.astype(np.float32)
        for name, variants in made.items()
        for variant, explained in variants.items()
        for score, values in explained.scored.scores.items()
    }
    return scores, explanations, arrays
