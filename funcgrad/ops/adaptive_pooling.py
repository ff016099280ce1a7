"""Pooling to a given output size: adaptive average and max pooling, and fractional max pooling.

Source: https://docs.pytorch.org/docs/stable/nn.functional.html#pooling-functions
"""

from __future__ import annotations

import operator

import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes, _errors
from funcgrad.ops import _pool_arguments
from funcgrad.ops._elementwise import HALVES
from funcgrad.ops._max_windows import argmax_windows, max_windows
from funcgrad.ops._number import Array, cast
from funcgrad.ops._pool_arguments import Axis
from funcgrad.ops._sizes import brackets, check_size
from funcgrad.ops.average_pooling import check_rank, sum_along

# -- output sizes and their errors ------------------------------------------------------------------------------------


def _wanted(name: str, input: Array, output_size, ndim: int, complaint: str) -> tuple[int, ...]:
    """`output_size` for each dimension, None standing for the input's own size."""
    if not isinstance(output_size, list | tuple):
        return (operator.index(output_size),) * ndim
    if input.ndim <= len(output_size):
        raise ValueError(f"Input dimension should be at least {len(output_size) + 1}")
    own = input.shape[input.ndim - len(output_size) :]
    sizes = tuple(n if wanted is None else operator.index(wanted) for wanted, n in zip(output_size, own))
    if len(sizes) != ndim:
        raise RuntimeError(f"{name}{complaint} must be {ndim}")
    return sizes


def _check_input(name: str, input: Array, ndim: int, batch: int, colon: str, shown: tuple[int, ...]) -> None:
    """The rank, and that no dimension after the first `batch` (for a batched input) is empty."""
    if input.ndim not in (ndim + 1, ndim + 2):
        raise RuntimeError(
            f"{name}(): Expected {ndim + 1}D or {ndim + 2}D tensor, but got{colon} {brackets(input.shape)}"
        )
    start = min(batch, input.ndim - ndim) if input.ndim == ndim + 2 else batch - 1
    for i, n in enumerate(input.shape):
        if i >= start and n == 0:
            place = i + len(shown) - input.ndim
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes "
                f"{brackets(shown)} with dimension {place} being empty"
            )


def _even(size: int, count: int) -> Axis | None:
    """The windows along an axis whose size the output size divides."""
    if count == 0 or size % count:
        return None
    return Axis(count, size // count, size // count, 0, 0)


def _places(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The elements of each of `count` windows, ``[count, longest]`` with repeats at the end, and which are repeats."""
    first = np.arange(count) * size // count
    last = -(-(np.arange(count) + 1) * size // count)
    places = first[:, None] + np.arange((last - first).max(initial=1))
    return np.minimum(places, last[:, None] - 1), places >= last[:, None]


# -- adaptive averages ------------------------------------------------------------------------------------------------


def _mean_along(x: Array, axis: int, count: int) -> Array:
    size = x.shape[axis]
    even = _even(size, count)
    if even is not None:
        return sum_along(x, axis, even) / jnp.asarray(even.kernel, x.dtype) if even.kernel > 1 else x
    places, repeated = _places(size, count)
    windows = jnp.take(jnp.moveaxis(x, axis, -1), jnp.asarray(places, jnp.int32), -1)
    total = jnp.where(jnp.asarray(repeated), jnp.zeros((), x.dtype), windows).sum(-1, dtype=x.dtype)
    return jnp.moveaxis(total / jnp.asarray((~repeated).sum(-1), x.dtype), -1, axis)


def _average(input: Array, sizes: tuple[int, ...]) -> Array:
    if 0 in input.shape or 0 in sizes:
        return jnp.zeros((*input.shape[: -len(sizes)], *sizes), input.dtype)
    x = cast(input, _dtypes.float32) if _dtypes.to_dtype(input.dtype) in HALVES else input
    if all(n == 1 for n in sizes):
        x = x.mean(tuple(range(x.ndim - len(sizes), x.ndim)), dtype=x.dtype, keepdims=True)
    else:
        for i in reversed(range(len(sizes))):
            x = _mean_along(x, x.ndim - len(sizes) + i, sizes[i])
    return cast(x, input.dtype)


def _check_average(name: str, input: Array, sizes: tuple[int, ...], ndim: int) -> None:
    d = _dtypes.to_dtype(input.dtype)
    if min(sizes) < 0:
        shown = ", ".join(map(str, sizes[:2])) + "".join(f",{n}" for n in sizes[2:])
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received {{{shown}}}"
        )
    if all(n == 1 for n in sizes) and d.category < _dtypes.FLOATING:
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {d.scalar_name}"
        )
    _errors.check_dtype(name if ndim == 2 else f"{name}_cpu", d, "hf")


def adaptive_avg_pool1d(input: Array, output_size) -> Array:
    """Average ``[N, C, L]`` or ``[C, L]`` to `output_size`; see `adaptive_avg_pool2d`.

    Example:
        >>> adaptive_avg_pool1d(jnp.array([[1.0, 2.0, 3.0]]), 2)
        Array([[1.5, 2.5]], dtype=float32)
    """
    size = _pool_arguments.one_integer("adaptive_avg_pool1d", "output_size", output_size)
    check_rank("adaptive_avg_pool1d", input)
    plane = (*input.shape[:-1], 1, input.shape[-1])
    _check_input("adaptive_avg_pool2d", input, 1, 2, "", plane)
    _check_average("adaptive_avg_pool2d", input, (1, size), 2)
    return _average(input, (size,))


def adaptive_avg_pool2d(input: Array, output_size) -> Array:
    """Average ``[N, C, H, W]`` or ``[C, H, W]`` to `output_size`.

    Output i along an axis is the mean of the elements from ``floor(i * n / m)`` to ``ceil((i + 1) * n / m)``, for an
    input of n and an output of m elements.

    Args:
        output_size: one number or one for each axis, None for the input's.

    Example:
        >>> adaptive_avg_pool2d(jnp.arange(16.0).reshape(1, 4, 4), (1, 2))
        Array([[[6.5, 8.5]]], dtype=float32)
    """
    return _adaptive_average("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: Array, output_size) -> Array:
    """Average ``[N, C, D, H, W]`` or ``[C, D, H, W]`` to `output_size`; see `adaptive_avg_pool2d`.

    Example:
        >>> adaptive_avg_pool3d(jnp.arange(8.0).reshape(1, 2, 2, 2), 1).ravel()
        Array([3.5], dtype=float32)
    """
    return _adaptive_average("adaptive_avg_pool3d", 3, input, output_size)


def _adaptive_average(name: str, ndim: int, input: Array, output_size) -> Array:
    sizes = _wanted(name, input, output_size, ndim, ": output_size")
    # The first two dimensions of a batch may be empty, the first of a single input.
    _check_input(name, input, ndim, 2, "", input.shape)
    _check_average(name, input, sizes, ndim)
    return _average(input, sizes)


# -- irregular maxima -------------------------------------------------------------------------------------------------


def _best(x: Array, axis: int, places: Array) -> tuple[Array, Array]:
    """The largest of the elements at ``places[..., window, :]`` along `axis`, and its position along the axis."""
    moved = jnp.moveaxis(x, axis, -1)
    places = jnp.broadcast_to(places, (*moved.shape[:-1], *places.shape[-2:]))
    windows = jnp.take_along_axis(moved, places.reshape(*moved.shape[:-1], -1), -1).reshape(places.shape)
    place = jnp.argmax(windows, -1)[..., None]
    position = jnp.take_along_axis(places, place, -1)[..., 0]
    values = jnp.take_along_axis(moved, position, -1)
    return jnp.moveaxis(values, -1, axis), jnp.moveaxis(position, -1, axis)


def _irregular(x: Array, places: list[Array], return_indices: bool):
    """The maxima over windows given by places, axis after axis, the last first (the first of equals then wins)."""
    sizes, lead = x.shape[x.ndim - len(places) :], x.ndim - len(places)
    flat, stride = None, 1
    for i in reversed(range(len(places))):
        position = _best(lax.stop_gradient(x), lead + i, places[i])[1]
        x = jnp.take_along_axis(x, position, lead + i)
        own = position.astype(jnp.int64) * jnp.int64(stride)
        flat = own if flat is None else jnp.take_along_axis(flat, position, lead + i) + own
        stride *= sizes[i]
    return (x, flat) if return_indices else x


# -- adaptive maxima --------------------------------------------------------------------------------------------------


def _maxima(input: Array, sizes: tuple[int, ...], return_indices: bool):
    if 0 in input.shape or 0 in sizes:
        shape = (*input.shape[: -len(sizes)], *sizes)
        values, indices = jnp.zeros(shape, input.dtype), jnp.zeros(shape, jnp.int64)
        return (values, indices) if return_indices else values
    spatial = input.shape[-len(sizes) :]
    even = tuple(_even(n, count) for n, count in zip(spatial, sizes))
    if None not in even:
        values = max_windows(input, even)
        return (values, argmax_windows(lax.stop_gradient(input), even)) if return_indices else values
    places = [jnp.asarray(_places(n, count)[0], jnp.int32) for n, count in zip(spatial, sizes)]
    return _irregular(input, places, return_indices)


def adaptive_max_pool1d(input: Array, output_size, return_indices: bool = False) -> Array | tuple[Array, Array]:
    """The largest elements of ``[N, C, L]`` or ``[C, L]`` in `output_size` windows; see `adaptive_max_pool2d`.

    Example:
        >>> adaptive_max_pool1d(jnp.array([[1.0, 2.0, 3.0]]), 2)
        Array([[2., 3.]], dtype=float32)
    """
    size = _pool_arguments.one_integer("adaptive_max_pool1d", "output_size", output_size)
    check_rank("adaptive_max_pool1d", input)
    _check_input("adaptive_max_pool1d", input, 1, 1, ":", input.shape)
    check_size((*input.shape[:-1], 1, size))
    _errors.check_dtype("adaptive_max_pool2d", _dtypes.to_dtype(input.dtype), "hf")
    return _maxima(input, (size,), return_indices)


def adaptive_max_pool2d(input: Array, output_size, return_indices: bool = False) -> Array | tuple[Array, Array]:
    """The largest elements of ``[N, C, H, W]`` or ``[C, H, W]`` in the windows of `adaptive_avg_pool2d`.

    Args:
        return_indices: whether to return also the place of each maximum in the flattened ``[H * W]``, as int64.

    Example:
        >>> adaptive_max_pool2d(jnp.arange(16.0).reshape(1, 4, 4), (1, 2))
        Array([[[13., 15.]]], dtype=float32)
    """
    return _adaptive_max("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Array, output_size, return_indices: bool = False) -> Array | tuple[Array, Array]:
    """The largest elements of ``[N, C, D, H, W]`` or ``[C, D, H, W]``; see `adaptive_max_pool2d`.

    Example:
        >>> adaptive_max_pool3d(jnp.arange(8.0).reshape(1, 2, 2, 2), 1).ravel()
        Array([7.], dtype=float32)
    """
    return _adaptive_max("adaptive_max_pool3d", 3, input, output_size, return_indices)


def _adaptive_max(name: str, ndim: int, input: Array, output_size, return_indices: bool):
    sizes = _wanted(name, input, output_size, ndim, "(): internal error: output_size.size()")
    _check_input(name, input, ndim, 1, ":", input.shape)
    check_size((*input.shape[:-ndim], *sizes))
    _errors.check_dtype(name if ndim == 2 else f"{name}_cpu", _dtypes.to_dtype(input.dtype), "hf")
    return _maxima(input, sizes, return_indices)


# -- fractional maxima ------------------------------------------------------------------------------------------------


def _starts(samples: Array, size: int, count: int, kernel: int) -> Array:
    """Where the windows along an axis start: pseudo-random steps that depend on one sample in [0, 1)."""
    d = _dtypes.to_dtype(samples.dtype)
    wide = cast(samples, _dtypes.float32)[..., None] if d in HALVES else samples[..., None]
    bits = {_dtypes.bfloat16: (8, 7), _dtypes.float16: (5, 10)}.get(d)

    def rounded(x):
        return x if bits is None else lax.reduce_precision(x, *bits)

    last = jnp.full((*samples.shape, min(count, 1)), size - kernel, jnp.int32)
    if count <= 1:
        return last
    steps = np.asarray(size - kernel, wide.dtype), np.asarray(count - 1, wide.dtype)
    alpha = rounded(rounded(jnp.asarray(steps[0])) / rounded(jnp.asarray(steps[1])))
    i = jnp.arange(count - 1, dtype=wide.dtype)
    ends = rounded(rounded(i + wide) * alpha), rounded(wide * alpha)
    return jnp.concatenate([ends[0].astype(jnp.int32) - ends[1].astype(jnp.int32), last], -1)


def _fractional_sizes(name: str, ndim: int, input: Array, output_size, output_ratio) -> tuple[int, ...]:
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    if output_size is None:
        if ndim == 3 and not isinstance(output_ratio, list | tuple):
            output_ratio = (output_ratio,) * ndim
        if ndim == 2 and len(output_ratio) > ndim:
            raise ValueError(f"{name} requires output_ratio to either be a single Int or tuple of Ints.")
        return tuple(int(n * ratio) for n, ratio in zip(input.shape[-ndim:], output_ratio))
    return _fractional_integers(name, ndim, "output_size", output_size)


def _fractional_integers(name: str, ndim: int, argument: str, value) -> tuple[int, ...]:
    """An integer or exactly `ndim` of them: unlike other pools these take no sequence of one."""
    if isinstance(value, list | tuple) and len(value) != ndim:
        several = "Ints" if ndim == 2 else "three Ints"
        raise RuntimeError(f"{name}: {argument} must either be a single Int or tuple of {several}")
    return _pool_arguments.integers(value, ndim, "")


def _fractional(name: str, ndim: int, input: Array, kernel_size, sizes, return_indices: bool, samples: Array | None):
    if input.ndim < ndim + 1:
        bound = max(input.ndim, 1)
        raise IndexError(
            f"Dimension out of range (expected to be in range of [-{bound}, {bound - 1}], but got {-ndim - 1})"
        )
    kernel = _fractional_integers(name, ndim, "kernel_size", kernel_size)
    if samples is None:
        raise TypeError(f"{name}(): the array function needs _random_samples, uniform in [0, 1): [N, C, {ndim}]")
    if samples.dtype != input.dtype:
        raise RuntimeError("Expect _random_samples to have the same dtype as input")
    if samples.ndim != 3:
        raise RuntimeError(f"Expect _random_samples to have 3 dimensions, got {samples.ndim}")
    if samples.shape[0] < (input.shape[0] if input.ndim == ndim + 2 else 1):
        raise RuntimeError("Expect _random_samples.size(0) no less then input batch size.")
    if samples.shape[1] != input.shape[-ndim - 1]:
        raise RuntimeError("Expect _random_samples.size(1) equals to input channel size.")
    if samples.shape[2] != ndim:
        raise RuntimeError(f"Expect _random_samples.size(2) equals to {ndim}; got {samples.shape[2]}.")
    words = ("time", "height", "width")[3 - ndim :]
    if 0 in input.shape[1:]:
        raise RuntimeError(
            f"{name if ndim == 2 else f'{name}_out'}(): Expected input to have non-zero size for non-batch dimensions, "
            f"but got{brackets(input.shape)} with dimension {input.shape.index(0, 1)} being empty."
        )
    for word, n, k, count in zip(words, input.shape[-ndim:], kernel, sizes):
        if count + k - 1 > n - (ndim == 3):  # in three dimensions PyTorch wants one element to spare
            shown = name if ndim == 2 else f"{name}_out"
            raise RuntimeError(f"{shown}(): pool {word} {k} too large relative to input {word} {n}")
    _errors.check_dtype(f"{name}_out_frame", _dtypes.to_dtype(input.dtype), "hf")
    if input.size == 0 or 0 in sizes:
        shape = (*input.shape[:-ndim], *sizes)
        values, indices = jnp.zeros(shape, input.dtype), jnp.zeros(shape, jnp.int64)
        return (values, indices) if return_indices else values
    samples = lax.stop_gradient(samples)
    samples = samples[0] if input.ndim == ndim + 1 else samples[: input.shape[0]]
    places = []
    for i in range(ndim):
        # In two dimensions PyTorch reads the samples for width first.
        chosen = samples[..., ndim - 1 - i if ndim == 2 else i]
        starts = _starts(chosen, input.shape[i - ndim], sizes[i], kernel[i])
        windows = starts[..., None] + jnp.arange(kernel[i], dtype=jnp.int32)
        between = (1,) * (ndim - 1)
        places.append(windows.reshape(*chosen.shape, *between, *windows.shape[-2:]))
    return _irregular(input, places, return_indices)


def fractional_max_pool2d(
    input: Array,
    kernel_size,
    output_size=None,
    output_ratio=None,
    return_indices: bool = False,
    _random_samples: Array | None = None,
) -> Array | tuple[Array, Array]:
    """Max pooling of ``[N, C, H, W]`` or ``[C, H, W]`` with windows at pseudo-random distances.

    Args:
        output_size: the number of windows, once or for each axis; or else
        output_ratio: that number as a fraction of the input's size, for each axis.
        _random_samples: uniform in [0, 1), ``[N, C, 2]``; drawn by the caller.

    Example:
        >>> x = jnp.arange(9.0).reshape(1, 3, 3)
        >>> fractional_max_pool2d(x, 2, 2, _random_samples=jnp.zeros((1, 1, 2)))
        Array([[[4., 5.],
                [7., 8.]]], dtype=float32)
    """
    sizes = _fractional_sizes("fractional_max_pool2d", 2, input, output_size, output_ratio)
    return _fractional("fractional_max_pool2d", 2, input, kernel_size, sizes, return_indices, _random_samples)


def fractional_max_pool3d(
    input: Array,
    kernel_size,
    output_size=None,
    output_ratio=None,
    return_indices: bool = False,
    _random_samples: Array | None = None,
) -> Array | tuple[Array, Array]:
    """Fractional max pooling of ``[N, C, D, H, W]`` or ``[C, D, H, W]``; see `fractional_max_pool2d`.

    Example:
        >>> x = jnp.arange(8.0).reshape(1, 2, 2, 2)
        >>> fractional_max_pool3d(x, 2, 1, _random_samples=jnp.zeros((1, 1, 3))).ravel()
        Array([7.], dtype=float32)
    """
    sizes = _fractional_sizes("fractional_max_pool3d", 3, input, output_size, output_ratio)
    return _fractional("fractional_max_pool3d", 3, input, kernel_size, sizes, return_indices, _random_samples)
