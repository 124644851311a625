"""Encode held-out text with one autoencoder, for all that compares its latents: see stored_codes.py."""

from pathlib import Path

import numpy as np

from scripts.monosem.core import job
from scripts.monosem.core.runtime import derive_seed
from scripts.monosem.evaluation.latents.stored_codes import SPLITS, CodesOfText, StoredCodes
from scripts.monosem.evaluation.latents.unit_activations import Subject, Text, open_subject, read_blocks
from scripts.monosem.text.tokens import load_tokens, windows


def text_of(tokens_folder: Path, split: str, context: int, n_tokens: int, seed: int) -> Text:
    """The windows of a split that are read: random, and in the order of the stream."""
    stream = load_tokens(tokens_folder, split)
    seed_of_split = derive_seed(seed, "interpretation windows", split)
    # in the order of the stream, so that what is read is contiguous on disk
    return Text(stream, np.sort(windows(stream, context, n_tokens, seed_of_split)))


def encode(subject: Subject, text: Text) -> StoredCodes:
    """Active latents at every kept position of the windows; zeros of a TopK code are left out."""
    places, values, latents, counts = [], [], [], []
    within = np.arange(subject.context)
    small = np.uint16 if subject.sae.d_sae <= 2**16 else np.int32
    progress, done = job.Progress(len(text.starts) * subject.context, "tokens"), 0
    for block in read_blocks(subject, text.stream, text.starts):
        f, active = block.codes.values.cpu().numpy(), block.codes.latents.cpu().numpy()
        fires = f > 0
        places.append((block.starts[:, None] + within)[block.kept])
        values.append(f[fires].astype(np.float32))
        latents.append(active[fires].astype(small))
        counts.append(np.bincount(block.rows()[fires], minlength=len(block.neurons)))
        done += block.tokens.size
        progress.update(done)
    return StoredCodes(
        starts=text.starts,
        places=np.concatenate(places),
        values=np.concatenate(values),
        latents=np.concatenate(latents),
        offsets=np.concatenate([[0], np.cumsum(np.concatenate(counts))]),
    )


def encode_text(
    model_folder: Path, tokens_folder: Path, sae_folder: Path, n_tokens: int, seed: int, device: str
) -> CodesOfText:
    """Contents of codes.npz; `n_tokens` of each split are read.

    Raises: ArtefactError for files that do not belong together.
    """
    subject = open_subject(model_folder, sae_folder, device)
    texts = {split: text_of(tokens_folder, split, subject.context, n_tokens, seed) for split in SPLITS}
    splits = {split: encode(subject, text) for split, text in texts.items()}
    return CodesOfText(subject.sae.d_sae, subject.context, splits)
