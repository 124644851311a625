"""For all tests: one thread (before torch is imported), no network, and no pretrained weights of this machine."""

import importlib.util
import os
import tempfile

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_CACHE"] = os.path.join(tempfile.gettempdir(), "monosem-tests-have-no-hub-cache")

if importlib.util.find_spec("sae_lens") is None:  # the benchmark's environment: make bench-test
    collect_ignore = ["bench"]
