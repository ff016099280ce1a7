"""Parts of a tensor by name, read and written: select, narrow, slice, select_scatter, diagonal_scatter.

See https://docs.pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops.
"""

from __future__ import annotations

import math
import operator

import jax
import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import wrap_dim
from funcgrad.ops import _marks
from funcgrad.ops._number import Array, Number, Scalar, cast
from funcgrad.ops._sizes import brackets
from funcgrad.ops.indexing import getitem, setitem
from funcgrad.ops.strided import check_strided, strided_index

# -- which part -------------------------------------------------------------------------------------------------------


def _is_run_time(index) -> bool:
    return isinstance(index, Number) or hasattr(index, "shape")


def _wrapped(index, n: int):
    """A position known only at run time, counted from the start."""
    value = index.value if isinstance(index, Number) else jnp.asarray(index)
    return jnp.where(value < 0, value + n, value)


def _select_index(shape, dim, index):
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim = wrap_dim(dim, len(shape))
    n = shape[dim]
    if not _is_run_time(index):
        at = operator.index(index)
        if not -n <= at < n:
            raise IndexError(
                f"select(): index {at} out of range for tensor of size {brackets(shape)} at dimension {dim}"
            )
        index = at % n
    elif isinstance(index, Number):
        index = _wrapped(index, n)
    return (*":" * dim, "i"), (index,)


def _window(dim: int, start, length: int, step: int = 1):
    return (*":" * dim, ("s", length, step)), (start,)


def _narrow_index(shape, dim, start, length):
    if not shape:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    dim = wrap_dim(dim, len(shape))
    n = shape[dim]
    if isinstance(start, Number):
        start = _wrapped(start, n)
    elif hasattr(start, "shape"):
        if start.shape or _dtypes.to_dtype(start.dtype).category != _dtypes.INTEGER:
            raise RuntimeError("start must be an 0-dim integral Tensor.")
        start = _wrapped(start, n) if isinstance(start, jax.Array) else start  # else its shape alone is asked about
    else:
        start = operator.index(start)
        if not -n <= start <= n:
            raise IndexError(f"start out of range (expected to be in range of [{-n}, {n}], but got {start})")
        start = start + n if start < 0 else start
        if start + length > n:
            raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    if length > n:
        raise RuntimeError(f"start (0) + length ({length}) exceeds dimension size ({n}).")
    return ((), ()) if length == n else _window(dim, start if length else 0, length)


def _slice_index(shape, dim=0, start=None, end=None, step=1):
    if not shape:
        raise RuntimeError("slice() cannot be applied to a 0-dim tensor.")
    dim = wrap_dim(dim, len(shape))
    n = shape[dim]
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    start, stop, step = slice_bounds(start, end, step, n)
    length = max(0, -((start - stop) // step))
    return ((), ()) if (length, step) == (n, 1) else _window(dim, start if length else 0, length, step)


def slice_bounds(start, end, step, n: int) -> tuple[int, int, int]:
    """``start:end:step`` clipped to a dimension of size `n`."""
    index = [None if x is None else operator.index(x) for x in (start, end, step)]
    return _python_slice(*index).indices(n)


_python_slice = slice

# -- reading ----------------------------------------------------------------------------------------------------------


@_marks.indexes(_select_index)
@_marks.view
def select(input: Array, dim, index: Array | Scalar):
    """Position `index` along `dim`, which goes.

    Example:
        >>> torch.arange(6).view(2, 3).select(1, -1)
        tensor([2, 5])
    """
    layout, operands = _select_index(input.shape, dim, index)
    return getitem(input, layout, *operands)


@_marks.indexes(_narrow_index)
@_marks.view
def narrow(input: Array, dim, start: Array | Scalar, length):
    """`length` positions along `dim` from `start` on.

    Raises:
        RuntimeError: they do not fit into the dimension.
    """
    layout, operands = _narrow_index(input.shape, dim, start, length)
    return getitem(input, layout, *operands)


@_marks.indexes(_slice_index)
@_marks.view
def slice(input: Array, dim=0, start=None, end=None, step=1):
    """``input[start:end:step]`` along `dim`."""
    layout, operands = _slice_index(input.shape, dim, start, end, step)
    return getitem(input, layout, *operands)


def narrow_copy(input: Array, dim, start: Array | Scalar, length):
    """As `narrow`, in new memory."""
    if not -max(input.ndim, 1) <= dim < max(input.ndim, 1):
        raise RuntimeError("Expected dim < static_cast<int64_t>(self_sizes.size()) to be true, but got false.")
    if length < 0 and input.ndim:
        raise RuntimeError(f"start (0) + length ({length}) exceeds dimension size ({input.shape[dim]}).")
    return narrow(input, dim, start, length)


# -- writing ----------------------------------------------------------------------------------------------------------


def _scatter(name: str, input: Array, src: Array, layout, operands) -> Array:
    shape = getitem(jnp.zeros(input.shape, bool), layout, *operands).shape
    if src.shape != shape:
        raise RuntimeError(
            f"expected src to have a size equal to the {name} of self. src size = {brackets(src.shape)}, "
            f"{name} size = {brackets(shape)}"
        )
    return setitem(input, src, layout, *operands)


@_marks.indexes(_select_index)
def select_scatter(input: Array, src: Array, dim, index: Array | Scalar):
    """`input` with `src` in place of ``select(dim, index)``.

    Raises:
        RuntimeError: `src` has another shape.
    """
    return _scatter("slice", input, src, *_select_index(input.shape, dim, index))


@_marks.indexes(_slice_index)
def slice_scatter(input: Array, src: Array, dim=0, start=None, end=None, step=1):
    """`input` with `src` in place of ``input[start:end:step]`` along `dim`.

    Raises:
        RuntimeError: `src` has another shape.
    """
    return _scatter("slice", input, src, *_slice_index(input.shape, dim, start, end, step))


def write_diagonal(x: Array, new: Array, offset: int, dim1: int, dim2: int) -> Array:
    """`x` with `new` (of x's dtype) in place of ``diagonal(offset, dim1, dim2)``.

    The new elements are spread over the columns and selected: a scatter would be a loop over them.
    """
    a, b = wrap_dim(dim1, x.ndim), wrap_dim(dim2, x.ndim)
    moved = jnp.moveaxis(x, (a, b), (-2, -1))
    n, m = moved.shape[-2:]
    before = max(offset, 0)
    pads = [(0, 0, 0)] * (new.ndim - 1) + [(before, m - before - new.shape[-1], 0)]
    spread = lax.expand_dims(lax.pad(new, jnp.zeros((), new.dtype), pads), (new.ndim - 1,))
    row, column = (lax.broadcasted_iota(jnp.int32, (n, m), d) for d in (0, 1))
    return jnp.moveaxis(jnp.where(column - row == offset, spread, moved), (-2, -1), (a, b))


def diagonal_scatter(input: Array, src: Array, offset=0, dim1=0, dim2=1):
    """`input` with `src` in place of ``diagonal(offset, dim1, dim2)``.

    Raises:
        RuntimeError: `src` has another shape.
    """
    a, b = wrap_dim(dim1, input.ndim), wrap_dim(dim2, input.ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    n, m = input.shape[a], input.shape[b]
    length = max(0, min(n, m - offset) if offset >= 0 else min(n + offset, m))
    shape = (*[size for d, size in enumerate(input.shape) if d not in (a, b)], length)
    if src.shape != shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {brackets(src.shape)}, slice size = "
            f"{brackets(shape)}"
        )
    return write_diagonal(input, cast(src, input.dtype), offset, a, b) if length else input


def as_strided_scatter(input: Array, src: Array, size, stride, storage_offset=None):
    """`input` (contiguous) with `src` in place of ``as_strided(size, stride, storage_offset)``.

    Raises:
        RuntimeError: `src` has another shape, or an element lies outside the storage.
    """
    size, stride, offset = check_strided(input, size, stride, storage_offset)
    if src.shape != size:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {brackets(src.shape)}, slice size = "
            f"{brackets(size)}"
        )
    if not math.prod(size):
        return input
    index = strided_index(size, stride, offset).reshape(-1)
    flat = input.reshape(-1).at[index]
    new = cast(src, input.dtype).reshape(-1)
    return flat.set(new, mode="promise_in_bounds", unique_indices=True).reshape(input.shape)
