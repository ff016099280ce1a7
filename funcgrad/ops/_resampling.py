"""Resampling along one axis: which input elements make up each output element, and with which weights.

The tables are computed with NumPy when a program is built, in the precision PyTorch computes them in.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad.ops._number import Array

MOST_TAPS = 8
LONG = 512


class Table(NamedTuple):
    """For each output element the input elements (``[outputs, taps]``) and their weights (None: one element each)."""

    places: np.ndarray
    weights: np.ndarray | None


def _ratio(size: int, count: int, scale: float | None, align_corners: bool, dtype) -> np.floating:
    """Distance between the sources of neighbouring outputs."""
    if align_corners:
        return dtype(size - 1) / dtype(count - 1) if count > 1 else dtype(0)
    return dtype(1.0 / scale) if scale is not None and scale > 0 else dtype(size) / dtype(count)


def _sources(size: int, count: int, scale, align_corners: bool, dtype) -> np.ndarray:
    ratio, i = _ratio(size, count, scale, align_corners, dtype), np.arange(count, dtype=dtype)
    return ratio * i if align_corners else ratio * (i + dtype(0.5)) - dtype(0.5)


def nearest(size: int, count: int, scale: float | None, exact: bool, planar: bool, dtype) -> Table:
    """The nearest element: the one at ``floor(i * ratio)``, or ``floor((i + 0.5) * ratio)`` where `exact`.

    In two dimensions (`planar`) PyTorch ignores a given scale if the size stays the same or doubles.
    """
    i = np.arange(count)
    if exact:
        places = np.floor((i.astype(dtype) + dtype(0.5)) * _ratio(size, count, scale, False, dtype))
    elif planar and count in (size, 2 * size):
        places = i // (count // size)
    else:
        places = np.floor(i.astype(dtype) * _ratio(size, count, scale, False, dtype))
    return Table(np.minimum(places.astype(np.int32), size - 1)[:, None], None)


def linear(size: int, count: int, scale: float | None, align_corners: bool, dtype) -> Table:
    """The two neighbours, weighted by distance."""
    if count == size:
        return Table(np.arange(count, dtype=np.int32)[:, None], None)
    source = np.maximum(_sources(size, count, scale, align_corners, dtype), dtype(0))
    low = np.minimum(source.astype(np.int32), size - 1)
    part = np.clip(source - low.astype(dtype), dtype(0), dtype(1))
    return Table(np.stack([low, np.minimum(low + 1, size - 1)], 1), np.stack([dtype(1) - part, part], 1))


def keys_kernel(x: np.ndarray, a: float) -> np.ndarray:
    """The cubic convolution kernel with parameter `a`, for distances below 2."""
    x, one, a = np.abs(x), x.dtype.type(1), x.dtype.type(a)
    inner = ((a + 2 * one) * x - (a + 3 * one)) * x * x + one
    outer = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x < 1, inner, np.where(x < 2, outer, 0 * one))


def cubic(size: int, count: int, scale: float | None, align_corners: bool, dtype) -> Table:
    """Four neighbours, weighted by the cubic convolution kernel with a = -0.75; edge elements repeat."""
    source = _sources(size, count, scale, align_corners, dtype)
    low = np.floor(source)
    offsets = np.arange(-1, 3)
    weights = keys_kernel((source - low)[:, None] - offsets.astype(dtype), -0.75)
    return Table(np.clip(low.astype(np.int32)[:, None] + offsets, 0, size - 1).astype(np.int32), weights)


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _lanczos(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


FILTERS: dict[str, tuple[Callable, float]] = {
    "bilinear": (_triangle, 1.0),
    "bicubic": (functools.partial(keys_kernel, a=-0.5), 2.0),
    "lanczos": (_lanczos, 3.0),
}


def antialiased(mode: str, size: int, count: int, scale: float | None, align_corners: bool, dtype) -> Table:
    """A filter as wide as the distance between outputs, so that shrinking averages what it drops."""
    if count == size:
        return Table(np.arange(count, dtype=np.int32)[:, None], None)
    kernel, reach = FILTERS[mode]
    ratio = _ratio(size, count, scale, align_corners, dtype)
    support = dtype(reach) * np.maximum(ratio, dtype(1))
    centre = ratio * (np.arange(count, dtype=dtype) + dtype(0.5))
    first = np.maximum((centre - support + dtype(0.5)).astype(np.int64), 0)
    last = np.minimum((centre + support + dtype(0.5)).astype(np.int64), size)
    places = first[:, None] + np.arange((last - first).max(initial=1))
    inside = places < last[:, None]
    distance = (places.astype(dtype) - centre[:, None] + dtype(0.5)) / np.maximum(ratio, dtype(1))
    weights = np.where(inside, kernel(distance), 0).astype(dtype)
    total = weights.sum(1, keepdims=True, dtype=dtype)
    weights = np.where(total == 0, weights, weights / np.where(total == 0, dtype(1), total))
    return Table(np.minimum(places, np.maximum(last, 1)[:, None] - 1).astype(np.int32), weights)


def _pick(x: Array, axis: int, places: np.ndarray) -> Array:
    """``x[places]`` along `axis`; as repeats or a strided slice where it is one, whose gradients are no scatters."""
    size, count = x.shape[axis], len(places)
    if count % size == 0 and (places == np.arange(count) // (count // size)).all():
        if count == size:
            return x
        repeated = jnp.broadcast_to(
            jnp.expand_dims(x, axis + 1), (*x.shape[: axis + 1], count // size, *x.shape[axis + 1 :])
        )
        return repeated.reshape(*x.shape[:axis], count, *x.shape[axis + 1 :])
    step = int(places[1] - places[0]) if count > 1 else 1
    if step > 0 and (places == places[0] + step * np.arange(count)).all():
        return lax.slice_in_dim(x, int(places[0]), int(places[-1]) + 1, step, axis)
    return jnp.take(x, jnp.asarray(places, jnp.int32), axis)


def resample(x: Array, axis: int, table: Table) -> Array:
    """The weighted sums of `table` along `axis`.

    Their gradient is a product with a matrix, unless the axis is long: a scatter of [16, 32, 64, 64] to half its sizes
    takes 14 ms, the product 1.7; to a quarter of [4, 64, 256, 256] 303 and 22 (one loaded core of an AMD EPYC). The sums
    themselves are not one, or an infinity would be seen by all of its line.
    """
    if table.weights is None:
        return _pick(x, axis, table.places[:, 0])

    @jax.custom_jvp
    def sums(x: Array) -> Array:
        return _sums(x, axis, table)

    @sums.defjvp
    def _(primals, tangents):
        return sums(*primals), _by_matrix(tangents[0], axis, table)

    return sums(x) if x.shape[axis] <= LONG else _sums(x, axis, table)


def _by_matrix(x: Array, axis: int, table: Table) -> Array:
    matrix = np.zeros((len(table.places), x.shape[axis]), table.weights.dtype)
    np.add.at(matrix, (np.arange(len(table.places))[:, None], table.places), table.weights)
    y = lax.dot_general(x, jnp.asarray(matrix, x.dtype), (((axis,), (1,)), ((), ())), precision=lax.Precision.HIGHEST)
    return jnp.moveaxis(y, -1, axis)


def _sums(x: Array, axis: int, table: Table) -> Array:
    places, weights = table
    along = [1] * x.ndim
    along[axis] = len(places)
    if places.shape[1] <= MOST_TAPS:
        terms = [
            _pick(x, axis, places[:, k]) * jnp.asarray(weights[:, k].reshape(along), x.dtype)
            for k in range(places.shape[1])
        ]
        return functools.reduce(lax.add, terms)
    windows = jnp.take(jnp.moveaxis(x, axis, -1), jnp.asarray(places, jnp.int32), -1)
    # Where a weight is 0 for being beyond the filter, an infinity must not count.
    total = jnp.where(weights == 0, jnp.zeros((), x.dtype), windows * jnp.asarray(weights, x.dtype)).sum(-1)
    return jnp.moveaxis(total, -1, axis)


def resample_bytes(x: Array, axis: int, table: Table) -> Array:
    """As `resample` for uint8, in the integer arithmetic of PyTorch's kernels: weights of 16 bits, rounded sums."""
    places, weights = table
    if weights is None:
        return _pick(x, axis, places[:, 0])
    largest, precision = float(np.abs(weights).max()), 0
    while precision < 22 and int(0.5 + largest * (1 << (precision + 1))) < 1 << 15:
        precision += 1
    scaled = weights.astype(np.float64) * (1 << precision)
    whole = np.trunc(scaled + np.where(scaled < 0, -0.5, 0.5)).astype(np.int32)
    windows = jnp.take(jnp.moveaxis(x, axis, -1).astype(jnp.int32), jnp.asarray(places, jnp.int32), -1)
    total = (windows * whole).sum(-1, dtype=jnp.int32) + jnp.int32(1 << (precision - 1))
    rounded = jnp.clip(lax.shift_right_arithmetic(total, jnp.int32(precision)), 0, 255)
    return jnp.moveaxis(rounded, -1, axis).astype(x.dtype)
