"""Compiled loops of the toy models: losses and gradients of many small models at once, and non-empty samples.

A stack of models of a few features each is slow as tensor operations: products whose inner side is 2 or 5, and a pass
over [instance, sample, n] for every elementwise step. Here one instance after the other is worked on in the first
cache, with samples as the inner loop.
"""

import functools
import inspect
import os

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from scripts.monosem.core.places import give_caches

give_caches(os.environ)  # before numba is loaded, which looks for a place for its cache
import numba  # noqa: E402

def _compile(function):
    """The function compiled, without the wrapper that a checker of type hints may have put around it; sums may be
    reordered (else nothing is vectorised), NaN and infinity keep their meaning."""
    options = {"cache": True, "error_model": "numpy", "fastmath": {"contract", "nsz", "reassoc"}}
    return numba.njit(**options)(inspect.unwrap(function))


@_compile
def _reconstruct(W, b, x, weight, importance, at, relu, loss, by_W, by_b):
    m, n = W.shape[1:]
    samples, wide = x.shape[1], -(-n // 4) * 4
    values, out = np.zeros((wide, samples), np.float32), np.empty((4, samples), np.float32)
    h, back = np.empty((m, samples), np.float32), np.empty((m, samples), np.float32)
    w, by = np.zeros((m, wide), np.float32), np.empty((m, wide), np.float32)
    zero = np.float32(0.0)
    last = -1
    for row in range(len(at)):
        i, of_x, of_weight, of_importance = at[row]
        if of_x != last:
            last = of_x
            for s in range(samples):
                for j in range(n):
                    values[j, s] = x[of_x, s, j]
        shares = weight[of_weight]
        w[:, :n] = W[i]
        h[:] = zero
        back[:] = zero
        for j in range(0, wide, 4):
            v0, v1, v2, v3 = values[j], values[j + 1], values[j + 2], values[j + 3]
            for k in range(m):
                a0, a1, a2, a3 = w[k, j], w[k, j + 1], w[k, j + 2], w[k, j + 3]
                for s in range(samples):
                    h[k, s] += a0 * v0[s] + a1 * v1[s] + a2 * v2[s] + a3 * v3[s]
        total = zero
        for j in range(0, wide, 4):
            o0, o1, o2, o3 = out[0], out[1], out[2], out[3]
            for c in range(4):
                out[c, :] = b[i, j + c] if j + c < n else zero
            for k in range(m):
                a0, a1, a2, a3 = w[k, j], w[k, j + 1], w[k, j + 2], w[k, j + 3]
                for s in range(samples):
                    o0[s] += a0 * h[k, s]
                    o1[s] += a1 * h[k, s]
                    o2[s] += a2 * h[k, s]
                    o3[s] += a3 * h[k, s]
            for c in range(4):
                scale = importance[of_importance, j + c] if j + c < n else zero
                by_bias = zero
                for s in range(samples):
                    kept = out[c, s] if out[c, s] > zero or not relu else zero
                    error = kept - values[j + c, s]
                    slope = scale * shares[s] * error
                    total += slope * error
                    slope = slope + slope if kept != zero or not relu else zero
                    out[c, s] = slope
                    by_bias += slope
                if j + c < n:
                    by_b[i, j + c] = by_bias
            for k in range(m):
                a0, a1, a2, a3 = w[k, j], w[k, j + 1], w[k, j + 2], w[k, j + 3]
                b0, b1, b2, b3 = zero, zero, zero, zero
                for s in range(samples):
                    b0 += h[k, s] * o0[s]
                    b1 += h[k, s] * o1[s]
                    b2 += h[k, s] * o2[s]
                    b3 += h[k, s] * o3[s]
                    back[k, s] += a0 * o0[s] + a1 * o1[s] + a2 * o2[s] + a3 * o3[s]
                by[k, j], by[k, j + 1], by[k, j + 2], by[k, j + 3] = b0, b1, b2, b3
        for j in range(0, wide, 4):
            v0, v1, v2, v3 = values[j], values[j + 1], values[j + 2], values[j + 3]
            for k in range(m):
                b0, b1, b2, b3 = zero, zero, zero, zero
                for s in range(samples):
                    b0 += back[k, s] * v0[s]
                    b1 += back[k, s] * v1[s]
                    b2 += back[k, s] * v2[s]
                    b3 += back[k, s] * v3[s]
                by[k, j] += b0
                by[k, j + 1] += b1
                by[k, j + 2] += b2
                by[k, j + 3] += b3
        by_W[i] = by[:, :n]
        loss[i] = total


@functools.lru_cache
def _pairing(shape: tuple[int, ...], *shared: tuple[int, ...]) -> Int[np.ndarray, "instance 4"]:
    """Index of each instance and of its entries in tensors of broadcastable shapes, those of one batch together."""
    columns = [np.arange(int(np.prod(each))).reshape(each) for each in (shape, *shared)]
    table = np.stack([np.broadcast_to(column, shape).ravel() for column in columns], axis=1)
    return table[np.argsort(table[:, 1], kind="stable")]


def reconstruct(
    W: Float[Tensor, "*instance m n"],
    b: Float[Tensor, "*instance n"],
    x: Float[Tensor, "*#instance sample n"],
    weight: Float[Tensor, "*#instance sample"],
    importance: Float[Tensor, "*#instance n"],
    relu: bool,
) -> tuple[Float[Tensor, "*instance"], Float[Tensor, "*instance m n"], Float[Tensor, "*instance n"]]:
    """Σ_s weight_s Σ_i I_i (x_i − x'_i)² of each instance, and its gradients by W and b; float32, on the CPU."""
    instances = W.shape[:-2]
    loss, by_W, by_b = W.new_empty(instances), torch.empty_like(W), torch.empty_like(b)
    shared = (x.shape[:-2], weight.shape[:-1], importance.shape[:-1])
    _reconstruct(
        W.contiguous().numpy().reshape(-1, *W.shape[-2:]),
        b.contiguous().numpy().reshape(-1, b.shape[-1]),
        x.contiguous().numpy().reshape(-1, *x.shape[-2:]),
        weight.contiguous().numpy().reshape(-1, weight.shape[-1]),
        importance.contiguous().numpy().reshape(-1, importance.shape[-1]),
        _pairing(tuple(instances), *(tuple(shape) for shape in shared)),
        relu,
        loss.numpy().reshape(-1),
        by_W.numpy().reshape(-1, *W.shape[-2:]),
        by_b.numpy().reshape(-1, b.shape[-1]),
    )
    return loss, by_W, by_b


@_compile
def fill(u, on, first, x):
    """Write into x [instance, sample, n]: 0 before index `first`, u there, and after it u / on where u < on."""
    instances, samples, n = u.shape
    for i in range(instances):
        for s in range(samples):
            begin = first[i, s]
            for j in range(begin):
                x[i, s, j] = 0.0
            x[i, s, begin] = u[i, s, begin]
            for j in range(begin + 1, n):
                x[i, s, j] = u[i, s, j] / on[i, j] if u[i, s, j] < on[i, j] else np.float32(0.0)
