"""Rules about text, language models and the chapters that they are for."""

import importlib.util
import math
from collections.abc import Iterator
from pathlib import Path

from scripts.monosem.text.external import SUFFIXES, text_files
from scripts.monosem.workflow.checks.common import Check, Config, exists


def corpus_has_a_source(config: Config) -> Iterator[str]:
    """Text comes from somewhere, and a folder has some."""
    corpus = config["corpus"]
    sources = ("hub", "folder", "installed")
    if not any(source in corpus for source in sources):
        yield f"corpus: expected one of {', '.join(sources)}, found none"
    if "folder" in corpus and "hub" not in corpus:
        folder = Path(corpus["folder"])
        if not folder.is_dir():
            yield f"corpus.folder: expected a folder with text files, '{folder}' is none"
        elif not any(text_files(folder)):
            yield f"corpus.folder: expected files ending in {', '.join(sorted(SUFFIXES))}, '{folder}' has none"


def installed_packages_are_there(config: Config) -> Iterator[str]:
    """Packages whose documentation is the text are installed, where it is."""
    corpus = config["corpus"]
    if "installed" not in corpus or "hub" in corpus or "folder" in corpus:
        return
    packages = corpus["installed"]["packages"]
    for number, name in enumerate(packages):
        if not name.isidentifier() or importlib.util.find_spec(name) is None:
            where = f"corpus.installed.packages[{number}]"
            yield f"{where}: expected the import name of an installed package, '{name}' is none"
    if not packages and not corpus["installed"]["standard_library"]:
        yield "corpus.installed: expected packages or standard_library: true, found neither"


def splits_add_up(config: Config) -> Iterator[str]:
    """Every document is in one split."""
    total = math.fsum(config["corpus"]["split"].values())
    if not math.isclose(total, 1.0, abs_tol=1e-9):
        yield f"corpus.split: expected shares that add up to 1, found {total:g}"


def some_length_is_kept(config: Config) -> Iterator[str]:
    """A document can be neither too short nor too long."""
    shortest, longest = config["corpus"]["min_characters"], config["corpus"]["max_characters"]
    if shortest >= longest:
        yield f"corpus.min_characters: expected less than max_characters = {longest}, found {shortest}"


def heads_divide_the_width(config: Config) -> Iterator[str]:
    """Every head gets the same number of dimensions."""
    for name, model in config["models"].items():
        shape = model["train"]["architecture"] if "train" in model else {"n_embd": 0, "n_head": 1}
        if shape["n_embd"] % shape["n_head"]:
            where = f"models.{name}.train.architecture.n_head"
            yield f"{where}: expected a divisor of n_embd ({shape['n_embd']}), found {shape['n_head']}"


def training_has_a_step(config: Config) -> Iterator[str]:
    """The budget pays for a batch."""
    for name, model in config["models"].items():
        train = model.get("train")
        step = train and train["batch_size"] * train["architecture"]["n_positions"]
        if train and train["tokens"] < step:
            yield (
                f"models.{name}.train.tokens: expected at least one step of batch_size x n_positions = {step} tokens, "
                f"found {train['tokens']}"
            )


def pretrained_model_has_one_source(config: Config) -> Iterator[str]:
    """A pretrained model is a folder or repository (`name`), or a GGUF file, which is one file of one revision."""
    for name, model in config["models"].items():
        settings, where = model.get("pretrained", {"name": ""}), f"models.{name}.pretrained"
        if ("name" in settings) == ("gguf" in settings):
            given = "both" if "name" in settings else "neither"
            yield f"{where}: expected name (a folder or hub name) or gguf (a file), found {given}"
        for key in ("revision", "allow_pickle"):
            if key in settings and "gguf" in settings:
                yield f"{where}.{key}: a GGUF file has none; take the key away"


def shuffled_model_has_a_source(config: Config) -> Iterator[str]:
    """It is made of a model that is trained here."""
    trained = [name for name, model in config["models"].items() if "train" in model]
    for name, model in config["models"].items():
        if "shuffle" in model:
            yield from exists(trained, model["shuffle"]["of"], f"models.{name}.shuffle.of", "the trained model")


def one_layer_chapter_has_models(config: Config) -> Iterator[str]:
    """Chapter 2 is about models that exist, and its control is a shuffled one."""
    chapter = config["chapters"]["one_layer"]
    for role, name in chapter.items():
        yield from exists(config["models"], name, f"chapters.one_layer.{role}", "the model")
    control = chapter.get("control")
    if control and "shuffle" not in config["models"][control]:
        yield f"chapters.one_layer.control: expected a model of kind shuffle, found '{control}'"


def model_without_mlp_differs_in_that_alone(config: Config) -> Iterator[str]:
    """Its loss says what the MLP of the model under study is worth only if nothing else is different."""
    chapter, where = config["chapters"]["one_layer"], "chapters.one_layer.without_mlp"
    models = [config["models"].get(chapter.get(role), {}).get("train") for role in ("model", "without_mlp")]
    if chapter.get("without_mlp") and chapter["without_mlp"] in config["models"]:
        if None in models:
            yield f"{where}: expected that it and chapters.one_layer.model are trained here (kind train)"
            return
        ours, twin = (
            {**train, **{f"architecture.{key}": value for key, value in train["architecture"].items()}}
            for train in models
        )
        if twin["architecture.n_inner"] != 0:
            yield f"{where}: expected a model with architecture.n_inner 0, found {twin['architecture.n_inner']}"
        keys = sorted((set(ours) | set(twin)) - {"architecture", "architecture.n_inner"})
        if different := next((key for key in keys if ours.get(key) != twin.get(key)), None):
            yield (
                f"{where}: expected the settings of chapters.one_layer.model in everything but architecture.n_inner, "
                f"found another {different}: {twin.get(different)} instead of {ours.get(different)}"
            )


def language_model_chapter_has_a_model(config: Config) -> Iterator[str]:
    """Chapter 3 is about a model that exists; `auto` chooses one that is on this machine."""
    chapter, where = config["chapters"]["language_model"], "chapters.language_model"
    for number, name in enumerate(chapter["candidates"]):
        yield from exists(config["models"], name, f"{where}.candidates[{number}]", "the model")
    yield from exists(["auto", *config["models"]], chapter["model"], f"{where}.model", "the model")


def token_counts_are_of_models(config: Config) -> Iterator[str]:
    """Numbers of tokens by model name models."""
    for name in config["activations"]["tokens"]:
        yield from exists(["default", *config["models"]], name, f"activations.tokens.{name}", "the model")
    for name in config["evaluation"].get("tokens_of", {}):
        yield from exists(config["models"], name, f"evaluation.tokens_of.{name}", "the model")


CHECKS: tuple[Check, ...] = (
    corpus_has_a_source,
    installed_packages_are_there,
    splits_add_up,
    some_length_is_kept,
    heads_divide_the_width,
    training_has_a_step,
    pretrained_model_has_one_source,
    shuffled_model_has_a_source,
    one_layer_chapter_has_models,
    model_without_mlp_differs_in_that_alone,
    language_model_chapter_has_a_model,
    token_counts_are_of_models,
)
