"""Distances between all pairs of rows: `cdist`, `pdist`.

See https://docs.pytorch.org/docs/stable/generated/torch.cdist.html.
"""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from funcgrad import _dtypes
from funcgrad._errors import broadcast_shapes, check_dtype
from funcgrad.ops._matrix_checks import scalar_name
from funcgrad.ops._number import Array, dtype_of

_MM_MODES = (None, "use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")
_MM_ROWS = 25  # more rows than this, and Euclidean distances come from a matrix product


def cdist(x1: Array, x2: Array, p: float = 2.0, compute_mode: str | None = None) -> Array:
    """The p-norm of the difference of each row of `x1` with each row of `x2`.

    Shape: ``[*, n, k], [*, m, k] -> [*, n, m]``.

    Args:
        p: any non-negative number; 0 counts the differing entries.
        compute_mode: whether Euclidean distances come from a matrix product, which is faster and less exact; by
            default where an operand has more than 25 rows.
    """
    if compute_mode not in _MM_MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    _check_cdist(x1, x2, p)
    batch = broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    x1, x2 = (jnp.broadcast_to(x, batch + x.shape[-2:]) for x in (x1, x2))
    n, m = x1.shape[-2], x2.shape[-2]
    if p == 2 and _uses_product(compute_mode, n, m) and x1.shape[-1]:
        return _euclidean_product(x1, x2)
    return _norm_of_differences(x1[..., :, None, :], x2[..., None, :, :], float(p))


def _uses_product(mode: str | None, n: int, m: int) -> bool:
    return mode == _MM_MODES[2] or (mode in _MM_MODES[:2] and (n > _MM_ROWS or m > _MM_ROWS))


def _check_cdist(x1: Array, x2: Array, p: float) -> None:
    for name, x in (("X1", x1), ("X2", x2)):
        if x.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {x.ndim}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}")
    for name, x in (("X1", x1), ("X2", x2)):
        if dtype_of(x).category != _dtypes.FLOATING:
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {scalar_name(x)}")
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    if x1.dtype != x2.dtype:
        raise RuntimeError(f"expected scalar type {scalar_name(x1)} but found {scalar_name(x2)}")
    check_dtype("cdist", dtype_of(x1), "f")


def pdist(input: Array, p: float = 2.0) -> Array:
    """The distances of `cdist` between each two different rows, row by row of the upper triangle.

    Shape: ``[n, k] -> [n * (n - 1) / 2]``.
    """
    if input.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    if dtype_of(input).category != _dtypes.FLOATING:
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    check_dtype("pdist", dtype_of(input), "f")
    i, j = np.triu_indices(input.shape[0], 1)
    return _norm_of_differences(input[i], input[j], float(p))


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _norm_of_differences(a: Array, b: Array, p: float) -> Array:
    # PyTorch's gradient is 0 where a distance is 0, and for p = inf goes to every entry that attains the maximum.
    difference = jnp.abs(a - b)
    if p == 0:
        return jnp.sum(difference != 0, axis=-1, dtype=a.dtype)
    if p == math.inf:
        return jnp.max(difference, axis=-1, initial=0)
    if p == 1:
        return jnp.sum(difference, axis=-1)
    if p == 2:
        return jnp.sqrt(jnp.sum(jnp.square(difference), axis=-1))
    return jnp.power(jnp.sum(jnp.power(difference, p), axis=-1), 1 / p)


@_norm_of_differences.defjvp
def _norm_of_differences_jvp(p: float, primals, tangents):
    a, b = primals
    norm = _norm_of_differences(a, b, p)
    difference = a - b
    size, whole = jnp.abs(difference), norm[..., None]
    if p == 0:
        slope = jnp.zeros_like(difference)
    elif p == math.inf:
        slope = jnp.where(size == whole, jnp.sign(difference), 0)
    elif p == 1:
        slope = jnp.sign(difference)
    else:
        positive = jnp.where(size == 0, 1, size)
        slope = jnp.where(size == 0, 0, jnp.sign(difference) * jnp.power(positive, p - 1))
        slope = slope / jnp.power(jnp.where(whole == 0, 1, whole), p - 1)
    return norm, jnp.sum(slope * (tangents[0] - tangents[1]), axis=-1)


@jax.custom_jvp
def _euclidean_product(a: Array, b: Array) -> Array:
    """Distances by ``|a|^2 + |b|^2 - 2 a b``, never below zero."""
    squares = (jnp.sum(jnp.square(x), axis=-1) for x in (a, b))
    products = jnp.matmul(a, jnp.swapaxes(b, -1, -2))
    return jnp.sqrt(jnp.maximum(next(squares)[..., :, None] + next(squares)[..., None, :] - 2 * products, 0))


@_euclidean_product.defjvp
def _euclidean_product_jvp(primals, tangents):
    (a, b), (da, db) = primals, tangents
    norm = _euclidean_product(a, b)
    inverse = jnp.where(norm == 0, 0, 1 / jnp.where(norm == 0, 1, norm))
    own = jnp.sum(a * da, axis=-1)[..., :, None] + jnp.sum(b * db, axis=-1)[..., None, :]
    crossed = jnp.matmul(da, jnp.swapaxes(b, -1, -2)) + jnp.matmul(a, jnp.swapaxes(db, -1, -2))
    return norm, (own - crossed) * inverse
