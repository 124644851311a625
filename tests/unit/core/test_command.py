"""Tools that people call: one sentence on stderr and exit code 1, whatever file they are given."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "text, sentence", [(None, "is missing"), ("{", "not whole JSON"), ('{"split": 3}', "no fidelity.json")]
)
def test_comparing_what_is_no_result(tmp_path, text, sentence):
    path = tmp_path / "fidelity.json"
    if text is not None:
        path.write_text(text)
    command = [sys.executable, "-m", "scripts.compare_saes", path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith(str(path)) and sentence in done.stderr
    assert done.stderr.count("\n") == 1 and not done.stdout
