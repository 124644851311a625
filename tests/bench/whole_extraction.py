"""One process of the extraction benchmark: the workflow's own extraction, from a model folder to shards on the disk.

    python -m tests.bench.whole_extraction FOLDER --dtype float32 --tokens 20000

Prints one JSON object. Documents are kept apart, as for every pretrained model unless asked otherwise.
"""

import argparse
import json
import shutil
import time
from pathlib import Path

import numpy as np
import torch

from scripts.monosem.activations.extract import extract_sites
from scripts.monosem.activations.run_pass import Extraction
from scripts.monosem.core import artefacts
from scripts.monosem.core.runtime import keep_freed_memory
from scripts.monosem.models import cost, model_folder
from scripts.monosem.models.gpt2.architecture import initialise
from scripts.monosem.text.tokens import TokenStream
from tests.bench.extraction import CONTEXT, LAYER, SHAPE, SITE, VOCAB
from tests.bench.worker import peak_memory

DOCUMENT = 400  # tokens


def write_model(folder: Path) -> None:
    """GPT-2 small's shape with random weights, in float32 as published."""
    folder.mkdir(parents=True, exist_ok=True)
    artefacts.save_tensors(initialise(SHAPE, 0), folder / model_folder.WEIGHTS)


def stream_of(n: int) -> TokenStream:
    """Random tokens in documents of one length."""
    tokens = np.random.default_rng(0).integers(0, VOCAB - 1, n).astype(np.uint16)
    documents = np.array([*range(0, n, DOCUMENT), n])
    tokens[documents[:-1]] = VOCAB - 1
    each = len(documents) - 1
    labels, ones = np.zeros(n, np.uint8), np.ones(each, np.int32)
    return TokenStream(tokens, labels, documents, ones, ones.astype(bool), eos_token_id=VOCAB - 1, vocab_size=VOCAB)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="as `write_model` leaves it")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    keep_freed_memory()  # as the rule's script does
    config = SHAPE.hf_config(VOCAB - 1)
    options = {"dtype": given.dtype, "attention_across_documents": False}
    artefacts.write_json({**config, model_folder.OPTIONS: options}, given.folder / model_folder.CONFIG)
    stream, target = stream_of(2 * given.tokens), given.folder / "activations"
    wanted = Extraction(given.tokens, "float16", drop_first_position=True)
    began = time.perf_counter()
    manifests = extract_sites(given.folder, {SITE: target}, stream, CONTEXT, wanted, 0, {}, "cpu")
    seconds = time.perf_counter() - began
    weights = cost.memory_bytes(config, given.dtype, LAYER) - cost.WORKING_BYTES
    peak = int(peak_memory() * 2**20)
    manifest = manifests[SITE]
    result = {
        "dtype": given.dtype, "tokens": manifest["n_tokens"], "seconds": seconds,
        "tokens_per_s": manifest["n_tokens"] / seconds,
        "peak_bytes": peak, "peak_above_weights_bytes": peak - weights,
        "disk_bytes": sum(path.stat().st_size for path in target.iterdir()),
        "relative_error": manifest.get("bfloat16_error", {}).get(SITE, {}).get("relative_error"),
    }  # fmt: skip
    shutil.rmtree(target)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
