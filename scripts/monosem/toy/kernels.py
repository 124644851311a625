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
def _two_layers(W1, W2, b, x, target, weight, importance, at, relu_hidden, relu, loss, by_W1, by_W2, by_b):
    m, n = W1.shape[1:]
    samples, wide = x.shape[1], -(-n // 4) * 4
    values, wanted = np.zeros((wide, samples), np.float32), np.zeros((wide, samples), np.float32)
    h, back = np.empty((m, samples), np.float32), np.empty((m, samples), np.float32)
    out, by = np.empty((4, samples), np.float32), np.empty((m, wide), np.float32)
    w = np.zeros((m, wide), np.float32)
    zero = np.float32(0.0)
    last = -1
    for row in range(len(at)):
        i, of_x, of_weight, of_importance = at[row]
        if of_x != last:
            last = of_x
            for s in range(samples):
                for j in range(n):
                    values[j, s] = x[of_x, s, j]
                    wanted[j, s] = target[of_x, s, j]
        shares = weight[of_weight]
        w[:, :n] = W1[i]
        h[:] = zero
        back[:] = zero
        for j in range(0, wide, 4):
            v0, v1, v2, v3 = values[j], values[j + 1], values[j + 2], values[j + 3]
            for k in range(m):
                a0, a1, a2, a3 = w[k, j], w[k, j + 1], w[k, j + 2], w[k, j + 3]
                for s in range(samples):
                    h[k, s] += a0 * v0[s] + a1 * v1[s] + a2 * v2[s] + a3 * v3[s]
        if relu_hidden:
            for k in range(m):
                for s in range(samples):
                    h[k, s] = max(h[k, s], zero)
        w[:, :n] = W2[i]
        total = zero
        o0, o1, o2, o3 = out[0], out[1], out[2], out[3]
        for j in range(0, wide, 4):
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
                    error = kept - wanted[j + c, s]
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
        by_W2[i] = by[:, :n]
        if relu_hidden:
            for k in range(m):
                for s in range(samples):
                    back[k, s] = back[k, s] if h[k, s] > zero else zero
        for j in range(0, wide, 4):
            v0, v1, v2, v3 = values[j], values[j + 1], values[j + 2], values[j + 3]
            for k in range(m):
                b0, b1, b2, b3 = zero, zero, zero, zero
                for s in range(samples):
                    b0 += back[k, s] * v0[s]
                    b1 += back[k, s] * v1[s]
                    b2 += back[k, s] * v2[s]
                    b3 += back[k, s] * v3[s]
                by[k, j], by[k, j + 1], by[k, j + 2], by[k, j + 3] = b0, b1, b2, b3
        by_W1[i] = by[:, :n]
        loss[i] = total


@functools.lru_cache
def _pairing(shape: tuple[int, ...], *shared: tuple[int, ...]) -> Int[np.ndarray, "instance 4"]:
    """Index of each instance and of its entries in tensors of broadcastable shapes, those of one batch together."""
    columns = [np.arange(int(np.prod(each))).reshape(each) for each in (shape, *shared)]
    table = np.stack([np.broadcast_to(column, shape).ravel() for column in columns], axis=1)
    return table[np.argsort(table[:, 1], kind="stable")]


def two_layers(
    W1: Float[Tensor, "*instance m n"],
    W2: Float[Tensor, "*instance m n"],
    b: Float[Tensor, "*instance n"],
    x: Float[Tensor, "*#instance sample n"],
    target: Float[Tensor, "*#instance sample n"],
    weight: Float[Tensor, "*#instance sample"],
    importance: Float[Tensor, "*#instance n"],
    relu_hidden: bool,
    relu: bool,
) -> tuple[
    Float[Tensor, "*instance"], Float[Tensor, "*instance m n"], Float[Tensor, "*instance m n"],
    Float[Tensor, "*instance n"],
]:  # fmt: skip
    """Σ_s weight_s Σ_i I_i (t_i − y_i)² of each instance with y = act(W2ᵀ act(W1 x) + b), and its gradients by W1, W2
    and b; float32, on the CPU.

    `x` and `target` have the same shape. Row k of W1 is what hidden unit k reads, row k of W2 what it writes.
    """
    instances = tuple(W1.shape[:-2])
    loss, gradients = W1.new_empty(instances), [torch.empty_like(tensor) for tensor in (W1, W2, b)]
    flat = [
        tensor.contiguous().numpy().reshape(-1, *tensor.shape[-kept:])
        for tensor, kept in ((W1, 2), (W2, 2), (b, 1), (x, 2), (target, 2), (weight, 1), (importance, 1))
    ]
    into = [
        tensor.numpy().reshape(-1, *tensor.shape[-kept:]) for tensor, kept in zip(gradients, (2, 2, 1), strict=True)
    ]
    shared = (tuple(shape) for shape in (x.shape[:-2], weight.shape[:-1], importance.shape[:-1]))
    _two_layers(*flat, _pairing(instances, *shared), relu_hidden, relu, loss.numpy().reshape(-1), *into)
    return loss, *gradients


@_compile
def fill(u, on, inverse, first, x):
    """Write into x [instance, sample, n]: 0 before index `first`, u there, and after it u · inverse where u < on."""
    instances, samples, n = u.shape
    zero = np.float32(0.0)
    for i in range(instances):
        for s in range(samples):
            begin = first[i, s]
            for j in range(n):
                x[i, s, j] = u[i, s, j] * inverse[i, j] if u[i, s, j] < on[i, j] and j > begin else zero
            x[i, s, begin] = u[i, s, begin]
