"""A file that another job wrote is compared with its checksum before it is read."""

from pathlib import Path

import pytest

from scripts.monosem.core import checksums
from scripts.monosem.core.artefacts import ArtefactError

WEIGHTS = Path("results/models/a/model.safetensors")


@pytest.fixture(autouse=True)
def in_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    WEIGHTS.parent.mkdir(parents=True)
    WEIGHTS.write_bytes(bytes(range(256)))


def test_records_are_below_results_and_only_of_results():
    assert checksums.record_of(WEIGHTS) == Path("results/checksums/models/a/model.safetensors.sha256")
    for outside in ("config.yaml", "/results/a", "results/../a", ".snakemake/storage/s3/results/a"):
        assert checksums.record_of(Path(outside)) is None


@pytest.mark.parametrize("at", [0, 100, 255])
def test_a_flipped_bit_is_refused_by_name_and_remedy(at):
    checksums.keep([WEIGHTS])
    checksums.compare([WEIGHTS])
    changed = bytearray(WEIGHTS.read_bytes())
    changed[at] ^= 1
    WEIGHTS.write_bytes(changed)
    with pytest.raises(ArtefactError) as caught:
        checksums.compare([Path("config.yaml"), WEIGHTS])
    assert str(caught.value).startswith(f"{WEIGHTS} is cut short or changed")
    assert f"`--forcerun {WEIGHTS}`" in str(caught.value)


def test_what_is_not_recorded_is_not_compared():
    checksums.compare([WEIGHTS, Path("results/no/such.json"), Path("config.yaml")])
    checksums.keep([WEIGHTS, Path("results/no/such.json")])
    assert len(list(Path("results/checksums").rglob("*.sha256"))) == 1
    checksums.forget([WEIGHTS])
    WEIGHTS.write_bytes(b"written again")
    checksums.compare([WEIGHTS])


def test_what_a_job_wrote_beside_an_input_is_compared_too():
    config = WEIGHTS.with_name("config.json")
    config.write_text("{}")
    checksums.keep([WEIGHTS, config])
    checksums.compare([WEIGHTS])
    config.write_text("[]")
    with pytest.raises(ArtefactError, match="^results/models/a/config.json is cut short or changed"):
        checksums.compare([WEIGHTS])
    config.unlink()
    checksums.compare([WEIGHTS])


def test_a_cut_record_is_the_checksum_of_nothing():
    checksums.keep([WEIGHTS])
    checksums.record_of(WEIGHTS).write_text("0123")
    with pytest.raises(ArtefactError, match="--forcerun"):
        checksums.compare([WEIGHTS])


def test_named_files_of_a_rule():
    assert checksums.files_of(["a", "b/c"]) == [Path("a"), Path("b/c")]
    assert checksums.files_of(None) == []
