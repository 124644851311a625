"""Relatives of latents: planted ones are found, and chance is not."""

import numpy as np
import torch
from scipy import sparse

from scripts.monosem.browser import relations


def test_nearest_is_by_cosine_and_not_itself():
    directions = torch.tensor([[1.0, 0.0], [10.0, 1.0], [0.0, 2.0]])
    index, cosines = relations.nearest(directions, directions, 6, same=True)
    assert index.tolist() == [[1, 2], [0, 2], [1, 0]]
    assert np.allclose(cosines[0], [10 / 101**0.5, 0])
    index, cosines = relations.nearest(directions, 3 * directions, 1, same=False)
    assert index[:, 0].tolist() == [0, 1, 2] and np.allclose(cosines, 1)


def test_the_same_latents_in_another_order_are_matched_with_correlation_1():
    codes = sparse.random(4000, 30, 0.05, random_state=0, format="csr", dtype=np.float32)
    order = np.random.default_rng(1).permutation(30)
    partner, r = relations.best_matches(codes, codes[:, order].tocsr())
    assert (order[partner] == np.arange(30)).all()
    assert np.allclose(r, 1, atol=1e-5)


def test_on_other_text_a_chance_match_is_near_0():
    a, b = (sparse.random(4000, 300, 0.02, random_state=seed, format="csr", dtype=np.float32) for seed in (0, 1))
    _, r = relations.best_matches(a, b)
    assert abs(r.mean()) < 0.01
