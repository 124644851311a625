"""Sparse codes on disk: the same numbers as a dense encoder's, on the same tokens for every autoencoder."""

import numpy as np
import pytest
import torch

from scripts.monosem.core import artefacts
from scripts.monosem.evaluation.latents import stored_codes
from scripts.monosem.evaluation.latents.encode_text import encode_text
from scripts.monosem.models import sites
from scripts.monosem.models.load import load_model
from scripts.monosem.sae.model import encode, load_sae
from scripts.monosem.text.tokens import load_tokens
from tests.helpers import evaluation_world as world


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return world.make_world(tmp_path_factory.mktemp("world"), world.RESIDUAL)


@pytest.fixture(scope="module")
def path(folders):
    codes = encode_text(folders["model"], folders["tokens"], folders["random"], 500, 0, "cpu")
    path = folders["random"] / "codes.npz"
    stored_codes.save(codes, path)
    return path


def test_stored_codes_are_those_of_the_dense_encoder(folders, path):
    codes, stream = stored_codes.load(path), load_tokens(folders["tokens"], "test")
    rows = codes.splits["test"]
    starts, model = rows.starts, load_model(folders["model"], "cpu")
    tokens = torch.from_numpy(stream.tokens[starts[:, None] + np.arange(world.CONTEXT)].astype(np.int64))
    x = sites.capture(model, sites.resolve(model, world.RESIDUAL), tokens, 0).reshape(-1, world.WIDTH)
    flat = (starts[:, None] + np.arange(world.CONTEXT)).ravel()
    expected = encode(load_sae(folders["random"]), x.float()).numpy()[np.isin(flat, rows.places)]
    assert np.allclose(codes.matrix("test").toarray(), expected, atol=1e-5)
    assert (rows.values > 0).all() and rows.latents.dtype == np.uint16


def test_separators_and_first_positions_have_no_row(folders, path):
    stream, codes = load_tokens(folders["tokens"], "validation"), stored_codes.load(path)
    rows = codes.splits["validation"]
    assert (stream.tokens[rows.places] != 0).all() and not np.isin(rows.places, rows.starts).any()
    assert (np.diff(rows.places) > 0).all()


def test_every_autoencoder_reads_the_same_text(folders, path):
    other = encode_text(folders["model"], folders["tokens"], folders["exact"], 500, 0, "cpu")
    for split, rows in stored_codes.load(path).splits.items():
        assert np.array_equal(rows.places, other.splits[split].places)


def test_a_file_that_is_cut_short_is_named(path, tmp_path):
    cut = tmp_path / "codes.npz"
    cut.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(artefacts.ArtefactError, match="codes.npz is cut short"):
        stored_codes.load(cut)
