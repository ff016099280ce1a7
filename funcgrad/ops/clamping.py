"""Elementwise maximum, minimum, clamping and selection.

https://docs.pytorch.org/docs/stable/torch.html#pointwise-ops
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes, _errors
from funcgrad.ops import _number
from funcgrad.ops._arguments import checked
from funcgrad.ops._elementwise import REAL, common_dtype, derivatives, literal, operands, shape_of, vectorized
from funcgrad.ops._number import Array, Scalar, as_array, is_number


def _chosen(loses: Callable) -> Callable:
    """The derivative of a maximum by one operand: half at a tie, 0 where it loses, else 1 (NaN included)."""
    return lambda r, x, y: jnp.where(x == y, literal(r, 0.5), jnp.where(loses(x, y), literal(r, 0), literal(r, 1)))


_maximum = derivatives(_chosen(lax.lt), _chosen(lax.gt))(lax.max)
_minimum = derivatives(_chosen(lax.gt), _chosen(lax.lt))(lax.min)


def _extremum(name: str, function: Callable, kernel: str, input: Array, other: Array) -> Array:
    if jnp.iscomplexobj(input) or jnp.iscomplexobj(other):
        raise RuntimeError(f"{name} not implemented for complex tensors.")
    return vectorized(function(*operands(kernel, REAL, input, other)))


@checked
def maximum(input: Array, other: Array) -> Array:
    """The larger of each two elements; NaN if either is; a tie halves the gradient.

    Example:
        >>> torch.maximum(torch.tensor([1.0, 5.0]), torch.tensor([3.0, 4.0]))
        tensor([3., 5.])
    """
    return _extremum("maximum", _maximum, "maximum_cpu", input, other)


@checked
def minimum(input: Array, other: Array) -> Array:
    """The smaller of each two elements; NaN if either is; a tie halves the gradient.

    Example:
        >>> torch.minimum(torch.tensor([1.0, 5.0]), torch.tensor([3.0, 4.0]))
        tensor([1., 4.])
    """
    return _extremum("minimum", _minimum, "minimum_cpu", input, other)


def _number_first(wins: Callable) -> Callable:
    """`maximum` or `minimum` that passes over NaN; a tie gives `x` the whole gradient."""

    def function(x: Array, y: Array) -> Array:
        return jnp.where(wins(x, y) | (y != y), x, y)

    return function


@checked
def fmax(input: Array, other: Array) -> Array:
    """The larger of each two elements, or the other one where one is NaN; `input` has the gradient of a tie.

    Example:
        >>> torch.fmax(torch.tensor([1.0, float("nan")]), torch.tensor([3.0, 4.0]))
        tensor([3., 4.])
    """
    return _extremum("fmax", _number_first(lax.ge), "maximum_cpu", input, other)


@checked
def fmin(input: Array, other: Array) -> Array:
    """The smaller of each two elements, or the other one where one is NaN; `input` has the gradient of a tie.

    Example:
        >>> torch.fmin(torch.tensor([1.0, float("nan")]), torch.tensor([3.0, 4.0]))
        tensor([1., 4.])
    """
    return _extremum("fmin", _number_first(lax.le), "minimum_cpu", input, other)


# -- clamping ---------------------------------------------------------------------------------------------------------


def _bounded(inside: Callable, outside: Callable) -> Callable:
    """`x` where `inside` the bound, the bound where `outside`, NaN where neither; each has the gradient there.

    Not lax.max and lax.min: at the bound they share the gradient, PyTorch gives it to `x` whole.
    """

    def function(x: Array, bound: Array) -> Array:
        beyond = lax.select(outside(x, bound), bound, jnp.full_like(x, jnp.nan if x.dtype.kind not in "biu" else 0))
        return lax.select(inside(x, bound), x, beyond)

    return function


_raise_to = _bounded(lax.ge, lax.lt)
_lower_to = _bounded(lax.le, lax.gt)


def _clamp_kernel(min, max) -> tuple[str, str]:
    both = min is not None and max is not None
    if is_number(max if min is None else min):
        return f"clamp_{'' if both else 'max_' if min is None else 'min_'}scalar_cpu", "ihf"
    return ("clamp_cpu", "ihf") if both else ("maximum_cpu" if max is None else "minimum_cpu", REAL)


@checked
def clamp(input: Array, min: Array | Scalar | None = None, max: Array | Scalar | None = None) -> Array:
    """``minimum(maximum(input, min), max)``; elements at a bound keep their gradient.

    Raises:
        RuntimeError: neither bound is given.

    Example:
        >>> torch.clamp(torch.tensor([-1.0, 0.5, 2.0]), 0, 1)
        tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    _refuse_complex(input, min, max)
    return _clamp(input, min, max)


def _refuse_complex(*xs) -> None:
    if common_dtype(*xs).is_complex:
        raise NotImplementedError("clamp is not supported for complex types")


def _clamp(input: Array, min, max) -> Array:
    if is_number(max if min is None else min):
        _refuse_complex(input, min, max)
    x, low, high = operands(*_clamp_kernel(min, max), input, min, max)
    if low is not None:
        x = _raise_to(x, low)
    return x if high is None else _lower_to(x, high)


@checked
def clamp_min(input: Array, min: Array | Scalar) -> Array:
    """``maximum(input, min)``; elements at the bound keep their gradient.

    Example:
        >>> torch.clamp_min(torch.tensor([-1.0, 0.5]), 0)
        tensor([0.0000, 0.5000])
    """
    return _clamp(input, min, None)


@checked
def clamp_max(input: Array, max: Array | Scalar) -> Array:
    """``minimum(input, max)``; elements at the bound keep their gradient.

    Example:
        >>> torch.clamp_max(torch.tensor([-1.0, 0.5]), 0)
        tensor([-1.,  0.])
    """
    return _clamp(input, None, max)


# -- selection --------------------------------------------------------------------------------------------------------


@checked
def where(condition: Array, input: Array | Scalar | None = None, other: Array | Scalar | None = None):
    """`input` where `condition` holds, else `other`; with neither, the indices where it holds, one tensor a dimension.

    The method's order ``(input, condition, other)`` is understood too where the dtypes tell.

    Example:
        >>> torch.where(torch.tensor([True, False]), torch.tensor([1.0, 2.0]), 0)
        tensor([1., 0.])
    """
    if input is None and other is None:
        return tuple(i.astype(jnp.int64) for i in jnp.nonzero(condition))
    if condition.dtype != jnp.bool_ and not is_number(input) and input.dtype == jnp.bool_:
        condition, input = input, condition
    if condition.dtype not in (jnp.bool_, jnp.uint8):
        name = _dtypes.to_dtype(condition.dtype).scalar_name
        raise RuntimeError(f"where expected condition to be a boolean tensor, but got a tensor with dtype {name}")
    d = _number.result_type(input, other)
    shape = _errors.broadcast_shapes(condition.shape, shape_of(input), shape_of(other))
    x, y = (_number.expand(as_array(v, d), shape) for v in (input, other))
    return lax.select(_number.expand(condition != 0, shape), x, y)


clip = clamp
