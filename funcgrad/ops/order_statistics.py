"""Medians, modes, quantiles: elements at a rank of the sorted order.

Gradients go to the element selected; those of a median of all elements are shared by the elements equal to it. See https://docs.pytorch.org/docs/stable/torch.html#reduction-ops
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes, _errors, _return_types
from funcgrad.ops._axes import numpy_names, one_axis, require_elements
from funcgrad.ops._marks import raises_for_values
from funcgrad.ops._number import Array, cast, dtype_of
from funcgrad.ops._order import at_rank, permutation
from funcgrad.ops._reduce import shared, take, total

_RANKED = "ihf"


def _pick(x: Array, index: Array, axis: int, keepdim: bool) -> tuple[Array, Array]:
    """The element of `x` at a position (size 1 along `axis`), and the position."""
    value = take(x, index, axis)
    return (value, index) if keepdim else (lax.squeeze(value, (axis,)), lax.squeeze(index, (axis,)))


@numpy_names
def kthvalue(input: Array, k, dim=-1, keepdim=False) -> _return_types.kthvalue:
    """The `k`-th smallest element along `dim` (counting from 1), and its position: ``(values, indices)``.

    Raises:
        RuntimeError: `k` is not in ``[1, size]``.

    Example:
        >>> torch.kthvalue(torch.tensor([3., 1., 2.]), 2)
        torch.return_types.kthvalue(
        values=tensor(2.),
        indices=tensor(2))
    """
    axis = one_axis("kthvalue", dim, input.ndim)
    if input.ndim:
        require_elements("kthvalue", input.shape, (axis,))
    if not 1 <= k <= (input.shape[axis] if input.ndim else 1):
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {axis}")
    _errors.check_dtype("kthvalue_cpu", dtype_of(input), _RANKED)
    if not input.ndim:
        return _return_types.kthvalue(input, jnp.zeros((), jnp.int64))
    index = at_rank(lax.stop_gradient(input), jnp.int32(int(k) - 1), axis)
    return _return_types.kthvalue(*_pick(input, index, axis, keepdim))


def _median(name: str, x: Array, axis: int, keepdim: bool) -> tuple[Array, Array]:
    ignore_nan = name == "nanmedian"
    still = lax.stop_gradient(x)
    middle = (x.shape[axis] - 1) // 2
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return _pick(x, at_rank(still, jnp.int32(middle), axis), axis, keepdim)
    numbers = total(cast(~jnp.isnan(still), _dtypes.int64), (axis,), keepdim=True)
    if ignore_nan:
        rank = jnp.maximum(numbers - 1, 0) // 2
    else:  # NaNs come last: the first of them, if there are any, is the median
        rank = jnp.where(numbers < x.shape[axis], numbers, jnp.int64(middle))
    return _pick(x, at_rank(still, rank, axis), axis, keepdim)


def _median_of(name: str, input: Array, dim, keepdim: bool):
    if dim is None:
        _errors.check_dtype("median_cpu", dtype_of(input), _RANKED)
        if not input.size:
            least = np.nan if dtype_of(input).is_floating_point else jnp.iinfo(input.dtype).min
            return jnp.full((), least, input.dtype)
        flat = input.reshape(-1)
        value = _median(name, lax.stop_gradient(flat), 0, True)[0]
        return shared(value, flat, (0,), nan_ties=True).reshape(())
    axis = one_axis(name, dim, input.ndim)
    if input.ndim:
        require_elements("median", input.shape, (axis,))
    _errors.check_dtype("median_out", dtype_of(input), _RANKED)
    result = getattr(_return_types, name)
    if not input.ndim:
        return result(input, jnp.zeros((), jnp.int64))
    return result(*_median(name, input, axis, keepdim))


@numpy_names
def median(input: Array, dim=None, keepdim=False):
    """The median of all elements, or with `dim` a named tuple ``(values, indices)``.

    The lower of the two middle elements where their number is even; NaN if there is one.

    Example:
        >>> torch.median(torch.tensor([1., 3., 2., 4.]))
        tensor(2.)
    """
    return _median_of("median", input, dim, keepdim)


@numpy_names
def nanmedian(input: Array, dim=None, keepdim=False):
    """The median of the elements that are not NaN; otherwise as `median`.

    Example:
        >>> torch.nanmedian(torch.tensor([1., float("nan"), 3., 2.]))
        tensor(2.)
    """
    return _median_of("nanmedian", input, dim, keepdim)


@numpy_names
def mode(input: Array, dim=-1, keepdim=False) -> _return_types.mode:
    """The most frequent element along `dim` (the smallest of several), and its last position.

    Example:
        >>> torch.mode(torch.tensor([1, 2, 2, 0]))
        torch.return_types.mode(
        values=tensor(2),
        indices=tensor(2))
    """
    axis = one_axis("mode", dim, input.ndim)
    if input.ndim:
        require_elements("mode", input.shape, (axis,))
    _errors.check_dtype("mode_cpu", dtype_of(input), "b" + _RANKED)
    if not input.ndim:
        return _return_types.mode(input, jnp.zeros((), jnp.int64))
    still = lax.stop_gradient(input)
    order = permutation(still, axis)
    values = jnp.take_along_axis(still, order, axis, mode="promise_in_bounds")
    where = lax.broadcasted_iota(jnp.int64, values.shape, axis)
    n = values.shape[axis]
    differs = lax.slice_in_dim(values, 1, n, axis=axis) != lax.slice_in_dim(values, 0, n - 1, axis=axis)
    starts = jnp.pad(differs, [(int(i == axis), 0) for i in range(values.ndim)], constant_values=True)
    run = where - lax.cummax(jnp.where(starts, where, jnp.int64(0)), axis)
    rank = jnp.argmax(run, axis, keepdims=True)  # the first longest run ends where its length is reached
    index = jnp.take_along_axis(order, rank, axis, mode="promise_in_bounds")
    return _return_types.mode(*_pick(input, index, axis, keepdim))


# -- quantiles --------------------------------------------------------------------------------------------------------

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _check_quantile(x: Array, q, interpolation: str) -> None:
    d = dtype_of(x)
    if not x.size:
        raise RuntimeError("quantile() input tensor must be non-empty")
    if hasattr(q, "shape") and len(q.shape) > 1:
        raise RuntimeError("quantile() q must be a scalar or 1D tensor")
    if d not in (_dtypes.float32, _dtypes.float64):
        raise RuntimeError("quantile() input tensor must be either float or double dtype")
    if hasattr(q, "shape") and dtype_of(q) is not d:
        raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    if interpolation not in _INTERPOLATIONS:
        wanted = f"{', '.join(_INTERPOLATIONS[:-1])} or {_INTERPOLATIONS[-1]}"
        raise RuntimeError(f"quantile() interpolation must be one of {wanted}, but got {interpolation}")
    if not hasattr(q, "shape"):
        if not 0 <= q <= 1:
            raise RuntimeError(f"quantile() q must be in the range [0, 1] but got {q:g}")
    elif not isinstance(q, jax.core.Tracer):
        _complain(np.asarray(_outside(q)))


def _outside(q: Array) -> Array:
    """Nonzero if a fraction is outside [0, 1]."""
    return jnp.any(~((q >= 0) & (q <= 1))).astype(jnp.int32)


def _complain(info: np.ndarray) -> None:
    if info:
        raise RuntimeError("quantile() q values must be in the range [0, 1]")


def _is_given(input, q, *args, **kwargs) -> bool:
    return hasattr(q, "shape")


def _with_info(ignore_nan: bool):
    """`quantile` or `nanquantile` with whether `q` is valid; see `raises_for_values`."""

    def with_info(input: Array, q: Array, dim=None, keepdim=False, *, interpolation="linear") -> tuple[Array, Array]:
        return _quantile(input, q, dim, keepdim, interpolation, ignore_nan), _outside(q)

    return numpy_names(with_info)


def _quantile(x: Array, q, dim, keepdim: bool, interpolation: str, ignore_nan: bool) -> Array:
    _check_quantile(x, q, interpolation)
    axis = 0 if dim is None else one_axis("quantile", dim, x.ndim)
    kept = tuple(1 if dim is None or i == axis else n for i, n in enumerate(x.shape))
    rows = x.reshape(-1) if dim is None or not x.ndim else jnp.moveaxis(x, axis, -1)
    q = jnp.asarray(q, x.dtype)
    shape = kept if keepdim else () if dim is None or not x.ndim else x.shape[:axis] + x.shape[axis + 1 :]
    if not q.size:
        return jnp.zeros(q.shape + shape, x.dtype)
    values = _at_ranks(rows, q.reshape(-1), interpolation, ignore_nan)  # [..., number of q]
    values = jnp.moveaxis(values, -1, 0)
    return values.reshape(q.shape + shape)


_FEW = 8
"""Up to so many selections take less time than sorting."""


def _positions_at(rows: Array, few: bool):
    """The function from ranks to positions in the last axis."""
    last = rows.ndim - 1
    if few:
        return lambda ranks: jnp.concatenate(
            [at_rank(rows, lax.slice_in_dim(ranks, i, i + 1, axis=-1), last) for i in range(ranks.shape[-1])], -1
        )
    order = permutation(rows, last)
    return lambda ranks: jnp.take_along_axis(order, ranks, -1, mode="promise_in_bounds")


def _at_ranks(rows: Array, q: Array, interpolation: str, ignore_nan: bool) -> Array:
    """Interpolated elements at the fractions `q` of each row's sorted order."""
    still = lax.stop_gradient(rows)
    ranked = _positions_at(still, few=2 * q.size <= _FEW)
    nan = jnp.isnan(still)
    last = jnp.asarray(rows.shape[-1] - 1, rows.dtype)
    if ignore_nan:
        numbers = cast(total(cast(~nan, _dtypes.int64), (rows.ndim - 1,), keepdim=True), rows.dtype)
        ranks = q * jnp.maximum(numbers - 1, 0)
    else:  # a row with a NaN takes its last element, which is one
        ranks = jnp.where(jnp.any(nan, -1, keepdims=True), last, q * last)
    # A fraction outside [0, 1] makes the result NaN where it is not refused.
    valid = (q >= 0) & (q <= 1)
    ranks = jnp.where(valid, ranks, jnp.zeros((), ranks.dtype))
    whole = {"lower": jnp.floor, "higher": jnp.ceil, "nearest": jnp.round}.get(interpolation, jnp.floor)(ranks)

    def at(position: Array) -> Array:
        return take(rows, ranked(cast(position, _dtypes.int64)), rows.ndim - 1)

    low = at(whole)
    if interpolation in ("linear", "midpoint"):
        weight = ranks - whole if interpolation == "linear" else jnp.full_like(ranks, 0.5)
        low = _between(low, at(jnp.ceil(ranks)), weight)
    return jnp.where(valid, low, jnp.full((), np.nan, low.dtype))


def _between(low: Array, high: Array, weight: Array) -> Array:
    """Linear interpolation from the nearer end, as PyTorch's `lerp` rounds."""
    return jnp.where(weight < 0.5, low + weight * (high - low), high - (high - low) * (1 - weight))


@raises_for_values(_with_info(ignore_nan=False), _complain, when=_is_given)
@numpy_names
def quantile(input: Array, q: Array | float, dim=None, keepdim=False, *, interpolation="linear") -> Array:
    """The `q`-th quantiles (`q` a number or one-dimensional tensor) of all elements or along `dim`.

    With a tensor `q`, the result's first dimension runs over it. NaN where there is a NaN.

    Args:
        interpolation: between the neighbours of rank ``q * (n - 1)``: ``linear``, ``lower``, ``higher``, ``midpoint``
            or ``nearest``.

    Example:
        >>> torch.quantile(torch.tensor([0., 1., 2., 3.]), 0.5)
        tensor(1.5000)
    """
    return _quantile(input, q, dim, keepdim, interpolation, ignore_nan=False)


@raises_for_values(_with_info(ignore_nan=True), _complain, when=_is_given)
@numpy_names
def nanquantile(input: Array, q: Array | float, dim=None, keepdim=False, *, interpolation="linear") -> Array:
    """The `q`-th quantiles of the elements that are not NaN; otherwise as `quantile`.

    Example:
        >>> torch.nanquantile(torch.tensor([0., float("nan"), 2.]), 0.5)
        tensor(1.)
    """
    return _quantile(input, q, dim, keepdim, interpolation, ignore_nan=True)
