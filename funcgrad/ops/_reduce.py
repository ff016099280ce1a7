"""Reductions over axes in the form that is fast on each platform, and the derivatives of selecting reductions."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad.ops._elementwise import vectorized
from funcgrad.ops._number import Array, cast

_CLIFF = 16384
"""From this many columns on, XLA's CPU code for a reduction over rows alone falls off a cliff: the sum of
[32, 262144] takes 94 ms, as a product with a row of ones 1.3; [8, 65536] 1.8 and 0.04 ms."""
_UNROLLED_ROWS = 64

HALF = (jnp.float16, jnp.bfloat16)


def wide(x: Array) -> Array:
    """float16 and bfloat16 as float32, the type reductions accumulate in; others as they are."""
    return cast(x, jnp.float32) if x.dtype in HALF else x


def _is_tall(x: Array, axes: tuple[int, ...]) -> bool:
    """Whether `axes` are the leading ones and the rest is beyond the cliff."""
    n = len(axes)
    if jax.default_backend() != "cpu" or not 0 < n < x.ndim or sorted(axes) != list(range(n)):
        return False
    columns = functools.reduce(int.__mul__, x.shape[n:])
    return columns > _CLIFF and x.size > columns


def _rows(x: Array, axes: tuple[int, ...]) -> Array:
    return x.reshape(-1, *x.shape[len(axes) :])


def total(x: Array, axes: tuple[int, ...], keepdim: bool = False) -> Array:
    """The sum over `axes`, of the dtype of `x`; halves are summed in float32 and rounded once."""
    if not axes:
        return x
    dtype, x = x.dtype, wide(x)
    out = _tall_total(_rows(x, axes)) if _is_tall(x, axes) else None
    if out is None:
        return cast(jnp.sum(x, axes, keepdims=keepdim, dtype=x.dtype), dtype)
    return cast(out.reshape((1,) * len(axes) + out.shape) if keepdim else out, dtype)


def _tall_total(rows: Array) -> Array | None:
    if not jnp.issubdtype(rows.dtype, jnp.inexact):
        return _folded(lax.add, rows)
    ones = jnp.ones(rows.shape[0], rows.dtype)
    return lax.dot_general(ones, rows, (((0,), (0,)), ((), ())), precision=lax.Precision.HIGHEST)


def _folded(combine, rows: Array) -> Array | None:
    """`combine` over the rows one after another, or None where they are too many to unroll."""
    if rows.shape[0] > _UNROLLED_ROWS:
        return None
    return functools.reduce(combine, [rows[i] for i in range(rows.shape[0])])


_MANY = 2**14


def product(x: Array, axes: tuple[int, ...], keepdim: bool = False) -> Array:
    """The product over `axes`, one or all, of the dtype of `x`; its gradient is exact at zeros."""
    if x.size < _MANY or jax.default_backend() != "cpu":
        return jnp.prod(x, axes, keepdims=keepdim, dtype=x.dtype)
    axis, flat = (axes[0], x) if len(axes) == 1 else (0, x.reshape(-1))
    out = _product(flat, axis) if jnp.issubdtype(x.dtype, jnp.inexact) else _halved(flat, axis)
    return out if not keepdim else out.reshape([1 if a in axes else n for a, n in enumerate(x.shape)])


def _halved(x: Array, axis: int) -> Array:
    """The product of both halves of `axis`, again and again: 0.08 ms for 1024 x 1024 where XLA's reduction takes 0.23."""
    rest = []
    while x.shape[axis] > 1:
        half, odd = divmod(x.shape[axis], 2)
        if odd:
            rest.append(lax.slice_in_dim(x, 2 * half, None, axis=axis))
        x = vectorized(lax.slice_in_dim(x, 0, half, axis=axis) * lax.slice_in_dim(x, half, 2 * half, axis=axis))
    return lax.squeeze(functools.reduce(lax.mul, rest, x), (axis,))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _product(x: Array, axis: int) -> Array:
    return _halved(x, axis)


@_product.defjvp
def _(axis, primals, tangents):
    # The quotient takes 0.7 ms for 1024 x 1024, the products of all others 7, PyTorch 1.4.
    (x,), (t,) = primals, tangents
    y = _product(x, axis)

    def others(x, y):
        return _earlier(x, axis, reverse=False) * _earlier(x, axis, reverse=True)

    def quotient(x, y):
        return jnp.expand_dims(y, axis) / x

    partial = lax.cond(jnp.any(x == 0), others, quotient, x, y)
    return y, jnp.sum(partial * t, axis, dtype=x.dtype)


def _earlier(x: Array, axis: int, reverse: bool) -> Array:
    """The product of the elements before each one; of those after it, `reverse`."""
    n = x.shape[axis]
    one = jnp.ones_like(lax.slice_in_dim(x, 0, 1, axis=axis))
    rest = lax.slice_in_dim(x, 1, n, axis=axis) if reverse else lax.slice_in_dim(x, 0, n - 1, axis=axis)
    # Not `lax.cumprod`: it prefers another layout, in which the quotients then come out, too: 7 ms.
    shifted = lax.concatenate([rest, one] if reverse else [one, rest], axis)
    return lax.associative_scan(lax.mul, shifted, axis=axis, reverse=reverse)


def extreme(x: Array, axes: tuple[int, ...], largest: bool) -> Array:
    """The largest or smallest value over `axes`, which stay with size 1; not to be differentiated."""
    if not axes:
        return x
    x = lax.stop_gradient(x)
    out = _folded(lax.max if largest else lax.min, _rows(x, axes)) if _is_tall(x, axes) else None
    if out is not None:
        return out.reshape((1,) * len(axes) + out.shape)
    return (jnp.max if largest else jnp.min)(x, axes, keepdims=True)


# -- derivatives of values that were selected from an array -----------------------------------------------------------


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _shared(value: Array, x: Array, axes: tuple[int, ...], nan_ties: bool) -> Array:
    return value


@_shared.defjvp
def _shared_jvp(axes, nan_ties, primals, tangents):
    value, x = primals
    tie = x == value
    if nan_ties:
        tie = tie | (jnp.isnan(x) & jnp.isnan(value))
    tie = wide(cast(tie, x.dtype))
    count = total(tie, axes, keepdim=True)
    # With no tie (a NaN result) PyTorch's share is 0 / 0; said in so many words, or XLA takes 0 times it for 0.
    share = jnp.where(count == 0, jnp.full((), np.nan, tie.dtype), tie / count)
    return value, cast(total(share * wide(tangents[1]), axes, keepdim=True), x.dtype)


def shared(value: Array, x: Array, axes: tuple[int, ...], nan_ties: bool = False) -> Array:
    """`value` (axes kept), differentiated as a reduction of `x` whose gradient equal entries share evenly.

    Args:
        nan_ties: whether NaNs count as equal; if not, a NaN result makes the gradient NaN.
    """
    return _shared(value, x, axes, nan_ties) if axes and jnp.issubdtype(x.dtype, jnp.inexact) else value


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def _selected(value: Array, x: Array, index: Array, axis: int) -> Array:
    return value


@_selected.defjvp
def _selected_jvp(axis, primals, tangents):
    value, x, index = primals
    t = tangents[1]
    if index.shape[axis] == 1:
        # As a mask, so that the gradient is one pass of selects and no scatter.
        hit = lax.broadcasted_iota(index.dtype, x.shape, axis) == index
        return value, jnp.sum(jnp.where(hit, t, jnp.zeros((), t.dtype)), axis, keepdims=True, dtype=t.dtype)
    return value, jnp.take_along_axis(t, index, axis, mode="promise_in_bounds")


def selected(value: Array, x: Array, index: Array, axis: int) -> Array:
    """`value`, differentiated as the entries of `x` at `index` along `axis`."""
    return _selected(value, x, index, axis) if jnp.issubdtype(x.dtype, jnp.inexact) else value


def take(x: Array, index: Array, axis: int) -> Array:
    """The entries of `x` at `index` along `axis`, with `selected`'s derivative."""
    value = jnp.take_along_axis(lax.stop_gradient(x), index, axis, mode="promise_in_bounds")
    return selected(value, x, index, axis)
