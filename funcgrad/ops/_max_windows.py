"""The largest element of each window along the last axes, and where it is.

One axis is done after the other, the last one first. The first of equal maxima in row-major order is then the one that
each step finds first, so gradients and indices are PyTorch's at ties too. Milliseconds on two cores of an AMD EPYC,
forward and gradient after a ReLU, smallest of 40 runs that take turns (``benchmarks/lowering.py`` repeats them):

    input, kernel, stride           axis by axis     all positions at once     reduce_window     reshape and max
    [64, 6, 28, 28], 2, 2               0.71                 0.78                    2.5               2.7
    [16, 64, 32, 32], 2, 2              1.8                  2.4                     9.6               9.7
    [8, 64, 56, 56], 3, 2               5.5                   12                      22
    [8, 64, 28, 28], 3, 1               1.6                  8.4                      15
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad.ops._number import Array
from funcgrad.ops._pool_arguments import Axis
from funcgrad.ops._windows import pad_last, window

MOST_SLICES = 16


def lowest(dtype):
    """What padding counts as: the identity of the maximum."""
    return -np.inf if jnp.issubdtype(dtype, jnp.floating) else np.iinfo(dtype).min


def pad_axis(x: Array, axis: int, a: Axis, value) -> Array:
    padding = [(0, 0)] * (x.ndim - axis)
    padding[0] = (a.low, a.high)
    return pad_last(x, tuple(padding), value)


def _slices(x: Array, axis: int, a: Axis, value) -> list[Array]:
    padded = pad_axis(x, axis, a, value)
    return [window(padded, axis, i * a.dilation, a.count, a.stride) for i in range(a.kernel)]


def _first_inside(a: Axis) -> np.ndarray:
    """For each window, the first of its elements that is no padding."""
    starts = np.arange(a.count) * a.stride - a.low
    return np.maximum(0, -(starts // a.dilation)) * (starts < 0)


def best(x: Array, axis: int, a: Axis) -> tuple[Array, Array]:
    """The maximum of each window along `axis` and its place in the window; NaN wins, the last one of several."""
    if a.kernel > MOST_SLICES:
        return _best_of_many(x, axis, a)
    parts = _slices(x, axis, a, lowest(x.dtype))
    shape = parts[0].shape
    along = [1] * x.ndim
    along[axis] = a.count
    if a.low:
        # Nothing but padding and -inf in a window: PyTorch takes the first element that is no padding.
        place = jnp.broadcast_to(jnp.asarray(_first_inside(a).reshape(along), jnp.int8), shape)
        highest = jnp.full(shape, lowest(x.dtype), x.dtype)
        rest = list(enumerate(parts))
    else:
        place, highest, rest = jnp.zeros(shape, jnp.int8), parts[0], list(enumerate(parts))[1:]
    for i, part in rest:
        better = (part > highest) | (part != part)
        highest = jnp.where(better, part, highest)
        place = jnp.where(better, jnp.int8(i), place)
    return highest, place


def _best_of_many(x: Array, axis: int, a: Axis) -> tuple[Array, Array]:
    """As `best`, from the windows laid out along a new last axis: large kernels would make too many slices."""
    moved = jnp.moveaxis(pad_axis(x, axis, a, lowest(x.dtype)), axis, -1)
    if a.stride == a.kernel and a.dilation == 1:
        windows = moved.reshape(*moved.shape[:-1], a.count, a.kernel)
    else:
        places = np.arange(a.count)[:, None] * a.stride + np.arange(a.kernel) * a.dilation
        windows = jnp.take(moved, jnp.asarray(places, jnp.int32), -1)
    place = jnp.argmax(windows, -1).astype(jnp.int32)
    highest = jnp.take_along_axis(windows, place[..., None], -1)[..., 0]
    return jnp.moveaxis(highest, -1, axis), jnp.moveaxis(place, -1, axis)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def max_along(x: Array, axis: int, a: Axis) -> Array:
    """The maximum of each window along `axis`; the gradient goes to the first of equals."""
    if a.kernel > MOST_SLICES:
        return best(x, axis, a)[0]
    return functools.reduce(jnp.maximum, _slices(x, axis, a, lowest(x.dtype)))


@max_along.defjvp
def _(axis, a, primals, tangents):
    highest, place = best(primals[0], axis, a)
    if a.kernel > MOST_SLICES:
        along = [1] * place.ndim
        along[axis] = a.count
        starts = jnp.arange(0, a.count * a.stride, a.stride, dtype=jnp.int32).reshape(along)
        padded = pad_axis(tangents[0], axis, a, 0)
        return highest, jnp.take_along_axis(padded, starts + place * jnp.int32(a.dilation), axis)
    parts = [jnp.where(place == i, part, 0) for i, part in enumerate(_slices(tangents[0], axis, a, 0))]
    return highest, functools.reduce(lax.add, parts)


def max_windows(x: Array, axes: tuple[Axis, ...]) -> Array:
    """The maximum of each window over the last ``len(axes)`` axes."""
    for i in reversed(range(len(axes))):
        x = max_along(x, x.ndim - len(axes) + i, axes[i])
    return x


def argmax_windows(x: Array, axes: tuple[Axis, ...]) -> Array:
    """The index (int64, into the flattened last ``len(axes)`` axes of `x`) of each window's maximum."""
    sizes, lead = x.shape[x.ndim - len(axes) :], x.ndim - len(axes)
    flat, stride = None, 1
    for i in reversed(range(len(axes))):
        a, axis = axes[i], lead + i
        along = [1] * x.ndim
        along[axis] = a.count
        x, place = best(x, axis, a)
        starts = jnp.arange(0, a.count * a.stride, a.stride, dtype=jnp.int32).reshape(along)
        position = starts + place.astype(jnp.int32) * jnp.int32(a.dilation)
        if flat is not None:
            # The coordinates along later axes are those of the row (plane) that won along this one.
            flat = jnp.take_along_axis(pad_axis(flat, axis, a, 0), position, axis)
        own = (position - jnp.int32(a.low)).astype(jnp.int64) * jnp.int64(stride)
        flat = own if flat is None else flat + own
        stride *= sizes[i]
    return flat
