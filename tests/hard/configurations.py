"""Bad configurations, generated from the declaration: each is refused while parsing, with the key's path.

One or two mistakes are put into the smoke configuration. What is accepted all the same must be one that runs: its names
resolve, and every job's parameters can be built from it.
"""

import copy
import difflib
import json
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import yaml
from hypothesis import strategies as st

from scripts.monosem.core.declaration import from_params
from scripts.monosem.sae import config as sae_config
from scripts.monosem.toy.settings import CONFIGS
from scripts.monosem.workflow import outputs, outputs_analysis, outputs_toy, plan, validate
from scripts.monosem.workflow.checks import interventions, pretrained_saes
from scripts.monosem.workflow.declaration.configuration import configuration_schema
from scripts.monosem.workflow.schema import Schema
from scripts.monosem.workflow.sentences import path_of
from tests.hard import common

SECONDS = 3.0
Path_ = tuple[str | int, ...]
GONE = "(gone)"
# what people write by mistake in place of a value
STRANGE = (
    "many", "1e-3", "1e6", "yes", "", " ", "null", "3 ", "a\nb", "../x", "ü", 0, -1, 1, 2, 1.5, -0.5, 1e-9, 10**30,
    float("nan"), float("inf"), float("-inf"), True, False, None, (), {}, ("a",), (None,), (1, 1), {"a": 1}, {1: 2},
    {None: None}, ((),),
)  # fmt: skip


@dataclass(frozen=True)
class Mistake:
    """One change of a configuration."""

    kind: str
    """misspelt, mistyped, out of range, missing, contradictory."""
    path: Path_
    """Where it is."""
    value: Any
    """What is there then; a new name of the key where it is misspelt."""
    certain: bool
    """Whether no right configuration can have it."""

    def __str__(self) -> str:
        return f"{self.kind} {path_of(self.path)} = {self.value!r}"


def base_configuration() -> dict[str, Any]:
    """The smoke configuration over the default one; no part of it is shared between two keys."""
    whole: dict[str, Any] = {}
    for path in ("config.yaml", *sorted(Path("config").glob("*.yaml")), "tests/smoke.yaml"):
        validate.overlay_(whole, yaml.load(Path(path).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
    return json.loads(json.dumps(whole))


def values_of(config: Any, form: Schema, path: Path_ = ()) -> Iterator[tuple[Path_, Any, Schema]]:
    """(path, value, schema) of everything below a configuration, inner values too."""
    if path:
        yield path, config, form
    if isinstance(config, dict):
        for key, value in config.items():
            inner = form.get("properties", {}).get(key, form.get("additionalProperties"))
            if isinstance(inner, dict):
                yield from values_of(value, inner, (*path, key))
    elif isinstance(config, list):
        for number, value in enumerate(config):
            yield from values_of(value, form.get("items", {}), (*path, number))


def at(config: Any, path: Path_) -> Any:
    """The value at a path."""
    for part in path:
        config = config[part]
    return config


def typos(key: str) -> list[str]:
    """A key with one letter left out, doubled, swapped with the next, or another first letter."""
    swapped = [key[:i] + key[i + 1] + key[i] + key[i + 2 :] for i in range(len(key) - 1)]
    dropped = [key[:i] + key[i + 1 :] for i in range(len(key))]
    doubled = [key[:i] + key[i] + key[i:] for i in range(len(key))]
    others = [key.upper(), key.replace("_", "-"), key.replace("_", ""), f"{key}s", f" {key}", f"x{key[1:]}"]
    return [typo for typo in (*swapped, *dropped, *doubled, *others) if typo not in (key, "")]


def beyond(form: Schema) -> list[Any]:
    """Numbers outside the range of a schema."""
    whole = form.get("type") == "integer"
    step = 1 if whole else 1e-6
    found = [form["minimum"] - step] if "minimum" in form else []
    found += [form["maximum"] + step] if "maximum" in form else []
    found += [form[key] for key in ("exclusiveMinimum", "exclusiveMaximum") if key in form]
    found += [-(10**6)] if {"minimum", "exclusiveMinimum"} & set(form) else []
    return [round(number) if whole else number for number in found] + [float("nan"), float("inf"), float("-inf")]


def kinds_of(form: Schema) -> set[str]:
    """JSON types that a schema allows; all if it doesn't say."""
    if "enum" in form:
        return {"string"}
    kinds = form.get("type", ["integer", "number", "string", "boolean", "null", "array", "object"])
    return {kinds} if isinstance(kinds, str) else set(kinds)


def kind_of(value: Any) -> str:
    """JSON type of a value."""
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return names.get(type(value), "object" if isinstance(value, dict) else "array")


def is_of_kind(value: Any, form: Schema) -> bool:
    """Whether a value has a type that the schema allows."""
    kind, allowed = kind_of(value), kinds_of(form)
    return kind in allowed or (kind == "integer" and "number" in allowed)


def mistakes(config: dict[str, Any]) -> st.SearchStrategy[Mistake]:
    """Single mistakes in a valid configuration."""
    places = list(values_of(config, configuration_schema(config)))
    closed = [
        (path, key)
        for path, value, form in [((), config, configuration_schema(config)), *places]
        if isinstance(value, dict) and form.get("additionalProperties") is False
        for key in value
    ]
    needed = [
        (*path, key)
        for path, value, form in [((), config, configuration_schema(config)), *places]
        if isinstance(value, dict)
        for key in value
        if key in form.get("required", ())
    ]
    numbers = [(path, form) for path, _, form in places if kinds_of(form) <= {"integer", "number"}]
    by_kind: dict[str, list[Any]] = {}
    for _, value, _ in places:
        by_kind.setdefault(kind_of(value), []).append(value)
    names = sorted({part for path, *_ in places for part in path if isinstance(part, str)})
    texts = sorted({value for value in by_kind["string"]} | set(names))

    def misspelt(place: tuple[Path_, str]) -> st.SearchStrategy[Mistake]:
        path, key = place
        return st.sampled_from(typos(key)).map(lambda typo: Mistake("misspelt", (*path, key), typo, True))

    def mistyped(place: tuple[Path_, Any, Schema]) -> st.SearchStrategy[Mistake]:
        path, _, form = place
        wrong = [value for value in STRANGE if not is_of_kind(value, form)]
        return st.sampled_from(wrong).map(lambda value: Mistake("mistyped", path, value, True))

    def odd(place: tuple[Path_, Any, Schema]) -> st.SearchStrategy[Mistake]:
        return st.sampled_from(STRANGE).map(lambda value: Mistake("contradictory", place[0], value, False))

    def out_of_range(place: tuple[Path_, Schema]) -> st.SearchStrategy[Mistake]:
        path, form = place
        return st.sampled_from(beyond(form)).map(lambda value: Mistake("out of range", path, value, True))

    def contradictory(place: tuple[Path_, Any, Schema]) -> st.SearchStrategy[Mistake]:
        """Another value of the right type: a number in range, a name from elsewhere, another mapping."""
        path, value, form = place
        if isinstance(value, str):
            others = st.sampled_from(form.get("enum", texts))
        elif kind_of(value) in ("integer", "number"):
            others = st.sampled_from([1, 2, 3, 7, 64, 1000, *by_kind["integer"], *by_kind.get("number", [])])
        else:
            others = st.sampled_from([*by_kind[kind_of(value)], [], {}])
        return others.map(lambda other: Mistake("contradictory", path, copy.deepcopy(other), False))

    anything_of = [place for place in places if kinds_of(place[2]) != kinds_of({})]
    return st.one_of(
        st.sampled_from(closed).flatmap(misspelt),
        st.sampled_from(anything_of).flatmap(mistyped),
        st.sampled_from(numbers).flatmap(out_of_range),
        st.sampled_from(needed).map(lambda path: Mistake("missing", path, GONE, True)),
        st.sampled_from([path for path, *_ in places]).map(lambda path: Mistake("missing", path, GONE, False)),
        st.sampled_from(places).flatmap(contradictory),
        st.sampled_from(places).flatmap(contradictory),
        st.sampled_from(places).flatmap(odd),
    )


def plain(value: Any) -> Any:
    """Tuples as the lists that YAML has."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


def with_mistake(config: dict[str, Any], mistake: Mistake) -> None:
    """Make a mistake, unless an earlier one took its place away."""
    try:
        parent = at(config, mistake.path[:-1])
        last = mistake.path[-1]
        if mistake.kind == "misspelt":
            parent[mistake.value] = parent.pop(last)
        elif isinstance(mistake.value, str) and mistake.value == GONE:
            del parent[last]
        else:
            parent[last] = plain(mistake.value)
    except (KeyError, IndexError, TypeError):
        pass


def settings_of_jobs(config: dict[str, Any]) -> None:
    """Everything that the rules make of a configuration: names of files, and parameters as the jobs build them."""
    the_plan = plan.make_plan(config)
    plan.disk_need_bytes(config, the_plan)
    for name in ("families", "trainings", "curves", "fidelities", "sae_curves", "control"):
        function = getattr(outputs, name)
        given = {"config": config, "the_plan": the_plan}
        function(**{key: given[key] for key in function.__annotations__ if key in given})
    outputs_analysis.texts(config)
    for run in {run for runs in the_plan.sites.values() for run in runs}:
        if not pretrained_saes.is_pretrained(config["sae"]["runs"][run]):
            settings = {**config["sae"]["defaults"], **config["sae"]["runs"][run]}
            given = {key: value for key, value in settings.items() if key not in ("threads", "seed")}
            sae_config.from_params(given)
    for settings in outputs_toy.experiments(config["toy"]).values():
        given = {key: value for key, value in settings.items() if key not in ("kind", "seed")}
        from_params(CONFIGS[settings["kind"]], given)
    for name in interventions.entries(config):
        interventions.settings(config, name)


def judge(config: dict[str, Any], made: Sequence[Mistake]) -> tuple[str, str]:
    """('refused', sentence), ('survived', ''), or ('lost', why)."""
    before, began = time.process_time(), time.perf_counter()
    try:
        validate.check(config)
    except validate.ConfigError as error:
        took = min(time.process_time() - before, time.perf_counter() - began)
        sentence = str(error)
        if took > SECONDS:
            return "lost", f"took {took:.1f} s: {sentence}"
        return _judge_sentence(sentence, config, made)
    except Exception as error:
        return "lost", f"{type(error).__name__} in place of a sentence: {error}"
    if any(mistake.certain for mistake in made) and len(made) == 1:
        return "lost", "accepted"
    try:
        settings_of_jobs(config)
    except Exception as error:
        return "lost", f"accepted, then {type(error).__name__}: {error}"
    return "survived", ""


def _judge_sentence(sentence: str, config: dict[str, Any], made: Sequence[Mistake]) -> tuple[str, str]:
    """One line that begins with a path; for a mistake that is certain, with the path of that mistake."""
    if "\n" in sentence:
        return "lost", f"several lines: {sentence!r}"
    if len(made) > 1 or not made[0].certain:
        first = re.match(r"[^.:\[ ]*", sentence).group()
        return ("refused", sentence) if first in config or "no known key" in sentence or "is missing" in sentence else (
            "lost", f"no path: {sentence}")  # fmt: skip
    mistake = made[0]
    path = (*mistake.path[:-1], mistake.value) if mistake.kind == "misspelt" else mistake.path
    places = {path_of(path[:length]) for length in range(1, len(path) + 1)} | {path_of(mistake.path)}
    if any(sentence.startswith(place) for place in places):
        nearest = difflib.get_close_matches(str(mistake.value), [str(mistake.path[-1])], cutoff=0.75)
        if mistake.kind == "misspelt" and nearest and not re.search("did you mean|is it", sentence):
            return "lost", f"no nearest name: {sentence}"
        return "refused", sentence
    return "lost", f"another path than {path_of(path)}: {sentence}"


def configurations(n: int, n_commands: int, seed: int, show: bool = False) -> list[common.Tally]:
    """n configurations with mistakes, checked in this process; some of them given to the real command."""
    base = base_configuration()
    validate.check(copy.deepcopy(base))
    tally, seen, refused, accepted = common.Tally("bad configurations"), set(), [], []
    slowest = 0.0

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=3 * n,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(
        st.one_of(mistakes(base).map(lambda one: [one]), st.lists(mistakes(base), min_size=2, max_size=2))
    )
    def trial(made: list[Mistake]) -> None:
        nonlocal slowest
        name = "; ".join(map(str, made))
        if name in seen or tally.tried >= n:
            return
        seen.add(name)
        config = copy.deepcopy(base)
        for mistake in made:
            with_mistake(config, mistake)
        if repr(config) == repr(base):
            return
        given, began = copy.deepcopy(config), time.perf_counter()
        how, text = judge(config, made)
        slowest = max(slowest, time.perf_counter() - began)
        if how == "lost":
            tally.lost.append(f"{name}: {text}")
        elif how == "refused":
            tally.refused += 1
            refused.append((given, text))
        else:
            tally.survived += 1
            accepted.append((given, name))
        if tally.tried % 100 == 0:
            print(f"  {tally.tried}: {tally.refused} refused, {len(tally.lost)} lost", flush=True)

    trial()
    if show:
        for _, name in accepted:
            print(f"  accepted: {name}")
    print(f"  the slowest took {slowest:.1f} s")
    return [tally, commands(refused[:: max(1, 2 * len(refused) // max(1, n_commands))], accepted, n_commands)]


def commands(refused: list, accepted: list, n: int) -> common.Tally:
    """Some of the configurations in the hands of `snakemake -n`: the same sentence, or a plan."""
    tally = common.Tally("of these, by the real command")
    half = (n + 1) // 2
    chosen = [*refused[:half], *accepted[:: max(1, len(accepted) // max(1, n - half))][: n - half]]
    for config, text in chosen:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(config, file, allow_unicode=True)
            file.flush()
            words = ("-n", "--quiet", "--replace-workflow-config")
            done = common.run(Path.cwd(), *words, configfile=file.name)
        is_refused = (config, text) in refused
        said = f"The configuration cannot be run. {text}"
        if is_refused and done.returncode == 1 and said in done.stdout and "Traceback" not in done.stdout:
            tally.refused += 1
        elif not is_refused and done.returncode == 0:
            tally.survived += 1
        else:
            tally.lost.append(f"by command: {text}: ended with {done.returncode}: {done.stdout[-600:]}")
    return tally
