"""Writing by index array: scatter, index_add, index_copy, index_fill, put, and writing by mask.

Where positions repeat, one of the values stays; all of them get its gradient, as PyTorch has it. Out-of-range positions
are not seen here (see `index_bounds`). See
https://docs.pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops.
"""

from __future__ import annotations

import math

import jax.numpy as jnp

from funcgrad import _dtypes
from funcgrad._errors import broadcast_shapes, wrap_dim
from funcgrad.ops._number import Array, Number, Scalar, as_array, cast, is_number, kind_of
from funcgrad.ops._positions import (
    INT_OR_LONG,
    PROMISE,
    along,
    check_index,
    check_value,
    dtype_of,
    exceeds,
    flat_positions,
    in_32_bits,
)
from funcgrad.ops._sizes import brackets
from funcgrad.ops.scatter_reductions import add_at, reduce_at

# -- scatter ----------------------------------------------------------------------------------------------------------


def _check_scatter(x: Array, index: Array, src, dim: int) -> None:
    check_index("scatter", x, index, "self")
    if is_number(src):
        check_value(src, x)
        fits = exceeds(index, x.shape, dim) is None
    else:
        if index.size and max(index.ndim, 1) != max(src.ndim, 1):
            raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
        if src.dtype != x.dtype:
            raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")
        fits = exceeds(index, x.shape, dim) is None and exceeds(index, src.shape) is None
    if not fits:
        src_too = "" if is_number(src) else f" and to be no larger size than src {brackets(src.shape)}"
        raise RuntimeError(
            f"Expected index {brackets(index.shape)} to be no larger than self {brackets(x.shape)} apart from "
            f"dimension {dim}{src_too}"
        )


class _Target:
    """The flat tensor, and where in it the elements of `src` (or one number) belong."""

    def __init__(self, input: Array, dim: int, index: Array, src):
        dim = wrap_dim(dim, input.ndim)
        _check_scatter(input, index, src, dim)
        if is_number(src):
            values = jnp.broadcast_to(as_array(src, input.dtype), index.shape)
        else:
            values = src[tuple(slice(n) for n in index.shape)] if index.size else src
        self.shape, self.flat, self.empty = input.shape, input.reshape(-1), not index.size
        if not self.empty:
            positions = flat_positions(index.reshape(index.shape or (1,)), dim, input.shape or (1,))
            self.positions, self.values = positions.reshape(-1), values.reshape(-1)

    def set(self) -> Array:
        if self.empty:
            return self.flat.reshape(self.shape)
        flat = self.flat.at[self.positions].set(self.values, unique_indices=True, **PROMISE)
        return flat.reshape(self.shape)

    def reduce(self, how: str, include_self: bool = True) -> Array:
        if self.empty:
            return self.flat.reshape(self.shape)
        return reduce_at(self.flat, self.positions, self.values, how, include_self).reshape(self.shape)


_SCATTER_REDUCE = {"add": "sum", "multiply": "prod"}


def scatter(input: Array, dim, index: Array, src: Array | Scalar = None, *, value: Scalar = None, reduce=None):
    """`input` with ``out[i][index[i][j]] = src[i][j]`` for `dim` 1, and so on.

    Args:
        src: a tensor no smaller than `index`, or one number.
        reduce: "add" or "multiply" to combine with what is there.

    Raises:
        RuntimeError: the shapes do not fit, or `src` has another dtype.
    """
    target = _Target(input, dim, index, value if src is None else src)
    if reduce is None:
        return target.set()
    if reduce not in _SCATTER_REDUCE:
        raise RuntimeError("reduce argument must be either add or multiply.")
    return target.reduce(_SCATTER_REDUCE[reduce])


def scatter_add(input: Array, dim, index: Array, src: Array):
    """`input` with ``src[i][j]`` added to ``out[i][index[i][j]]`` for `dim` 1, and so on."""
    return _Target(input, dim, index, src).reduce("sum")


def scatter_reduce(input: Array, dim, index: Array, src: Array, reduce, *, include_self=True):
    """`input` with the elements of `src` that go to one place combined by `reduce`, with what is there or without.

    Args:
        reduce: "sum", "prod", "mean", "amax" or "amin".

    Raises:
        RuntimeError: the shapes do not fit, or another `reduce`.
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    return _Target(input, dim, index, src).reduce(reduce, include_self)


# -- along one dimension ----------------------------------------------------------------------------------------------


def _check_index_add(name: str, x: Array, dim: int, index: Array, source: Array) -> None:
    d, limit = dtype_of(index), source.shape[dim] if source.ndim > dim else 1
    if index.ndim > 1:
        raise IndexError(
            f"{name}(): Index is supposed to be a vector, but got dim: {index.ndim} with type: {d.scalar_name} and "
            f"size: {brackets(index.shape)}"
        )
    if d not in INT_OR_LONG:
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index but got: {d.scalar_name}")
    if x.dtype != source.dtype:
        raise RuntimeError(
            f"{name}(): self ({dtype_of(x).scalar_name}) and source ({dtype_of(source).scalar_name}) must have the "
            "same scalar type"
        )
    if index.size != limit:
        raise RuntimeError(
            f"{name}(): Number of indices ({index.size}) should be equal to source.size(dim): ({limit}), for dim: {dim}"
        )
    if _without(x.shape, dim) != _without(source.shape, dim):
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
            f"{brackets(x.shape)} source.shape = {brackets(source.shape)}"
        )


def _without(shape: tuple[int, ...], dim: int) -> tuple[int, ...]:
    return shape[:dim] + shape[dim + 1 :]


def _vector(x: Array) -> Array:
    return x if x.ndim else x.reshape(1)


def index_add(input: Array, dim, index: Array, source: Array, *, alpha: Scalar = 1):
    """`input` with ``alpha * source[i]`` added to ``out[index[i]]`` along `dim`.

    Raises:
        RuntimeError: the shapes do not fit, or `source` has another dtype.
    """
    dim = wrap_dim(dim, input.ndim)
    _check_index_add("index_add_", input, dim, index, source)
    x, source = _vector(input), _vector(source)
    if isinstance(alpha, Number) or alpha != 1:
        check_value(alpha, input)
        source = source * as_array(alpha, input.dtype) if input.dtype != bool else source & as_array(alpha, bool)
    return add_at(x, along(dim, in_32_bits(_vector(index), x.shape[dim])), source).reshape(input.shape)


def index_copy(input: Array, dim, index: Array, source: Array):
    """`input` with ``out[index[i]] = source[i]`` along `dim`.

    Raises:
        RuntimeError: the shapes do not fit, or `source` has another dtype.
    """
    dim = wrap_dim(dim, input.ndim)
    _check_index_copy(input, dim, index, source)
    x, source = _vector(input), _vector(source)
    at = along(dim, in_32_bits(_vector(index), x.shape[dim]))
    return x.at[at].set(source, unique_indices=True, **PROMISE).reshape(input.shape)


def _check_index_copy(x: Array, dim: int, index: Array, source: Array) -> None:
    if index.ndim > 1:
        raise IndexError(f"index_copy_(): Index should have dimension 1 or 0 (got {index.ndim})")
    if not source.ndim and index.size != 1:
        raise IndexError(f"index_copy_(): When source is scalar, index should have one element (got {index.size})")
    if source.ndim and x.ndim and source.ndim != x.ndim:
        raise IndexError(
            "index_copy_(): When source and destination are not scalars, their dimensionality must match. Source "
            f"dimensionality ({source.ndim}), destination dimensionality ({x.ndim})"
        )
    if dtype_of(index) is not _dtypes.int64:
        raise RuntimeError(f"index_copy_(): Expected a long tensor for index, but got {dtype_of(index).scalar_name}")
    if x.dtype != source.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{dtype_of(x).scalar_name} and (source) {dtype_of(source).scalar_name}"
        )
    mine, theirs = _without(x.shape, dim), _without(source.shape, dim)
    if mine != theirs:
        sizes = [" ".join(map(str, s)) for s in (mine, theirs)]
        raise RuntimeError(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: "
            f"{sizes[0]} at dimension {dim} and source slice shape: {sizes[1]} at dimension 0."
        )
    if source.ndim and index.size != source.shape[dim]:
        raise IndexError(
            f"index_copy_(): Number of indices ({index.size}) should be equal to source.size(dim) ({source.shape[dim]})"
        )


def index_fill(input: Array, dim, index: Array, value: Array | Scalar):
    """`input` with `value` at the positions `index` (negative ones from the end) along `dim`.

    Raises:
        RuntimeError: `value` has dimensions.
    """
    dim = wrap_dim(dim, input.ndim)
    if not is_number(value) and value.ndim:
        raise RuntimeError(
            f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
        )
    if is_number(value) and kind_of(value) is complex and not dtype_of(input).is_complex:
        raise RuntimeError("index_fill_(): Converting complex Scalar to non-complex type is not supported")
    if dtype_of(index) is not _dtypes.int64:
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    if index.ndim > 1:
        raise RuntimeError("Index has to be a vector/scalar")
    check_value(value, input)
    x, index = _vector(input), _vector(index)
    n = x.shape[dim]
    at = in_32_bits(jnp.where(index < 0, index + n, index), n)
    # A select, so that a position named twice does not count twice in the gradient of `value`.
    touched = jnp.zeros(n, bool).at[at].set(jnp.ones((), bool), **PROMISE)
    touched = jnp.expand_dims(touched, [d for d in range(x.ndim) if d != dim])
    return jnp.where(touched, as_array(value, input.dtype), x).reshape(input.shape)


_INDEX_REDUCE = ("prod", "mean", "amax", "amin")


def index_reduce(input: Array, dim, index: Array, source: Array, reduce, *, include_self=True):
    """`input` with the slices of `source` that go to one place along `dim` combined by `reduce`.

    Args:
        reduce: "prod", "mean", "amax" or "amin".

    Raises:
        RuntimeError: the shapes do not fit, or another `reduce`.
    """
    if reduce not in _INDEX_REDUCE:
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    dim = wrap_dim(dim, input.ndim)
    _check_index_add("index_reduce_", input, dim, index, source)
    x, source = _vector(input), _vector(source)
    if not source.size:
        return input
    at = jnp.expand_dims(_vector(index), [d for d in range(x.ndim) if d != dim])
    positions = flat_positions(jnp.broadcast_to(at, source.shape), dim, x.shape)
    return reduce_at(x.reshape(-1), positions.reshape(-1), source.reshape(-1), reduce, include_self).reshape(
        input.shape
    )


# -- in the flat tensor -----------------------------------------------------------------------------------------------


def put(input: Array, index: Array, source: Array, accumulate=False):
    """`input` with `source` stored, or added, at the positions `index` of the flat tensor.

    Raises:
        IndexError: not as many positions as elements.
    """
    if dtype_of(index) is not _dtypes.int64:
        raise RuntimeError(f"put_(): Expected a long tensor for index, but got {dtype_of(index).scalar_name}")
    if input.dtype != source.dtype:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{dtype_of(input).scalar_name} and source.dtype = {dtype_of(source).scalar_name}"
        )
    if index.size != source.size:
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source.size}, index.numel() = {index.size}"
        )
    if not index.size:
        return input
    flat, index = input.reshape(-1), index.reshape(-1)
    at = (in_32_bits(jnp.where(index < 0, index + flat.size, index), flat.size),)
    source = source.reshape(-1)
    new = add_at(flat, at, source) if accumulate else flat.at[at].set(source, unique_indices=True, **PROMISE)
    return new.reshape(input.shape)


# -- by mask ----------------------------------------------------------------------------------------------------------

_MASK_NAMES = {
    "float32": "float", "float64": "double", "int64": "long int", "int32": "int", "int16": "short int", "float16":
    "c10::Half", "int8": "signed char", "uint8": "unsigned char", "bfloat16": "c10::BFloat16",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


def masked_fill(input: Array, mask: Array, value: Array | Scalar):
    """`input` with `value` wherever `mask` holds; `input` and `mask` are broadcast.

    Raises:
        RuntimeError: `mask` is not boolean, or `value` has dimensions.

    Example:
        >>> torch.masked_fill(torch.tensor([1.0, 2.0]), torch.tensor([True, False]), 9)
        tensor([9., 2.])
    """
    if not is_number(value) and value.ndim:
        raise RuntimeError(
            f"masked_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
        )
    if mask.dtype != bool:
        name = dtype_of(mask).name
        name = _MASK_NAMES.get(name, name)
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {name}")
    check_value(value, input)
    shape = broadcast_shapes(mask.shape, input.shape)
    return jnp.where(mask, as_array(value, input.dtype), jnp.broadcast_to(input, shape))


def masked_scatter(input: Array, mask: Array, source: Array):
    """`input` with the elements of `source`, in order, wherever `mask` holds; `input` and `mask` are broadcast.

    Raises:
        RuntimeError: `mask` is not boolean, or `source` has another dtype.
    """
    if mask.dtype != bool:
        raise RuntimeError(
            f"masked_scatter_ only supports boolean masks, but got mask with dtype {dtype_of(mask).scalar_name}"
        )
    if input.dtype != source.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got"
            f"{dtype_of(input).scalar_name} and {dtype_of(source).scalar_name}"
        )
    shape = broadcast_shapes(mask.shape, input.shape)
    if not math.prod(shape) or not source.size:
        return jnp.broadcast_to(input, shape)
    mask = jnp.broadcast_to(mask, shape)
    order = jnp.cumsum(mask.reshape(-1), dtype=in_32_bits(jnp.zeros((), jnp.int32), mask.size).dtype) - 1
    order = jnp.clip(order, 0, source.size - 1)
    taken = source.reshape(-1).at[order].get(**PROMISE).reshape(shape)
    return jnp.where(mask, taken, input)


# -- everywhere -------------------------------------------------------------------------------------------------------


def fill(input: Array, value: Array | Scalar):
    """A tensor like `input` with `value` everywhere."""
    if not is_number(value) and value.ndim:
        raise RuntimeError(f"fill_ only supports 0-dimension value tensor but got tensor with {value.ndim} dimensions.")
    if is_number(value):
        check_value(value, input)
    return jnp.broadcast_to(as_array(value, input.dtype), input.shape)


def copy(input: Array, src: Array | Scalar, non_blocking=False):
    """`src` broadcast to the shape of `input` and converted to its dtype: what ``input.copy_(src)`` leaves.

    Raises:
        RuntimeError: `src` does not broadcast to that shape.
    """
    if is_number(src):
        return fill(input, src)
    shape = broadcast_shapes(input.shape, src.shape)
    if shape != input.shape:
        raise RuntimeError(
            f"output with shape {brackets(input.shape)} doesn't match the broadcast shape {brackets(shape)}"
        )
    return jnp.broadcast_to(cast(src, input.dtype), shape)


def zero(input: Array):
    """A tensor like `input` with 0 everywhere."""
    return jnp.zeros_like(input)
