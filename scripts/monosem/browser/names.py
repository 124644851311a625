"""Names of the page's files, and what runs in it. No torch: the plan of a run needs them."""

from collections.abc import Sequence
from typing import Any

LARGEST_IN_PAGE = 8_000_000
"""Parameters of a language model that the page downloads and runs; the one-layer model has 0.8 million."""
BUDGET = 25_000_000
"""Bytes of the whole page above which the log says so."""


def text_of(tokenizer: str, model: str, site: str, runs: bool) -> str:
    """Name of the text from which examples are shown: one for all that run and share a tokenizer, else of the site."""
    return tokenizer if runs else f"{model}.{site}"


def file_of_text(text: str) -> str:
    """Name of the file with a text and its tokenizer."""
    return f"{text}.text"


def file_of_model(model: str) -> str:
    """Name of the file with a model's weights."""
    return f"{model}.weights"


def file_of_dictionary(model: str, site: str, run: str) -> str:
    """Name of the file with an autoencoder, or (run `neurons`) with a site's neurons."""
    return f"{model}.{site}.{run}"


def permalink(browsed: Sequence[tuple[str, str, str]], place: tuple[str, str, str], index: int) -> str | None:
    """Address of a latent within the page, as its `linkTo` has it; None for an autoencoder that is not browsed.

    Args:
        browsed: model, site and run of each autoencoder of the page.
    """
    if place not in browsed:
        return None
    model, site, run = place
    alone = sum((other[0], other[2]) == (model, run) for other in browsed) == 1
    return "#" + "/".join([model, *([] if alone else [site]), run, str(index)])


def runs_in_page(kind: str, architecture: dict[str, Any] | None, site: str) -> bool:
    """True for a site that the page can compute: MLP activations of a small model that was trained here."""
    if kind == "pretrained" or not site.endswith(".mlp.hook_post"):
        return False
    width, inner = architecture["n_embd"], architecture["n_inner"]
    blocks = architecture["n_layer"] * (4 * width * width + 2 * width * inner)
    return blocks + architecture["vocab_size"] * width <= LARGEST_IN_PAGE
