"""Metadata of a finished run as an RO-Crate: required properties, and references that lead somewhere."""

import copy
import hashlib

import pytest

from scripts.monosem.reporting import run_crate

ENVIRONMENT = {
    "git": {"commit": "abc", "dirty": True},
    "hardware": {"cpu": "a processor", "cores": 2},
    "system": {"name": "Linux", "release": "6"},
    "python": {"version": "3.12.1"},
    "torch": {"version": "2.9"},
    "packages": {"numpy": "2.3"},
}
CLAIMS = [{"verdict": "reproduced"}, {"verdict": "undecided"}]


@pytest.fixture
def results(tmp_path):
    (tmp_path / "report.html").write_text("<p>report</p>")
    (tmp_path / "claims.json").write_text("{}")
    return tmp_path


@pytest.fixture
def document(results):
    return run_crate.crate(results, ENVIRONMENT, CLAIMS, "2026-01-02T03:04:05+00:00", ["https://example.org/paper"])


def entity(document, name):
    [described] = [each for each in document["@graph"] if each["@id"] == name]
    return described


def test_a_run_has_its_files_its_commit_and_its_verdicts(document, results):
    assert entity(document, "./")["hasPart"] == [{"@id": "report.html"}, {"@id": "claims.json"}]
    assert entity(document, "./")["description"].endswith("1 of 2 claims reproduced.")
    assert entity(document, "./")["datePublished"] == "2026-01-02"
    assert entity(document, run_crate.WORKFLOW)["version"] == "abc+changes"
    assert entity(document, "report.html")["sha256"] == hashlib.sha256(b"<p>report</p>").hexdigest()
    assert run_crate.problems(document, results) == []


def test_what_is_required_is_missed_by_name(document, results):
    lacking = copy.deepcopy(document)
    del entity(lacking, "./")["license"]
    entity(lacking, run_crate.RUN)["result"] = []
    assert run_crate.problems(lacking, results) == ["./ has no license", "#run has no result"]


def test_a_reference_to_nothing_and_a_file_that_is_gone_are_named(document, results):
    entity(document, run_crate.RUN)["object"] = [{"@id": "nowhere"}]
    (results / "report.html").unlink()
    assert run_crate.problems(document, results) == [
        "#run names nowhere, which is not described", f"report.html is not in {results}",
    ]  # fmt: skip
