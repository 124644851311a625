"""Text as stored codes cover it, and activations of any model on the same rows."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import nn

from scripts.monosem.evaluation.latents.stored_codes import CodesOfText
from scripts.monosem.models import sites
from scripts.monosem.models.sites import Site
from scripts.monosem.text.tokens import TokenStream, kept_positions

BATCH_TOKENS = 4096
"""Of one forward pass."""


@dataclass(frozen=True)
class Text:
    """The training tokens, and what the codes cover of the held-out splits."""

    train: TokenStream
    splits: dict[str, TokenStream]
    codes: CodesOfText
    drop_first_position: bool

    def window_starts(self, split: str) -> Integer[np.ndarray, " n"]:
        """Start of each row's window."""
        rows = self.codes.splits[split]
        return rows.starts[np.searchsorted(rows.starts, rows.places, side="right") - 1]

    def tokens(self, split: str) -> Integer[np.ndarray, " n"]:
        """Token of each row."""
        return self.splits[split].tokens[self.codes.splits[split].places].astype(np.int64)

    def labels(self, split: str) -> Integer[np.ndarray, " n"]:
        """Label of each row's token, an index into corpus.LABELS."""
        return self.splits[split].labels[self.codes.splits[split].places]


def read_rows(model: nn.Module, site: Site, text: Text, split: str) -> Float[np.ndarray, "n d"]:
    """Activations of a model at the rows of the codes, float32."""
    stream, rows, context = text.splits[split], text.codes.splits[split], text.codes.context
    at_once, parts = max(1, BATCH_TOKENS // context), []
    for begin in range(0, len(rows.starts), at_once):
        places = rows.starts[begin : begin + at_once, None] + np.arange(context)
        tokens = stream.tokens[places].astype(np.int64)
        kept = kept_positions(tokens, stream.eos_token_id, text.drop_first_position)
        values = sites.capture(model, site, torch.from_numpy(tokens).to(model.device), stream.eos_token_id)
        parts.append(values[torch.from_numpy(kept)].float().cpu().numpy())
    return np.concatenate(parts)
