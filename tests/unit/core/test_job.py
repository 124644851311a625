"""Everything that a job prints is in its log, which ends in how it went."""

import os
import re
import subprocess
import sys
import textwrap

import pytest

from scripts.monosem.core import job


def run_job(body: str, log, **how) -> subprocess.CompletedProcess:
    """Run a job whose `main` is `body`; its terminal is what comes back."""
    script = (
        "from types import SimpleNamespace\n"
        "from scripts.monosem.core import job\n"
        f"snakemake = SimpleNamespace(log=[{str(log)!r}], rule='train_sae', wildcards={{'run': 'a'}}, threads=2,\n"
        "    input=SimpleNamespace(model='models/a/config.json', saes=['sae/b/c.json'], none=[]), output=None,\n"
        "    params=SimpleNamespace(device='cpu'))\n"
        f"def main(given):\n{textwrap.indent(body, '    ')}\n"
        "job.run(main, snakemake)"
    )
    return subprocess.run([sys.executable, "-c", script], **({"capture_output": True, "text": True} | how))


def test_log_has_what_python_c_code_and_children_print(tmp_path):
    log = tmp_path / "logs" / "train_sae" / "a.log"
    body = "import os, sys; print('out'); print('err', file=sys.stderr)"
    body += "; os.write(1, b'raw\\n'); os.system('echo child')"
    done = run_job(body, log)
    lines = log.read_text().splitlines()
    assert done.returncode == 0 and done.stdout == done.stderr == ""
    assert lines[0] == "train_sae a threads=2"
    assert sorted(lines[1:-2]) == ["child", "err", "out", "raw"]
    assert re.fullmatch(r"used [\d.]+ core-s", lines[-2])
    assert lines[-1].startswith("finished: ") and lines[-1].endswith(" s of work")


def test_the_log_says_how_many_core_seconds_job_and_children_used(tmp_path):
    child = "import time; began = time.process_time()\\nwhile time.process_time() - began < 0.5: pass"
    run_job(f"import subprocess, sys; subprocess.run([sys.executable, '-c', \"{child}\"])", tmp_path / "a.log")
    [used] = re.findall(r"^used ([\d.]+) core-s$", (tmp_path / "a.log").read_text(), re.M)
    assert float(used) >= 0.5


def test_what_is_said_is_on_the_terminal_too(tmp_path):
    done = run_job("job.say('halfway')", tmp_path / "a.log")
    assert done.stderr == "  [train_sae a] halfway\n"
    assert "halfway\n" in (tmp_path / "a.log").read_text()


def test_log_of_a_failed_job_ends_in_the_error(tmp_path):
    body = (
        "from scripts.monosem.core.artefacts import ArtefactError\nraise ArtefactError('x.npy is cut short; delete it')"
    )
    done = run_job(body, tmp_path / "a.log")
    lines = (tmp_path / "a.log").read_text().splitlines()
    assert done.returncode == 1
    assert "Traceback (most recent call last):" in lines
    assert lines[-1] == "train_sae failed: x.npy is cut short; delete it"
    assert not any(line.startswith("finished") for line in lines)


def test_a_job_gives_folders_and_a_device_of_its_rule(tmp_path):
    body = """
print(given.folder("model"), given.folders("saes"), given.folder("none"), given.folders("absent"))
import sys
assert "torch" not in sys.modules
print(given.device, given.wildcards, given.threads)
"""
    assert run_job(body, tmp_path / "a.log").returncode == 0
    printed = (tmp_path / "a.log").read_text().splitlines()
    assert printed[1] == "models/a [PosixPath('sae/b')] None []"
    assert printed[2] == "cpu {'run': 'a'} 2"


def test_a_closed_terminal_ends_no_job(tmp_path):
    """As under `snakemake … | head`: nobody reads the other end of the pipe."""
    read, write = os.pipe()
    os.close(read)
    body = "job.say('halfway')\njob.Progress(10, 'steps').update(10)\nprint('saved')"
    done = run_job(body, tmp_path / "a.log", capture_output=False, stdout=write, stderr=write)
    os.close(write)
    lines = (tmp_path / "a.log").read_text().splitlines()
    assert done.returncode == 0 and lines[1:4] == ["halfway", "10/10 steps", "saved"]


def test_a_closed_standard_output_ends_nothing():
    read, write = os.pipe()
    os.close(read)
    script = "import sys\nfrom scripts.monosem.core import job\njob.say('halfway')\nprint('saved', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "saved\n")


def test_a_name_that_is_no_unicode_ends_nothing(capsys):
    job.say("skipped caf\udce9.txt: not UTF-8, 中文")
    assert capsys.readouterr().out == "skipped caf\\udce9.txt: not UTF-8, 中文\n"


@pytest.mark.parametrize(
    "seconds, text", [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (4000, "1 h 6 min")]
)
def test_duration(seconds, text):
    assert job.duration(seconds) == text


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests move."""
    now = [100.0]
    monkeypatch.setattr(job.time, "perf_counter", lambda: now[0])
    return now


def test_progress_tells_done_values_and_time_left(clock, capsys):
    progress = job.Progress(1000, "steps", every_s=10)
    progress.update(0)
    clock[0] += 5
    progress.update(100, loss=1.23456)
    assert capsys.readouterr().out == ""
    clock[0] += 15
    progress.update(400, loss=1.23456, mode="warm")
    assert capsys.readouterr().out == "400/1,000 steps, loss 1.235, mode warm, 30 s left\n"
    clock[0] += 1
    progress.update(1000)
    assert capsys.readouterr().out == "1,000/1,000 steps\n"


def test_time_left_of_a_resumed_job_counts_from_where_it_resumed(clock, capsys):
    progress = job.Progress(1000, "steps", every_s=10)
    clock[0] += 60  # reading data
    progress.update(900)
    capsys.readouterr()
    clock[0] += 20
    progress.update(920)
    assert capsys.readouterr().out == "920/1,000 steps, 1 min 20 s left\n"
