"""Fetch GPT-2's weights into the hub cache, if they are not on this machine and there is a network. Never fails.

Run by `make report` before the workflow, which itself reads only what is here: python -m scripts.fetch_gpt2
"""

import os

os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", "10")  # read when huggingface_hub is imported
os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", "5")

from scripts.monosem.pretrained import NEEDED, find_pretrained

REPOSITORY, REVISION = "openai-community/gpt2", "607a30d783dfa663caf39e06633721c8d4cfcd7e"


def main() -> None:
    if find_pretrained("gpt2"):
        return
    from huggingface_hub import snapshot_download

    print("Fetching GPT-2 (0.5 GB); chapter 3 takes a model trained here if that does not work.", flush=True)
    try:
        snapshot_download(REPOSITORY, revision=REVISION, allow_patterns=[*NEEDED, "tokenizer_config.json"])
    except Exception as error:  # whatever stands between here and there, the workflow runs without
        print(f"GPT-2 could not be fetched ({type(error).__name__}): chapter 3 runs on the model trained here.")


if __name__ == "__main__":
    main()
