"""Captions of figures come from the report's templates."""

from pathlib import Path

import pytest

from scripts.monosem.workflow import captions, outputs, outputs_dictionaries, outputs_toy, plan
from scripts.monosem.workflow.sweeps import expand_
from tests.helpers import configuration


def test_a_name_that_a_template_computes_is_matched_by_its_fixed_parts(tmp_path):
    template = tmp_path / "a.md.j2"
    template.write_text(
        '{{ figure("toy/norms", "Lengths") }}\n'
        '{{ figure("analysis/" ~ roles.gpt2 ~ "-text-" ~ name, "On the text: " ~ name) }}'
    )
    read = captions.read([template])
    assert captions.of(read, "toy/norms") == "Lengths"
    assert captions.of(read, "analysis/smollm2-text-code") == "On the text"
    assert captions.of(read, "fidelity/toy-norms") == "Toy norms"


@pytest.fixture(scope="module")
def figures():
    config = configuration.default()
    expand_(config)
    families = {
        family: names
        for family, names in outputs.FIGURES.items()
        if family in outputs.families(config, plan.make_plan(config))
    }
    return [
        *(f"{family}/{name}" for family, names in families.items() for name in names),
        *(f"toy/{name}" for name in outputs_toy.figure_names(config["toy"])),
        *(f"dictionaries/{name}" for name in outputs_dictionaries.figure_names(config)),
    ]


def test_every_figure_of_the_default_run_has_a_caption_in_a_template(figures):
    read = captions.read(sorted(Path("paper").glob("*.md.j2")))
    without = [name for name in figures if not any(caption.name.fullmatch(name) for caption in read)]
    assert not without
