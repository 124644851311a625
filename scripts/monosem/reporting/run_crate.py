"""A finished run as an RO-Crate: machine-readable metadata of what ran, on what, and what came out.

Process Run Crate 0.5 (Leo et al. 2024, "Recording provenance of workflow runs with RO-Crate"), written as plain
JSON-LD: one CreateAction, whose instrument is this workflow at a commit and whose results are files of the crate.
"""

import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.monosem.core.artefacts import sha256

METADATA = "ro-crate-metadata.json"
RO_CRATE = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
LICENSE = "https://spdx.org/licenses/MIT"
WORKFLOW = "#monosem"
MACHINE = "#machine"
RUN = "#run"
FILES = (
    "report.html", "report.md", "claims.json", "metrics.json", "agreement.json", "environment.json", "times.json",
    "rulegraph.mmd",
)  # fmt: skip
"""Files of a run that a crate lists, where they are there."""
REQUIRED = {
    METADATA: ("conformsTo", "about"),
    "./": ("name", "description", "datePublished", "license", "conformsTo", "hasPart", "mentions"),
    RUN: ("name", "instrument", "result", "endTime"),
    WORKFLOW: ("name", "version"),
}
"""Identifier -> properties without which RO-Crate 1.1 or the profile is not met."""
Entity = dict[str, Any]


def _file(results: Path, name: str) -> Entity:
    path = results / name
    kind = mimetypes.guess_type(name)[0] or "text/plain"
    return {
        "@id": name, "@type": "File", "name": name, "encodingFormat": kind, "contentSize": str(path.stat().st_size),
        "sha256": sha256(path),
    }  # fmt: skip


def crate(
    results: Path,
    environment: Mapping[str, Any],
    claims: Sequence[Mapping[str, Any]],
    finished: str,
    sources: Sequence[str],
) -> Entity:
    """The metadata document of a run.

    Args:
        results: folder of the run, the root of the crate.
        environment: contents of environment.json.
        claims: the verdicts, each with a key `verdict`.
        finished: end of the run, ISO 8601.
        sources: addresses of the works that are reproduced.
    """
    files = [_file(results, name) for name in FILES if (results / name).is_file()]
    git = environment.get("git") or {}
    commit = git.get("commit", "unknown") + ("+changes" if git.get("dirty") else "")
    reproduced = sum(claim["verdict"] == "reproduced" for claim in claims)
    links = [{"@id": each["@id"]} for each in files]
    machine, system = environment["hardware"], environment["system"]
    entities = [
        {"@id": METADATA, "@type": "CreativeWork", "conformsTo": {"@id": RO_CRATE}, "about": {"@id": "./"}},
        {
            "@id": "./",
            "@type": "Dataset",
            "name": "A run of monosem",
            "description": f"Reproduction of Towards Monosemanticity: {reproduced} of {len(claims)} claims reproduced.",
            "datePublished": finished[:10],
            "license": {"@id": LICENSE},
            "conformsTo": {"@id": PROFILE},
            "hasPart": links,
            "mentions": {"@id": RUN},
            "isBasedOn": [{"@id": source} for source in sources],
        },
        {
            "@id": RUN,
            "@type": "CreateAction",
            "name": "snakemake",
            "instrument": {"@id": WORKFLOW},
            "object": [{"@id": source} for source in sources],
            "result": links,
            "endTime": finished,
            "description": f"{system['name']} {system['release']}, {machine['cores']} cores of {machine['cpu']}, "
            f"Python {environment['python']['version']}, torch {environment['torch']['version']}",
        },
        {
            "@id": WORKFLOW,
            "@type": "SoftwareApplication",
            "name": "monosem",
            "version": commit,
            "softwareRequirements": [f"{name}=={version}" for name, version in environment["packages"].items()],
        },
        {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        {"@id": LICENSE, "@type": "CreativeWork", "name": "MIT License"},
        *({"@id": source, "@type": "ScholarlyArticle", "url": source} for source in sources),
        *files,
    ]
    return {"@context": [f"{RO_CRATE}/context", "https://w3id.org/ro/terms/workflow-run/context"], "@graph": entities}


def _references(value: Any) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, Mapping) and set(each) == {"@id"}:
            yield each["@id"]


def problems(document: Mapping[str, Any], results: Path) -> list[str]:
    """Sentences on what a crate lacks: required properties, entities that are named and not described, files."""
    entities = {each["@id"]: each for each in document["@graph"]}
    sentences = []
    for name, properties in REQUIRED.items():
        lacking = [key for key in properties if not entities.get(name, {}).get(key)]
        sentences += [f"{name} has no {key}" for key in lacking]
    for name, entity in entities.items():
        named = [other for value in entity.values() for other in _references(value)]
        sentences += [
            f"{name} names {other}, which is not described" for other in named if other not in {*entities, RO_CRATE}
        ]
        if entity["@type"] == "File" and not (results / name).is_file():
            sentences.append(f"{name} is not in {results}")
    return sentences
