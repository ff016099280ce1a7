"""Histograms and counts.

See https://docs.pytorch.org/docs/stable/generated/torch.histogram.html
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes, _errors, _return_types
from funcgrad.ops._marks import data_dependent
from funcgrad.ops._number import Array, cast, dtype_of
from funcgrad.ops._reduce import wide
from funcgrad.ops.searching import searchsorted

_C_NAMES = {
    "bool": "bool", "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int32": "int",
    "int64": "long int", "float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
}  # fmt: skip


def _known(x: Array) -> bool:
    """Whether the values can be looked at: outside any compiled program."""
    return not isinstance(x, jax.core.Tracer)


def _data_range(x: Array, around: float, low=None, high=None) -> tuple[Array, Array]:
    """The smallest and largest element, `around` more on both sides where they are equal."""
    low = jnp.min(x) if low is None else jnp.asarray(low, x.dtype)
    high = jnp.max(x) if high is None else jnp.asarray(high, x.dtype)
    margin = jnp.where(low == high, jnp.asarray(around, x.dtype), jnp.zeros((), x.dtype))
    return low - margin, high + margin


def _check_bins(bins: int, axis: int) -> None:
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension {axis}")


def histc(input: Array, bins=100, min=0, max=0) -> Array:
    """How many elements fall into each of `bins` equal intervals of ``[min, max]``.

    With ``min == max`` the interval is that of the data. The last bin includes its end; elements outside and NaNs are
    ignored. If the data's own range is not finite the counts are NaN (an error where the values are known).

    Example:
        >>> torch.histc(torch.tensor([1., 2., 1.]), bins=4, min=0, max=3)
        tensor([0., 2., 1., 0.])
    """
    if isinstance(bins, bool) or not hasattr(bins, "__index__"):
        raise TypeError(f"histc(): argument 'bins' (position 2) must be int, not {type(bins).__name__}")
    _errors.check_dtype("aminmax_cpu", dtype_of(input), "bihf")
    _errors.check_dtype("histogram_cpu", dtype_of(input), "hf")
    _check_bins(bins, 0)
    if min > max:
        raise RuntimeError("torch.histc: max must be larger than min")
    if not (np.isfinite(min) and np.isfinite(max)):
        raise RuntimeError(f"torch.histc: range of [{min:g}, {max:g}] is not finite")
    if not input.size:
        return jnp.zeros(bins, input.dtype)
    x = wide(lax.stop_gradient(input)).reshape(-1)
    low, high = _data_range(x, 1) if min == max else _data_range(x, 1, min, max)
    finite = jnp.isfinite(low) & jnp.isfinite(high)
    if min == max and _known(finite) and not finite:
        raise RuntimeError(f"torch.histc: range of [{float(low):g}, {float(high):g}] is not finite")
    inside = (x >= low) & (x <= high)
    place = (jnp.where(inside, x - low, jnp.zeros((), x.dtype)) * np.asarray(bins, x.dtype)) / (high - low)
    place = jnp.minimum(jnp.where(finite, place, 0).astype(jnp.int32), np.int32(bins - 1))
    counts = jnp.zeros(bins, jnp.int32).at[jnp.where(inside, place, np.int32(bins))].add(np.int32(1), mode="drop")
    return cast(jnp.where(finite, cast(counts, _dtypes.float64), np.float64(np.nan)), input.dtype)


# -- histograms of any number of dimensions ---------------------------------------------------------------------------


def _edges(x: Array, bins, bounds, axis: int) -> Array:
    """The bin edges of one dimension, whose data is `x`."""
    if hasattr(bins, "shape"):
        if bins.ndim != 1:
            raise RuntimeError(
                f"torch.histogramdd: bins tensor should have one dimension, but got {bins.ndim} dimensions in the bins "
                f"tensor for dimension {axis}"
            )
        if bins.dtype != x.dtype:
            raise RuntimeError(
                "torch.histogramdd: input tensor and bins tensors should have the same dtype, but got input with dtype "
                f"{_c_name(x)} and bins for dimension {axis} with dtype {_c_name(bins)}"
            )
        if not bins.size:
            raise RuntimeError(
                "torch.histogramdd: bins tensor should have at least 1 element, but got 0 elements in the bins tensor "
                f"for dimension {axis}"
            )
        return lax.stop_gradient(bins)
    _check_bins(bins, axis)
    if bounds is not None:
        if bounds[0] > bounds[1]:
            raise RuntimeError(
                f"torch.histogramdd: min should not exceed max, but got min {bounds[0]:g} max {bounds[1]:g} for "
                f"dimension {axis}"
            )
        low, high = _data_range(x, 0.5, *bounds)
    elif not x.size:
        low, high = jnp.zeros((), x.dtype), jnp.ones((), x.dtype)
    else:
        low, high = _data_range(x, 0.5)
    if _known(low) and not (jnp.isfinite(low) and jnp.isfinite(high)):
        raise RuntimeError(
            f"torch.histogramdd: dimension {axis}'s range [{float(low):g}, {float(high):g}] is not finite"
        )
    steps = jnp.arange(bins + 1, dtype=x.dtype) / np.asarray(bins, x.dtype)
    middle = low + (high - low) * steps
    return jnp.where(steps < 0.5, middle, high - (high - low) * (1 - steps))


def _c_name(x: Array) -> str:
    name = dtype_of(x).name
    return _C_NAMES.get(name, name)


def _histogram(x: Array, edges: list[Array], weight: Array | None, density: bool) -> Array:
    """Counts (or summed weights) of the rows of `x` [n, d] in the cells between `edges`; rows outside are ignored."""
    shape = tuple(e.shape[0] - 1 for e in edges)
    cell = jnp.zeros(x.shape[0], jnp.int64)
    inside = jnp.ones(x.shape[0], bool)
    for axis, e in enumerate(edges):
        column = x[:, axis]
        inside &= (column >= e[0]) & (column <= e[-1])
        place = jnp.clip(searchsorted(e, column, right=True) - np.int64(1), 0, max(shape[axis] - 1, 0))
        cell = cell * np.int64(shape[axis]) + place
    size = int(np.prod(shape))
    amounts = jnp.ones(x.shape[0], x.dtype) if weight is None else lax.stop_gradient(weight)
    out = jnp.zeros(size, x.dtype).at[jnp.where(inside, cell, np.int64(size))].add(amounts, mode="drop").reshape(shape)
    if not density:
        return out
    for axis, e in enumerate(edges):
        widths = (e[1:] - e[:-1]).reshape(tuple(-1 if i == axis else 1 for i in range(len(edges))))
        out = out / widths
    return out / jnp.where(inside, amounts, jnp.zeros((), x.dtype)).sum(dtype=x.dtype)


def _check_histogram(x: Array, weight: Array | None, dims: int, bins_count: int) -> None:
    """Checks of an input [..., d] with its weights [...]."""
    if bins_count != dims:
        raise RuntimeError("histogramdd: The size of bins must be equal to the innermost dimension of the input.")
    if weight is not None:
        if weight.dtype != x.dtype:
            raise RuntimeError(
                "torch.histogramdd: if weight tensor is provided, input tensor and weight tensor should have the same "
                f"dtype, but got input({_c_name(x)}), and weight({_c_name(weight)})"
            )
        if weight.shape != x.shape[:-1]:
            raise RuntimeError(
                "torch.histogramdd: if weight tensor is provided it should have the same shape as the input tensor "
                f"excluding its innermost dimension, but got input with shape {list(x.shape)} and weight with shape "
                f"{list(weight.shape)}"
            )


def histogram(
    input: Array,
    bins: int | Array,
    *,
    range=None,
    weight: Array | None = None,
    density=False,
) -> _return_types.histogram:
    """Counts (or summed `weight`) of elements between bin edges, and the edges: ``(hist, bin_edges)``.

    Args:
        bins: how many equal bins, or their edges.
        range: where equal bins begin and end; the data's range if not given.
        density: divide by the total and by the bins' widths.

    Example:
        >>> torch.histogram(torch.tensor([1., 2., 1.]), bins=4, range=(0., 3.)).hist
        tensor([0., 2., 1., 0.])
    """
    if range is not None and hasattr(bins, "shape"):
        raise TypeError("histogram() received an invalid combination of arguments - range goes with a number of bins")
    x = lax.stop_gradient(input).reshape(-1, 1)
    weight = None if weight is None else weight.reshape(-1)
    _check_histogram(x, weight, 1, 1)
    edges = _edges(x[:, 0], bins, range, 0)
    _errors.check_dtype("histogramdd", dtype_of(input), "f")
    return _return_types.histogram(_histogram(x, [edges], weight, density), edges)


def histogramdd(
    input: Array,
    bins: int | Sequence[int] | Sequence[Array],
    range=None,
    weight: Array | None = None,
    density=False,
) -> _return_types.histogramdd:
    """The histogram of points, the rows of the last dimension of `input`: ``(hist, bin_edges)``.

    Args:
        bins: for each coordinate (or for all) the number of equal bins, or their edges.
        range: the limits of equal bins, two numbers for each coordinate.

    Example:
        >>> torch.histogramdd(torch.tensor([[0., 1.], [1., 0.], [2., 0.]]), bins=[2, 2]).hist
        tensor([[0., 1.],
                [2., 0.]])
    """
    if input.ndim < 2:
        raise RuntimeError("torch.histogramdd: input tensor should have at least 2 dimensions")
    dims = input.shape[-1]
    bins = [bins] * dims if isinstance(bins, int) else list(bins)
    _check_histogram(input, weight, dims, len(bins))
    if range is not None and len(range) != 2 * dims:
        raise RuntimeError(
            f"torch.histogramdd: for a {dims}-dimensional histogram range should have {2 * dims} elements, but got "
            f"{len(range)}"
        )
    x = lax.stop_gradient(input).reshape(-1, dims)
    bounds = [None if range is None else range[2 * i : 2 * i + 2] for i in np.arange(dims)]
    edges = [_edges(x[:, i], b, r, i) for i, (b, r) in enumerate(zip(bins, bounds, strict=True))]
    _errors.check_dtype("histogramdd", dtype_of(input), "f")
    weight = None if weight is None else weight.reshape(-1)
    return _return_types.histogramdd(_histogram(x, edges, weight, density), tuple(edges))


@data_dependent
def bincount(input: Array, weights: Array | None = None, minlength=0) -> Array:
    """How often each integer from 0 to the largest occurs, or the sums of its `weights`; computed on the host.

    Example:
        >>> torch.bincount(torch.tensor([1, 3, 3]))
        tensor([0, 1, 0, 2])
    """
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    _errors.check_dtype("bincount_cpu", dtype_of(input), "i")
    values = np.asarray(input)
    if values.ndim != 1 or (values.size and values.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is None or not values.size:
        return jnp.asarray(np.bincount(values.astype(np.int64), minlength=minlength), jnp.int64)
    if weights.shape != input.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    d = _dtypes.float32 if dtype_of(weights) is _dtypes.float32 else _dtypes.float64
    summed = np.bincount(values.astype(np.int64), np.asarray(cast(weights, _dtypes.float64)), minlength)
    return jnp.asarray(summed, d.numpy)
