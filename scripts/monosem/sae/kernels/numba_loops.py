"""Loops over sparse codes, compiled by numba for the CPU: what torch has no kernel for, or a slow one.

Every function works on a range of rows, latents or column blocks, so that threads share nothing and the number of
threads changes no bit. Matrices that are read at random are cut into blocks of BLOCK columns, [blocks, rows, BLOCK]:
one block of a few thousand rows fits into a core's L2 cache (measured: 64 columns beat 32, 128 and 256).
Four summands at a time: otherwise loading and storing the sum costs more than the product.

Names of arrays: `bits` are floats seen as integers [n, d_sae]; a sparse code has values [nnz], latents or indices [nnz]
and offsets [rows + 1]; `order` [nnz] sorts its entries by latent; a matrix [n, d] has `blocks` [blocks, n, BLOCK], and
`table` is one of them, [n, BLOCK]. Rows or latents first … last − 1 are worked on.

Constants are in this file: numba's cache on disk looks at no other.
"""

import inspect

import numba
import numpy as np

BLOCK = 64  # columns
BIAS_COLUMNS = 32  # that carry b_enc through a bfloat16 product; the step of AMX's inner dimension


def _compile(function):
    """The function compiled; without the wrapper that a checker of type hints may have put around it.

    Sums may be reordered and x / 0 is no exception (else nothing is vectorised); NaN and infinity keep their meaning.
    """
    options = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": {"contract", "nsz", "reassoc"}}
    return numba.njit(**options)(inspect.unwrap(function))


@_compile
def _round(bits):
    """float32 bits -> the nearest bfloat16's bits, ties to even."""
    return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


@_compile
def _count(values, n, threshold):
    total = numba.int32(0)
    for i in range(n):
        total = numba.int32(total + (values[i] >= threshold))
    return total


@_compile
def select(bits, k, shift, columns, values, first):
    """The k largest positive entries of each row, in the order of no particular column; ties go to an earlier one.

    `bits` are floats seen as signed integers of their width: for positive numbers the order is the same. `values` are
    integers of the result's width, `shift` 16 where bfloat16 becomes float32. Rows with fewer than k positive entries
    are filled up with 0 at columns that hold none. Output rows start at `first`.

    The k-th largest maximum of groups of columns is a threshold that at least k entries reach; only groups that reach
    it are looked at again.
    """
    n, d_sae = bits.shape
    groups = 64
    while groups < d_sae // 4 and groups * groups < 4 * k * d_sae:
        groups *= 2
    maxima = np.empty(groups, bits.dtype)
    chosen = np.empty(groups + 1, np.int32)
    candidates = np.empty(d_sae + 1, bits.dtype)
    places = np.empty(d_sae + 1, np.int32)
    for b in range(n):
        row = bits[b]
        maxima[:] = 0
        for start in range(0, d_sae, groups):
            chunk = row[start : min(start + groups, d_sae)]
            for g in range(len(chunk)):
                maxima[g] = max(maxima[g], chunk[g])
        low, top = max(np.int64(maxima.min()), 1), np.int64(maxima.max()) + 1
        high = top
        while high - low > 1:
            middle = low + (high - low) // 2
            count = _count(maxima, groups, bits.dtype.type(middle))
            if count < k:
                high = middle
            else:
                low = middle
                if count <= k + 3:
                    break
        threshold = bits.dtype.type(low)
        n_chosen = 0
        for g in range(groups):
            chosen[n_chosen] = g
            n_chosen += maxima[g] >= threshold
        n_candidates = 0
        for c in range(n_chosen):
            for i in range(chosen[c], d_sae, groups):
                value = row[i]
                candidates[n_candidates] = value
                places[n_candidates] = i
                n_candidates += value >= threshold
        room = k  # for entries equal to the threshold
        if n_candidates > k:
            high = top
            while high - low > 1:
                middle = low + (high - low) // 2
                count = _count(candidates, n_candidates, bits.dtype.type(middle))
                if count < k:
                    high = middle
                else:
                    low = middle
                    if count == k:
                        break
            threshold = bits.dtype.type(low)
            above = 0
            for i in range(n_candidates):
                above += candidates[i] > threshold
            room = k - above
        j = 0
        for i in range(n_candidates):
            value = candidates[i]
            if value > threshold or (value == threshold and room > 0):
                room -= value == threshold
                columns[first + b, j] = places[i]
                values[first + b, j] = values.dtype.type(value) << shift
                j += 1
        if j < k:
            for i in range(d_sae):
                if row[i] <= 0:
                    columns[first + b, j] = i
                    values[first + b, j] = 0
                    j += 1
                    if j == k:
                        break


@_compile
def take_above(bits, bounds, shift, latents, values, counts):
    """The entries of each row whose key is above the column's bound, in the order of columns; returns their number.

    The key of a float orders all floats as integers: its bits, all but the first flipped where it is negative.
    `latents` and `values` get as many as they hold, counts[row] the number of each row. A whole row is compared at
    once, and eight entries without any above are passed over as one word.
    """
    n, d_sae = bits.shape
    capacity, sign = len(latents), bits.itemsize * 8 - 1
    most = bits.dtype.type((1 << sign) - 1)
    either_sign = bounds.min() < 0
    keys, place = np.empty(d_sae, bits.dtype), np.empty(9, np.int32)
    above = np.zeros(-(-d_sae // 8) * 8, np.uint8)
    words = above.view(np.uint64)
    out = 0
    for b in range(n):
        row, before = bits[b], out
        if either_sign:
            for i in range(d_sae):
                keys[i] = row[i] ^ ((row[i] >> sign) & most)
            for i in range(d_sae):
                above[i] = keys[i] > bounds[i]
        else:
            for i in range(d_sae):
                above[i] = row[i] > bounds[i]
        for w in range(len(words)):
            if words[w]:
                n_above = 0
                for i in range(8 * w, 8 * w + 8):
                    place[n_above] = i
                    n_above += above[i]
                if out + n_above <= capacity:
                    for i in range(n_above):
                        latents[out + i] = place[i]
                        values[out + i] = values.dtype.type(row[place[i]]) << shift
                out += n_above
        counts[b] = out - before
    return out


@_compile
def kth_largest(bits, k):
    """The k-th largest of at least k positive floats, seen as integers."""
    low, high = np.int64(1), np.int64(bits.max()) + 1
    while high - low > 1:
        middle = low + (high - low) // 2
        if _count(bits, len(bits), bits.dtype.type(middle)) < k:
            high = middle
        else:
            low = middle
    return low


@_compile
def to_blocks(matrix, blocks, first, last):
    """Rows first … last − 1 of a matrix into its column blocks; the columns that fill the last one up are 0."""
    d = matrix.shape[1]
    for r in range(first, last):
        row = matrix[r]
        for c in range(blocks.shape[0]):
            width = min(BLOCK, d - c * BLOCK)
            for j in range(width):
                blocks[c, r, j] = row[c * BLOCK + j]
            for j in range(width, BLOCK):
                blocks[c, r, j] = 0


@_compile
def from_blocks(blocks, matrix, first, last):
    """The inverse of `to_blocks`."""
    d = matrix.shape[1]
    for r in range(first, last):
        for c in range(blocks.shape[0]):
            for j in range(min(BLOCK, d - c * BLOCK)):
                matrix[r, c * BLOCK + j] = blocks[c, r, j]


@_compile
def centre_rows(x, b_dec, centred, blocks, first, last):
    """x − b_dec, as a matrix and as column blocks."""
    d = x.shape[1]
    for b in range(first, last):
        row = centred[b]
        for j in range(d):
            row[j] = x[b, j] - b_dec[j]
    to_blocks(centred, blocks, first, last)


@_compile
def round_rows(matrix, rounded, first, last):
    """bfloat16 bits of rows first … last − 1, into rounded[0:], and ones for the columns that carry the bias."""
    d = matrix.shape[1]
    row = np.empty(d, np.float32)
    bits = row.view(np.uint32)
    for b in range(first, last):
        out = rounded[b - first]
        for j in range(d):
            row[j] = matrix[b, j]
        for j in range(d):
            out[j] = _round(bits[j])
        for j in range(d, d + BIAS_COLUMNS):
            out[j] = 0x3F80 if j < d + 3 else 0


@_compile
def round_encoder(encoder, b_enc, rounded, first, last):
    """bfloat16 bits of the encoder's rows, and b_enc as a sum of three bfloat16 numbers: exact to float32."""
    d = encoder.shape[1]
    row = np.empty(d, np.float32)
    bits = row.view(np.uint32)
    rest = np.empty(1, np.float32)
    part = np.empty(1, np.float32)
    rest_bits, part_bits = rest.view(np.uint32), part.view(np.uint32)
    for i in range(first, last):
        for j in range(d):
            row[j] = encoder[i, j]
        for j in range(d):
            rounded[i, j] = _round(bits[j])
        rounded[i, d:] = 0
        rest[0] = b_enc[i]
        for j in range(3):
            rounded[i, d + j] = _round(rest_bits[0])
            part_bits[0] = np.uint32(rounded[i, d + j]) << np.uint32(16)
            rest[0] -= part[0]


@_compile
def sum_rows(values, indices, offsets, table, out, column, first, last):
    """out[r] = Σ over the entries e of r of values[e] · table[indices[e]], for one column block and r in a range.

    `table` is that block; it is in `out` from `column` on.
    """
    total = np.empty(BLOCK, table.dtype)
    for r in range(first, last):
        total[:] = 0
        start, stop = offsets[r], offsets[r + 1]
        fours = start + (stop - start) // 4 * 4
        for e in range(start, fours, 4):
            v0, v1, v2, v3 = values[e], values[e + 1], values[e + 2], values[e + 3]
            i0, i1, i2, i3 = indices[e], indices[e + 1], indices[e + 2], indices[e + 3]
            for j in range(BLOCK):
                total[j] += (v0 * table[i0, j] + v1 * table[i1, j]) + (v2 * table[i2, j] + v3 * table[i3, j])
        for e in range(fours, stop):
            v, i = values[e], indices[e]
            for j in range(BLOCK):
                total[j] += v * table[i, j]
        width = min(BLOCK, out.shape[1] - column)
        row = out[r, column : column + width]
        for j in range(width):
            row[j] = total[j]


@_compile
def reconstruct(
    values, latents, offsets, table, target, grad_decoded, grad_values, squares, factor, nested, first, last
):
    """One column block of sparse.Reconstruction for rows first … last − 1 of the target [n, BLOCK].

    Args: values, latents [nnz], offsets [n · nested + 1]: the code; table: block of the decoder [d_sae, BLOCK];
    grad_decoded [n · nested, BLOCK]: written; grad_values [nnz] and squares [n · nested]: this block adds to them.
    Twelve single arguments: with the arrays in two tuples it takes 1.6 times as long (measured).
    """
    error = np.empty(BLOCK, table.dtype)
    for r in range(first, last):
        for j in range(BLOCK):
            error[j] = -target[r, j]
        for g in range(r * nested, (r + 1) * nested):
            start, stop = offsets[g], offsets[g + 1]
            fours = start + (stop - start) // 4 * 4
            for e in range(start, fours, 4):
                v0, v1, v2, v3 = values[e], values[e + 1], values[e + 2], values[e + 3]
                i0, i1, i2, i3 = latents[e], latents[e + 1], latents[e + 2], latents[e + 3]
                for j in range(BLOCK):
                    error[j] += (v0 * table[i0, j] + v1 * table[i1, j]) + (v2 * table[i2, j] + v3 * table[i3, j])
            for e in range(fours, stop):
                v, i = values[e], latents[e]
                for j in range(BLOCK):
                    error[j] += v * table[i, j]
            square, grad_row = table.dtype.type(0), grad_decoded[g]
            for j in range(BLOCK):
                square += error[j] * error[j]
                grad_row[j] = error[j]
            squares[g] += square
        error[:] = 0
        for g in range((r + 1) * nested - 1, r * nested - 1, -1):
            grad_row = grad_decoded[g]
            for j in range(BLOCK):
                error[j] += factor * grad_row[j]
                grad_row[j] = error[j]
            start, stop = offsets[g], offsets[g + 1]
            fours = start + (stop - start) // 4 * 4
            for e in range(start, fours, 4):
                i0, i1, i2, i3 = latents[e], latents[e + 1], latents[e + 2], latents[e + 3]
                d0, d1, d2, d3 = grad_values[e], grad_values[e + 1], grad_values[e + 2], grad_values[e + 3]
                for j in range(BLOCK):
                    d0 += error[j] * table[i0, j]
                    d1 += error[j] * table[i1, j]
                    d2 += error[j] * table[i2, j]
                    d3 += error[j] * table[i3, j]
                grad_values[e], grad_values[e + 1], grad_values[e + 2], grad_values[e + 3] = d0, d1, d2, d3
            for e in range(fours, stop):
                i, d0 = latents[e], grad_values[e]
                for j in range(BLOCK):
                    d0 += error[j] * table[i, j]
                grad_values[e] = d0


@_compile
def take(values, order, out, first, last):
    """out[e] = values[order[e]]."""
    for e in range(first, last):
        out[e] = values[order[e]]


@_compile
def sort_by_latent(latents, offsets, latent_offsets, order, rows):
    """Counting sort of the entries by latent, rows ascending within each."""
    for e in range(len(latents)):
        latent_offsets[latents[e] + 1] += 1
    for i in range(len(latent_offsets) - 1):
        latent_offsets[i + 1] += latent_offsets[i]
    place = latent_offsets[:-1].copy()
    for b in range(len(offsets) - 1):
        for e in range(offsets[b], offsets[b + 1]):
            p = place[latents[e]]
            place[latents[e]] = p + 1
            order[p] = e
            rows[p] = b


@_compile
def sum_by_offsets(values, order, offsets, out, first, last):
    """out[i] = Σ of values[order[e]] over the entries of latent i."""
    for i in range(first, last):
        total = values.dtype.type(0)
        for e in range(offsets[i], offsets[i + 1]):
            total += values[order[e]]
        out[i] = total


@_compile
def sum_columns(bits, out, first, last):
    """out[j] = Σ_b of a bfloat16 matrix, seen as its bits, for columns j in a range; sums are float32."""
    row = np.empty(last - first, np.float32)
    row_bits, total = row.view(np.uint32), np.zeros(last - first, np.float32)
    for b in range(len(bits)):
        entries = bits[b, first:last]
        for j in range(len(entries)):
            row_bits[j] = np.uint32(entries[j]) << np.uint32(16)
        for j in range(len(entries)):
            total[j] += row[j]
    out[first:last] = total


@_compile
def adam_rows(weights, gradient, first_moment, second_moment, scalars, project, unit_rows, first, last):
    """Adam on rows first … last − 1, in place; scalars: rate, β1, β2, 1 − β1, 1 − β2, 1/√(1 − β2^t), ε.

    With `project`, the part of the gradient along the row is removed before; with `unit_rows`, the row has length 1
    after.
    """
    rate, beta1, beta2, rest1, rest2, correction, epsilon = scalars
    d = weights.shape[1]
    for i in range(first, last):
        w, g, m, v = weights[i], gradient[i], first_moment[i], second_moment[i]
        along, square = weights.dtype.type(0), weights.dtype.type(0)
        if project:
            for j in range(d):
                along += g[j] * w[j]
        for j in range(d):
            gradient_j = g[j] - along * w[j]
            m[j] = beta1 * m[j] + rest1 * gradient_j
            v[j] = beta2 * v[j] + rest2 * (gradient_j * gradient_j)
            w[j] -= rate * m[j] / (np.sqrt(v[j]) * correction + epsilon)
            square += w[j] * w[j]
        if unit_rows:
            inverse = weights.dtype.type(1) / max(np.sqrt(square), weights.dtype.type(1e-12))
            for j in range(d):
                w[j] *= inverse
