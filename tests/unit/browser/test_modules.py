"""Modules become one script, each after those that it imports."""

import pytest
from py_mini_racer import MiniRacer

from scripts.monosem.browser import modules
from scripts.monosem.core import artefacts


def write(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.js").write_text(text)


def test_what_is_imported_comes_first_and_once(tmp_path):
    write(
        tmp_path,
        a='import { b } from "./b.js";\nimport {\n  c,\n} from "./c.js";\nglobalThis.result = b() + c;\n',
        b='import { c } from "./c.js";\nexport function b() { return c + 1; }\n',
        c="export const c = 20;\n",
    )
    assert [path.stem for path in modules.in_order(tmp_path / "a.js")] == ["c", "b", "a"]
    with MiniRacer() as v8:
        v8.eval(modules.bundle(tmp_path / "a.js"))
        assert v8.eval("result") == 41
        assert v8.eval("typeof c") == "undefined"


def test_each_module_has_its_own_names(tmp_path):
    write(tmp_path, a='import { b } from "./b.js";\nconst same = b;\nglobalThis.sum = same + 1;\n')
    write(tmp_path, b="const same = 1;\nexport const b = same;\nexport async function c() {}\n")
    with MiniRacer() as v8:
        v8.eval(modules.bundle(tmp_path / "a.js"))
        assert v8.eval("sum") == 2


def test_a_circle_and_a_missing_module_are_named(tmp_path):
    write(tmp_path, a='import { b } from "./b.js";\n', b='import { a } from "./a.js";\n')
    with pytest.raises(artefacts.ArtefactError, match=r"a\.js imports itself through .*b\.js"):
        modules.bundle(tmp_path / "a.js")
    write(tmp_path, b='import { c } from "./c.js";\n')
    with pytest.raises(artefacts.ArtefactError, match=r"c\.js is missing; .*b\.js imports it"):
        modules.bundle(tmp_path / "a.js")
