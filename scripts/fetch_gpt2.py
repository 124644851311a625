"""Fetch GPT-2's weights into the hub cache, if they are not on this machine and there is a network. Never fails.

Run by `make report` before the workflow, which itself reads only what is here: python -m scripts.fetch_gpt2
"""

import urllib.request

from scripts.monosem.pretrained import NEEDED, find_pretrained

REPOSITORY, REVISION = "openai-community/gpt2", "607a30d783dfa663caf39e06633721c8d4cfcd7e"
PATIENCE_S = 5  # for the first answer; without one nothing is tried


def main() -> None:
    if find_pretrained("gpt2"):
        return
    from huggingface_hub import hf_hub_url, snapshot_download

    try:
        urllib.request.urlopen(hf_hub_url(REPOSITORY, "config.json", revision=REVISION), timeout=PATIENCE_S).close()
        print("Fetching GPT-2 (0.5 GB) for chapter 3", flush=True)
        snapshot_download(REPOSITORY, revision=REVISION, allow_patterns=[*NEEDED, "tokenizer_config.json"])
    except Exception as error:  # whatever stands between here and there, the workflow runs without
        print(f"GPT-2 cannot be fetched ({type(error).__name__}): chapter 3 takes a model that is trained in the run.")


if __name__ == "__main__":
    main()
