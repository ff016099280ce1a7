"""Sums, products, means and their kin: functions that reduce over some or all dimensions.

Everywhere ``dim`` is an integer, a sequence of them, or None for all; ``keepdim`` keeps the reduced dimensions with
size 1. See https://docs.pytorch.org/docs/stable/torch.html#reduction-ops
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes
from funcgrad.ops._axes import many_axes, numpy_names, one_axis
from funcgrad.ops._number import Array, cast, dtype_of
from funcgrad.ops._reduce import extreme, product, total, wide


def _for_sum(x: Array, dtype) -> Array:
    """`x` in the dtype its sum has: `dtype` if given, int64 for integers and bools."""
    if dtype is not None:
        return cast(x, dtype)
    return cast(x, _dtypes.int64) if dtype_of(x).category < _dtypes.FLOATING else x


@numpy_names
def sum(input: Array, dim=None, keepdim=False, *, dtype=None) -> Array:
    r"""The sum of all elements, or over the dimensions `dim`: :math:`\sum_i x_i`.

    Args:
        dtype: converts the input first; integers and bools are otherwise summed as int64.

    Example:
        >>> torch.sum(torch.tensor([[1., 2.], [3., 4.]]), dim=1)
        tensor([3., 7.])
    """
    return total(_for_sum(input, dtype), many_axes("sum", dim, input.ndim), keepdim)


@numpy_names
def nansum(input: Array, dim=None, keepdim=False, *, dtype=None) -> Array:
    """The sum over `dim` with NaNs taken as zero.

    Example:
        >>> torch.nansum(torch.tensor([1., float("nan"), 2.]))
        tensor(3.)
    """
    axes = many_axes("nansum", dim, input.ndim)
    if dtype_of(input).is_complex:
        raise RuntimeError("nansum on CPU does not support complex inputs")
    return total(_for_sum(_without_nan(input), dtype), axes, keepdim)


def _without_nan(x: Array) -> Array:
    return jnp.where(jnp.isnan(x), jnp.zeros((), x.dtype), x) if jnp.issubdtype(x.dtype, jnp.floating) else x


@numpy_names
def mean(input: Array, dim=None, keepdim=False, *, dtype=None) -> Array:
    r"""The mean of all elements, or over the dimensions `dim`: :math:`\frac{1}{n} \sum_i x_i`.

    Raises:
        RuntimeError: integer or bool input with no floating `dtype`.

    Example:
        >>> torch.mean(torch.tensor([[1., 2.], [3., 5.]]), dim=1)
        tensor([1.5000, 4.0000])
    """
    wanted = dtype_of(input) if dtype is None else _dtypes.to_dtype(dtype)
    if wanted.category < _dtypes.FLOATING:
        raise RuntimeError(
            f"mean(): could not infer output dtype. {'Input' if dtype is None else 'Optional'} dtype must be either a "
            f"floating point or complex dtype. Got: {wanted.scalar_name}"
        )
    axes = many_axes("mean", dim, input.ndim)
    return cast(_mean(wide(cast(input, wanted)), axes, keepdim), wanted)


def _mean(x: Array, axes: tuple[int, ...], keepdim: bool) -> Array:
    return total(x, axes, keepdim) / np.asarray(_count(x, axes), x.dtype)


def _count(x: Array, axes: tuple[int, ...]) -> int:
    return int(np.prod([x.shape[a] for a in axes], dtype=np.int64))


@numpy_names
def nanmean(input: Array, dim=None, keepdim=False, *, dtype=None) -> Array:
    """The mean over `dim` of the elements that are not NaN; NaN where there are none.

    Example:
        >>> torch.nanmean(torch.tensor([1., float("nan"), 2.]))
        tensor(1.5000)
    """
    d = dtype_of(input)
    if d.category < _dtypes.FLOATING:
        raise RuntimeError(f"nanmean(): expected input to have floating point or complex dtype but got {d.scalar_name}")
    wanted = d if dtype is None else _dtypes.to_dtype(dtype)
    if wanted.category < _dtypes.FLOATING:
        raise RuntimeError(
            "nanmean(): could not infer output dtype. Optional dtype must be either a floating point or complex dtype. "
            f"Got: {wanted.scalar_name}"
        )
    axes = many_axes("nanmean", dim, input.ndim)
    summed = nansum(input, dim, keepdim, dtype=dtype)
    return summed / cast(total(cast(~jnp.isnan(input), _dtypes.int64), axes, keepdim), summed.dtype)


@numpy_names
def prod(input: Array, dim=None, keepdim=False, *, dtype=None) -> Array:
    r"""The product of all elements, or over one dimension: :math:`\prod_i x_i`. Its gradient is exact at zeros.

    Example:
        >>> torch.prod(torch.tensor([[1., 2.], [3., 4.]]), 0)
        tensor([3., 8.])
    """
    x = _for_sum(input, dtype)
    axes = many_axes("prod", dim, input.ndim) if dim is None else (one_axis("prod", dim, input.ndim),)
    if not input.ndim:
        return x
    return cast(product(wide(x), axes, keepdim), x.dtype)


def _logical(name: str, x: Array, dim, keepdim: bool) -> Array:
    axes = many_axes(name, dim, x.ndim, empty_is_all=False)
    out = (jnp.all if name == "all" else jnp.any)(x != 0, axes, keepdims=keepdim)
    return cast(out, _dtypes.uint8) if dtype_of(x) is _dtypes.uint8 else out


@numpy_names
def all(input: Array, dim=None, keepdim=False) -> Array:
    """Whether all elements, or all over `dim`, are nonzero: bool, or uint8 for a uint8 input.

    Example:
        >>> torch.all(torch.tensor([[True, False], [True, True]]), dim=1)
        tensor([False,  True])
    """
    return _logical("all", input, dim, keepdim)


@numpy_names
def any(input: Array, dim=None, keepdim=False) -> Array:
    """Whether any element, or any over `dim`, is nonzero: bool, or uint8 for a uint8 input.

    Example:
        >>> torch.any(torch.tensor([[True, False], [False, False]]), dim=1)
        tensor([ True, False])
    """
    return _logical("any", input, dim, keepdim)


@numpy_names
def count_nonzero(input: Array, dim=None) -> Array:
    """How many elements, in all or over `dim`, are nonzero (int64).

    Example:
        >>> torch.count_nonzero(torch.tensor([[0, 1], [2, 3]]), dim=0)
        tensor([1, 2])
    """
    return total(cast(input != 0, _dtypes.int64), many_axes("count_nonzero", dim, input.ndim))


@numpy_names
def logsumexp(input: Array, dim, keepdim=False) -> Array:
    r"""The logarithm of the summed exponentials over `dim`: :math:`\log \sum_j e^{x_j}`, without overflow.

    Example:
        >>> torch.logsumexp(torch.tensor([1000., 1000.]), 0)
        tensor(1000.6931)
    """
    if dim is None:
        raise TypeError("logsumexp(): argument 'dim' (position 2) must be tuple of ints, not NoneType")
    axes = many_axes("logsumexp", dim, input.ndim)
    if dtype_of(input).category < _dtypes.FLOATING:
        input = cast(input, _dtypes.default_dtype())
    x = wide(input)
    if 0 in [x.shape[a] for a in axes]:
        return cast(jnp.log(total(x, axes, keepdim)), input.dtype)
    largest = extreme(jnp.real(x), axes, largest=True)
    largest = jnp.where(jnp.abs(largest) == np.inf, jnp.zeros((), largest.dtype), largest)
    out = jnp.log(total(jnp.exp(x - largest), axes, keepdim=True)) + largest
    return cast(out if keepdim else lax.squeeze(out, axes), input.dtype)


@numpy_names
def hash_tensor(input: Array, dim=(), keepdim=False, mode=0) -> Array:
    """A uint64 hash over `dim`: the exclusive or of the elements' 64-bit patterns (float64 or int64).

    Example:
        >>> torch.hash_tensor(torch.tensor([1, 2, 4]))
        tensor(7, dtype=torch.uint64)
    """
    axes = many_axes("hash_tensor", dim, input.ndim)
    d = dtype_of(input)
    if mode != 0:
        raise RuntimeError(f"hash_tensor: Unknown hash_type {mode}")
    if d.is_complex:
        raise NotImplementedError(f"\"hash_tensor\" not implemented for '{d.scalar_name}'")
    x = cast(input, _dtypes.float64 if d.is_floating_point else _dtypes.int64)
    out = lax.reduce(lax.bitcast_convert_type(x, jnp.uint64), np.uint64(0), lax.bitwise_xor, axes)
    return lax.expand_dims(out, sorted(axes)) if keepdim and axes else out
