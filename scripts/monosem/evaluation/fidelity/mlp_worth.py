"""The loss of the same model trained without MLPs, on the tokens that an evaluation scores: what the MLP is worth."""

import numpy as np
import torch
from torch import nn

from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.fidelity.batch import Settings
from scripts.monosem.evaluation.fidelity.run import Tally
from scripts.monosem.models import score
from scripts.monosem.text.tokens import TokenStream, kept_positions, windows


def twin_losses(twin: nn.Module, stream: TokenStream, settings: Settings) -> Tally:
    """Sums per document of the twin's cross-entropy (`loss`, nats) on the tokens that `run.evaluate` scores."""
    starts = windows(stream, settings.context, settings.tokens, derive_seed(settings.seed, "evaluation windows"))
    tally = Tally({})
    for first in range(0, len(starts), settings.batch_size):
        places = starts[first : first + settings.batch_size, None] + np.arange(settings.context)
        tokens = torch.from_numpy(stream.tokens[places].astype(np.int64))
        scored = kept_positions(tokens, stream.eos_token_id, settings.drop_first_position)[:, :-1]
        document = np.searchsorted(stream.documents, places, side="right") - 1
        nats = score.token_nats(twin, tokens[:, :-1], tokens[:, 1:])
        tally.add({"loss": nats[scored]}, document[:, :-1][scored.numpy()], len(stream.documents) - 1)
    return tally
