"""The environment is compared with the lock, and what is written down names no person, host or path."""

import getpass
import json
import platform
import subprocess
from pathlib import Path

import pytest

from scripts.monosem.core import environment
from scripts.monosem.core.artefacts import ArtefactError
from scripts.monosem.core.environment import Pin, Unsupported


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_supported_pythons(version):
    environment.check_python(version)


@pytest.mark.parametrize("version", [(2, 7), (3, 10), (3, 14), (4, 0)])
def test_other_pythons_are_named(version):
    with pytest.raises(Unsupported, match=rf"Python {version[0]}\.{version[1]} is not supported: use 3.11 to 3.13"):
        environment.check_python(version)


def test_lock_is_read_for_this_machine(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("# comment\ntorch==2.13.0\n\nappnope==1.0 ; sys_platform == 'nowhere'\npandas==3.1.1 # why\n")
    assert environment.read_lock(lock) == [Pin("torch", "2.13.0"), Pin("pandas", "3.1.1")]


@pytest.mark.parametrize("line", ["torch", "torch>=2", "torch==2.*", "torch==2.1,<3"])
def test_a_lock_pins_exactly(line, tmp_path):
    (tmp_path / "lock").write_text(line)
    with pytest.raises(ArtefactError, match="pins no exact version"):
        environment.read_lock(tmp_path / "lock")


def test_a_missing_package_is_named():
    pins = [Pin("torch", "2.13.0"), Pin("einops", "0.8.2")]
    with pytest.raises(Unsupported, match="^einops 0.8.2 of envs/requirements.lock is not installed: run pip install"):
        environment.compare(pins, {"torch": "2.13.0", "einops": None})


def test_another_version_is_noted_and_a_build_is_not():
    pins = [Pin("torch", "2.13.0"), Pin("numpy", "2.4.6"), Pin("pyzmq", "27.3.0")]
    installed = {"torch": "2.13.0+cpu", "numpy": "2.5.0", "pyzmq": "27.3"}
    assert environment.compare(pins, installed) == ["numpy is 2.5.0, the lock says 2.4.6"]


def test_this_environment_has_what_the_lock_names():
    pins = environment.read_lock("envs/requirements.lock")
    assert {"torch", "snakemake", "pytest", "hypothesis"} <= {pin.name for pin in pins}
    assert not [pin.name for pin in pins if pin.name.startswith(("nvidia", "cuda", "triton"))]
    environment.compare(pins, {pin.name: environment.installed_version(pin.name) for pin in pins})


def test_conda_has_the_pins_of_the_lock():
    import yaml

    lines = Path("envs/requirements.lock").read_text().splitlines()
    conda = yaml.safe_load(Path("envs/monosem.yaml").read_text())
    assert conda["dependencies"][-1]["pip"] == [line for line in lines if not line.startswith("#")]


def git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", folder, *identity, *words], check=True, capture_output=True)


def test_git_state(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert environment.git_state() is None
    git(tmp_path, "init", "--quiet")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "one")
    clean = environment.git_state()
    assert len(clean["commit"]) == 40 and clean["dirty"] is False
    (tmp_path / "untracked").write_text("no part of the commit")
    assert environment.git_state() == clean
    (tmp_path / "a").write_text("2")
    assert environment.git_state() == clean | {"dirty": True}


def test_record_names_no_person_host_or_path():
    facts = environment.record("envs/requirements.lock", "cpu", {"models": 2}, 1000)
    text = json.dumps(facts)
    assert facts["torch"]["device"] == "cpu" and facts["packages"]["torch"].startswith("2.13.0")
    assert str(Path.cwd()) not in text and str(Path.home()) not in text
    assert f'"{platform.node()}"' not in text and f'"{getpass.getuser()}"' not in text


def test_too_little_disk_is_refused():
    with pytest.raises(ArtefactError, match="this configuration needs .* GB under results"):
        environment.record("envs/requirements.lock", "cpu", {"models": 2}, 10**16)
