"""Elementwise powers, and the transcendental functions of two tensors.

https://docs.pytorch.org/docs/stable/torch.html#pointwise-ops
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes, _errors
from funcgrad.ops import _loops, arithmetic
from funcgrad.ops._arguments import checked
from funcgrad.ops._elementwise import (
    NUMERIC,
    REAL,
    common_dtype,
    derivatives,
    in_float32,
    literal,
    operands,
    shape_of,
    vectorized,
)
from funcgrad.ops._number import Array, Number, Scalar, as_array, cast, dtype_of, is_number
from funcgrad.ops.arithmetic import Exponent

_MULTIPLIED = 32  # a float's integer powers up to here are products: 0.37 ms a million elements for x**5, 3.8 as pow


@checked
def pow(input: Array | Scalar, exponent: Exponent) -> Array:
    """``input ** exponent``; at exponent 0 the result is 1 and its gradient 0.

    Raises:
        RuntimeError: an integer tensor to a negative Python integer.

    Example:
        >>> torch.pow(torch.tensor([1.0, 2.0, 3.0]), 2)
        tensor([1., 4., 9.])
    """
    d = common_dtype(input, exponent)
    if isinstance(exponent, bool | int | float | complex):
        if d.category < _dtypes.FLOATING and exponent < 0:
            raise RuntimeError("Integers to negative integer powers are not allowed.")
        _errors.check_dtype("pow", d, "bihfc" if exponent in (0, 1) else NUMERIC)
        return _static_power(as_array(input, d), exponent)
    x, y = operands("pow", NUMERIC, input, exponent)
    return in_float32(_power)(x, y) if jnp.issubdtype(x.dtype, jnp.inexact) else _integer_power(x, y)


def _static_power(x: Array, exponent) -> Array:
    if exponent == 0:
        return jnp.ones_like(x)
    if x.dtype == jnp.bool_ or exponent == 1:
        return x
    if exponent == 2:
        return lax.square(vectorized(x))
    if jnp.issubdtype(x.dtype, jnp.integer):
        return lax.integer_pow(x, int(exponent))
    if exponent == 0.5:
        return lax.sqrt(vectorized(x))
    if exponent == -0.5:
        return lax.rsqrt(vectorized(x))
    if not isinstance(exponent, complex) and exponent == int(exponent) and -_MULTIPLIED <= exponent <= _MULTIPLIED:
        return in_float32(lambda v: lax.integer_pow(vectorized(v), int(exponent)))(x)
    return in_float32(lambda v: _power(v, jnp.full_like(v, exponent)))(x)


def _by_base(result: Array, x: Array, y: Array) -> Array:
    return jnp.where(y == 0, literal(y, 0), y * _power(x, y - literal(y, 1)))


def _by_exponent(result: Array, x: Array, y: Array) -> Array:
    flat = (x == 0) & ((y == 0) if jnp.iscomplexobj(y) else (y >= 0))
    return jnp.where(flat, literal(y, 0), result * lax.log(jnp.where(flat, literal(x, 1), x)))


@derivatives(_by_base, _by_exponent)
def _power(x: Array, y: Array) -> Array:
    if not jnp.iscomplexobj(x):
        return lax.pow(x, y)
    return jnp.where((x == 0) & (lax.real(y) > 0), literal(x, 0), lax.pow(x, y))  # XLA gives NaN


def _integer_power(x: Array, y: Array) -> Array:
    """Integers to integers, wrapping; a negative exponent gives 0 but for bases 1 and -1."""
    one = literal(x, 1)

    def square_and_multiply(state):
        result, base, left = state
        return jnp.where((left & one) == one, result * base, result), base * base, left >> 1

    start = jnp.full_like(x, 1), x, jnp.maximum(y, literal(y, 0))
    result = _loops.while_loop(lambda state: jnp.any(state[2] > 0), square_and_multiply, start)[0]
    if not jnp.issubdtype(x.dtype, jnp.signedinteger):
        return result
    inverse = jnp.where(x == one, one, jnp.where(x == -one, jnp.where((y & one) == one, -one, one), literal(x, 0)))
    return jnp.where(y < 0, inverse, result)


@checked
def float_power(input: Array | Scalar, exponent: Exponent) -> Array:
    """``input ** exponent`` in float64, or complex128 if an operand is complex.

    Example:
        >>> torch.float_power(torch.tensor([1, 2]), -2)
        tensor([1.0000, 0.2500], dtype=torch.float64)
    """
    any_complex = any(dtype_of(x).is_complex for x in (input, exponent))
    d = _dtypes.complex128 if any_complex else _dtypes.float64
    _errors.broadcast_shapes(shape_of(input), shape_of(exponent))
    exponent = exponent if is_number(exponent) and not isinstance(exponent, Number) else as_array(exponent, d)
    return pow(as_array(input, d), exponent)


@checked
def ldexp(input: Array, other: Array) -> Array:
    """``input * 2 ** other``.

    Example:
        >>> torch.ldexp(torch.tensor([1.0]), torch.tensor([3]))
        tensor([8.])
    """
    d, integer = dtype_of(input), jnp.issubdtype(other.dtype, jnp.integer)
    if not d.is_floating_point or not (integer or other.dtype == jnp.bool_):
        return arithmetic.mul(input, pow(2.0, other))
    _errors.check_dtype("ldexp_cpu_exp", dtype_of(other), "i")
    wide = _dtypes.float32 if d.itemsize == 2 else d
    return cast(arithmetic.mul(cast(input, wide), pow(2.0, cast(other, wide))), d)


@in_float32
@derivatives(lambda r, x, y: x / r, lambda r, x, y: y / r)
def _hypot(x: Array, y: Array) -> Array:
    a, b = lax.abs(x), lax.abs(y)
    long, short = lax.max(a, b), lax.min(a, b)
    ratio = jnp.where(long == 0, literal(x, 0), short / long)
    length = long * lax.sqrt(ratio * ratio + literal(x, 1))
    return jnp.where((a == jnp.inf) | (b == jnp.inf), literal(x, jnp.inf), length)


@checked
def hypot(input: Array, other: Array) -> Array:
    """``sqrt(input ** 2 + other ** 2)`` without overflow on the way.

    Example:
        >>> torch.hypot(torch.tensor([3.0]), torch.tensor([4.0]))
        tensor([5.])
    """
    return _hypot(*operands("hypot_cpu", "hf", input, other))


def _inverse_square(x: Array, y: Array) -> Array:
    norm = x * x + y * y
    return jnp.where(norm == 0, literal(x, 0), 1 / norm)


@in_float32
@derivatives(lambda r, y, x: x * _inverse_square(x, y), lambda r, y, x: -y * _inverse_square(x, y))
def _atan2(y: Array, x: Array) -> Array:
    return lax.atan2(y, x)


@checked
def atan2(input: Array, other: Array) -> Array:
    """Angle of the point ``(other, input)``, ``arctan(input / other)`` in its quadrant; gradient 0 at the origin.

    Example:
        >>> torch.atan2(torch.tensor([1.0]), torch.tensor([-1.0]))
        tensor([2.3562])
    """
    return _atan2(*operands("atan2_cpu", "biuhf", input, other, floating=True))


def _log_sum(x: Array, y: Array, log1p, exp) -> Array:
    # Equal infinities would give inf - inf.
    top = lax.max(x, y)
    return jnp.where((x == y) & jnp.isinf(x), x, top + log1p(exp(-lax.abs(x - y))))


@in_float32
@derivatives(lambda r, x, y: 1 / (1 + lax.exp(y - x)), lambda r, x, y: 1 / (1 + lax.exp(x - y)))
def _logaddexp(x: Array, y: Array) -> Array:
    if jnp.iscomplexobj(x):
        first = (lax.real(x) > lax.real(y)) | ((lax.real(x) == lax.real(y)) & (lax.imag(x) > lax.imag(y)))
        high, low = jnp.where(first, x, y), jnp.where(first, y, x)
        return high + lax.log1p(lax.exp(low - high))
    return _log_sum(x, y, lax.log1p, lax.exp)


@in_float32
@derivatives(lambda r, x, y: 1 / (1 + lax.exp2(y - x)), lambda r, x, y: 1 / (1 + lax.exp2(x - y)))
def _logaddexp2(x: Array, y: Array) -> Array:
    return _log_sum(x, y, lambda v: lax.log1p(v) / literal(v, 0.6931471805599453), lax.exp2)


@checked
def logaddexp(input: Array, other: Array) -> Array:
    """``log(exp(input) + exp(other))`` without overflow.

    Example:
        >>> torch.logaddexp(torch.tensor([-1000.0]), torch.tensor([-1000.0]))
        tensor([-999.3068])
    """
    return _logaddexp(*operands("logaddexp_cpu", "hfc", input, other))


@checked
def logaddexp2(input: Array, other: Array) -> Array:
    """``log2(2 ** input + 2 ** other)`` without overflow.

    Example:
        >>> torch.logaddexp2(torch.tensor([3.0]), torch.tensor([3.0]))
        tensor([4.])
    """
    return _logaddexp2(*operands("logaddexp2_cpu", "hf", input, other))


def _times_log(log, slope, lowest: float):
    """``x * log(y)`` that is 0 where x is 0 and y not NaN, and its derivatives; `log` is infinite at `lowest`."""

    def by_x(r, x, y):
        return jnp.where((x == 0) & (y <= lowest), literal(x, 0), log(y))

    @in_float32
    @derivatives(by_x, lambda r, x, y: x * slope(y))
    def function(x, y):
        return jnp.where(jnp.isnan(y), y, jnp.where(x == 0, literal(x, 0), x * log(y)))

    return function


_xlogy = _times_log(lax.log, lambda y: 1 / y, 0)
_xlog1py = _times_log(lax.log1p, lambda y: 1 / (1 + y), -1)


@checked
def xlogy(input: Array | Scalar, other: Array | Scalar) -> Array:
    """``input * log(other)``, 0 where `input` is 0 (unless `other` is NaN).

    Example:
        >>> torch.xlogy(torch.tensor([0.0, 2.0]), torch.tensor([0.0, 1.0]))
        tensor([0., 0.])
    """
    return _xlogy(*operands("xlogy_cpu", "biuhf", input, other, floating=True))


@checked(name="special_xlog1py")
def xlog1py(input: Array | Scalar, other: Array | Scalar) -> Array:
    """``input * log1p(other)``, 0 where `input` is 0 (unless `other` is NaN).

    Example:
        >>> torch.special.xlog1py(torch.tensor([0.0, 2.0]), torch.tensor([-1.0, 0.0]))
        tensor([0., 0.])
    """
    return _xlog1py(*operands("xlog1py_cpu", "biuhf", input, other, floating=True))


@derivatives(lambda r, x, y: jnp.where(x == 0, literal(x, 0), r / x), None)
def _copysign(x: Array, y: Array) -> Array:
    return jnp.where(jnp.signbit(x) == jnp.signbit(y), x, -x)


@checked
def copysign(input: Array, other: Array | Scalar) -> Array:
    """``|input|`` with the sign of `other` (of its sign bit: -0.0 counts as negative).

    Example:
        >>> torch.copysign(torch.tensor([1.0, -2.0]), -0.0)
        tensor([-1., -2.])
    """
    return _copysign(*operands("copysign_cpu", "biuhf", input, other, floating=True))


@checked
def nextafter(input: Array, other: Array) -> Array:
    """The next representable number after `input` towards `other`.

    Example:
        >>> torch.nextafter(torch.tensor([1.0]), torch.tensor([2.0])) == 1 + torch.finfo(torch.float32).eps
        tensor([True])
    """
    return _nextafter(*operands("nextafter_cpu", "hf", input, other))


@derivatives(lambda r, x, y: cast(x != y, x.dtype), None)
def _nextafter(x: Array, y: Array) -> Array:
    return lax.nextafter(x, y)


@checked
def heaviside(input: Array, values: Array) -> Array:
    """The step function: 0 below 0, 1 above, `values` at 0.

    Example:
        >>> torch.heaviside(torch.tensor([-1.0, 0.0, 2.0]), torch.tensor([0.5]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    if jnp.iscomplexobj(input) or jnp.iscomplexobj(values):
        raise RuntimeError("heaviside is not yet implemented for complex tensors.")
    if input.dtype != values.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    x, at_zero = operands("heaviside_cpu", REAL, input, values)
    return jnp.where(x == 0, at_zero, cast(x > 0, x.dtype))


arctan2 = atan2
