"""For all tests: one thread (before torch is imported), no network, and no pretrained weights of this machine.

Each call of the library is checked against its annotations, shapes included; int passes for float, as in Python.
"""

import importlib.util
import os
import tempfile

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_CACHE"] = os.path.join(tempfile.gettempdir(), "monosem-tests-have-no-hub-cache")

if importlib.util.find_spec("sae_lens") is None:  # the benchmark's environment: make bench-test
    collect_ignore = ["bench"]

SHAPES_CHECKED = ("core", "metrics", "text", "models", "activations", "evaluation", "browser", "figures", "reporting")
"""Rooms of the library whose annotations are checked."""

if SHAPES_CHECKED and importlib.util.find_spec("beartype"):
    import jaxtyping

    jaxtyping.install_import_hook(
        [f"scripts.monosem.{room}" for room in SHAPES_CHECKED],
        "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
    )
