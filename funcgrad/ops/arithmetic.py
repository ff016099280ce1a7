"""Elementwise arithmetic of two or more operands: sums, products, quotients, powers.

https://docs.pytorch.org/docs/stable/torch.html#pointwise-ops
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes, _errors
from funcgrad.ops import _number
from funcgrad.ops._arguments import checked, old_order
from funcgrad.ops._elementwise import (
    HALF_BITS,
    HALVES,
    NUMERIC,
    arithmetic_operands,
    common_dtype,
    derivatives,
    in_float32,
    literal,
    operands,
    shape_of,
    vectorized,
)
from funcgrad.ops._number import Array, Scalar, as_array, broadcast, cast, is_number, kind_of

Exponent: TypeAlias = Annotated[Array | Scalar, "exponent"]
"""A power's exponent. An array is an operand. A Python int, bool or complex is static at the call, and so is a float
whose double is integral (2.0, 0.5, -1.5), because each has its own lowering; any other float is a run-time `Scalar`."""

# -- sums -------------------------------------------------------------------------------------------------------------


def _check_alpha(d: _dtypes.dtype, alpha) -> None:
    kind = kind_of(alpha) if is_number(alpha) else (bool, int, float, complex)[_number.dtype_of(alpha).category]
    if kind is bool and d is not _dtypes.bool_:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if kind in (float, complex) and d.category < _dtypes.FLOATING:
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    if kind is complex and not d.is_complex:
        raise RuntimeError("For non-complex input tensors, argument alpha must not be a complex number.")


def _is_one(alpha) -> bool:
    return isinstance(alpha, int | float) and alpha == 1


def _are_alike(x, y) -> bool:
    return shape_of(x) == shape_of(y)


def _linear(x, y, alpha, sign: int) -> Array:
    """``x + sign * alpha * y`` in PyTorch's dtype."""
    d = common_dtype(x, y)
    alike = _are_alike(x, y)
    _errors.broadcast_shapes(shape_of(x), shape_of(y))
    _check_alpha(d, alpha)
    (x, y), d = arithmetic_operands("add_stub", "bihfc", x, y)
    if d is _dtypes.bool_:
        return x | (y if _is_one(alpha) else y & as_array(alpha, d))
    if not _is_one(alpha):
        y = y * as_array(alpha, y.dtype)
    x = vectorized(x) if alike else x
    return cast(x + y if sign > 0 else x - y, d)


@old_order("alpha")
@checked
def add(input: Array | Scalar, other: Array | Scalar, *deprecated: Array, alpha: Scalar = 1) -> Array:
    """``input + alpha * other``; for bools, logical or.

    Raises:
        RuntimeError: `alpha` is of a higher kind (bool, integer, float, complex) than the result.

    Example:
        >>> torch.add(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), alpha=10)
        tensor([31., 42.])
    """
    return _linear(input, other, alpha, 1)


def _refuse_bool(*xs) -> None:
    bools = [_number.dtype_of(x) is _dtypes.bool_ for x in xs]
    if all(bools):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. "
            "Use the `^` or `logical_xor()` operator instead."
        )
    if any(bools):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, "
            "use the `~` or `logical_not()` operator instead."
        )


@old_order("alpha")
@checked
def sub(input: Array | Scalar, other: Array | Scalar, *deprecated: Array, alpha: Scalar = 1) -> Array:
    """``input - alpha * other``.

    Raises:
        RuntimeError: an operand is bool, or `alpha` is of a higher kind than the result.

    Example:
        >>> torch.sub(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), alpha=10)
        tensor([-29., -38.])
    """
    _refuse_bool(input, other)
    return _linear(input, other, alpha, -1)


@checked
def rsub(input: Array, other: Array | Scalar, *, alpha: Scalar = 1) -> Array:
    """``other - alpha * input``, as ``other - input`` calls it.

    Example:
        >>> torch.rsub(torch.tensor([1.0, 2.0]), 10)
        tensor([9., 8.])
    """
    return sub(other, input, alpha=alpha)


# -- products and quotients -------------------------------------------------------------------------------------------


@checked
def mul(input: Array | Scalar, other: Array | Scalar) -> Array:
    """``input * other``; for bools, logical and.

    Example:
        >>> torch.mul(torch.tensor([1.0, 2.0]), 10)
        tensor([10., 20.])
    """
    (x, y), d = arithmetic_operands("mul_cpu", "biuhf8c", input, other)
    if d is _dtypes.bool_:
        return x & y
    if _are_alike(input, other):
        x, y = vectorized(x), vectorized(y)  # each is a factor of the other's gradient
    return cast(x * y, d)


@derivatives(lambda q, x, y: 1 / y, lambda q, x, y: -q / y)
def _quotient(x: Array, y: Array) -> Array:
    return x / y  # JAX's own derivative squares y, which overflows


@checked
def div(input: Array | Scalar, other: Array | Scalar, *, rounding_mode: str | None = None) -> Array:
    """``input / other``: true division, or rounded towards 0 (``"trunc"``) or down (``"floor"``, as Python's ``//``).

    Without rounding, integers are converted to the default floating dtype; with it they stay integers.

    Example:
        >>> torch.div(torch.tensor([-7.0, 7.0]), 2.0, rounding_mode="floor")
        tensor([-4.,  3.])
    """
    if rounding_mode is None:
        (x, y), d = arithmetic_operands("div_cpu", "biuhfc", input, other, floating=True)
        # A number needs no derivative: the custom one doubles the time of tracing a gradient.
        x = vectorized(x) if _are_alike(input, other) else x
        return cast(x / y if is_number(other) else _quotient(x, y), d)
    if rounding_mode not in ("trunc", "floor"):
        raise RuntimeError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'"
        )
    (x, y), d = arithmetic_operands(f"div_{rounding_mode}_cpu", "ihf", input, other)
    _refuse_zero(d, other)
    if d.category == _dtypes.INTEGER:
        return lax.div(x, y) if rounding_mode == "trunc" else _integer_floor(x, y)
    # The kernel for two tensors of halves rounds after each operation; that for a number only at the end.
    bits = HALF_BITS.get(d) if shape_of(other) != () else None
    return cast(_truncated(_rounded(x / y, bits)) if rounding_mode == "trunc" else _float_floor(x, y, bits), d)


@checked
def true_divide(input: Array | Scalar, other: Array | Scalar) -> Array:
    """``input / other``, as `div` without a rounding mode."""
    return div(input, other)


@checked
def floor_divide(input: Array | Scalar, other: Array | Scalar) -> Array:
    """``floor(input / other)``, as Python's ``//``.

    Example:
        >>> torch.floor_divide(torch.tensor([-7, 7]), 2)
        tensor([-4,  3])
    """
    return div(input, other, rounding_mode="floor")


def _refuse_zero(d: _dtypes.dtype, divisor) -> None:
    """PyTorch's error for integers divided by a Python 0; of a 0 within an array nothing is known here."""
    if d.category == _dtypes.INTEGER and isinstance(divisor, int) and divisor == 0:
        raise RuntimeError("ZeroDivisionError")


def _truncated(x: Array) -> Array:
    return jnp.where(x < 0, lax.ceil(x), lax.floor(x))


def _integer_floor(x: Array, y: Array) -> Array:
    q = lax.div(x, y)
    return jnp.where((lax.rem(x, y) != 0) & ((x < 0) != (y < 0)), q - literal(q, 1), q)


def _rounded(x: Array, bits: tuple[int, int] | None) -> Array:
    return x if bits is None else lax.reduce_precision(x, *bits)


def _float_floor(x: Array, y: Array, bits: tuple[int, int] | None = None) -> Array:
    # x / y rounded could reach the next integer, so the remainder is taken off first, as Python does.
    rest = _rounded(_fmod(x, y), bits)
    q = _rounded(_rounded(x - rest, bits) / y, bits)
    q = jnp.where((rest != 0) & ((rest < 0) != (y < 0)), _rounded(q - literal(q, 1), bits), q)
    whole = lax.floor(q)
    whole = jnp.where(_rounded(q - whole, bits) > literal(q, 0.5), whole + literal(q, 1), whole)
    return lax.stop_gradient(jnp.where(y == 0, x / y, whole))


def _split(x: Array) -> tuple[Array, Array]:
    """`x` as a sum of two numbers of half its precision, so that products of the parts are exact."""
    bits, low = (jnp.int32, 12) if x.dtype == jnp.float32 else (jnp.int64, 27)
    high = lax.bitcast_convert_type(lax.bitcast_convert_type(x, bits) & jnp.asarray(-1 << low, bits), x.dtype)
    return high, x - high


def _quick_fmod(x: Array, y: Array) -> Array:
    a, b = lax.abs(x), lax.abs(y)
    q = lax.floor(a / b)
    (q_high, q_low), (b_high, b_low) = _split(q), _split(b)
    r = a - q_high * b_high - q_high * b_low - q_low * b_high - q_low * b_low
    r = jnp.where(r < 0, r + b, jnp.where(r >= b, r - b, r))
    return jnp.where(jnp.signbit(x), -r, r)


@derivatives(lambda r, x, y: jnp.ones_like(x), lambda r, x, y: -_truncated(x / y))
def _fmod(x: Array, y: Array) -> Array:
    # XLA's remainder calls fmod an element at a time: 41 ms a million float32 elements on a CPU. The quick form, exact
    # while the quotient has two bits fewer than the mantissa, takes 0.7 ms.
    limit = literal(y, 2.0 ** (22 if y.dtype == jnp.float32 else 51)) * lax.abs(y)
    usual = jnp.all((lax.abs(x) < limit) & (limit < jnp.inf) & (lax.abs(y) > jnp.finfo(y.dtype).tiny))
    return lax.cond(usual, _quick_fmod, lax.rem, x, y)


@derivatives(lambda r, x, y: jnp.ones_like(x), lambda r, x, y: -_float_floor(x, y))
def _float_remainder(x: Array, y: Array) -> Array:
    r = _fmod(x, y)
    return jnp.where((r != 0) & ((r < 0) != (y < 0)), r + y, r)


@checked
def remainder(input: Array | Scalar, other: Array | Scalar) -> Array:
    """``input - other * floor(input / other)``, with the sign of `other`, as Python's ``%``.

    Example:
        >>> torch.remainder(torch.tensor([-3.0, 3.0]), 2)
        tensor([1., 1.])
    """
    (x, y), d = arithmetic_operands("remainder_cpu", "ihf", input, other)
    _refuse_zero(d, other)
    if d.category == _dtypes.INTEGER:
        r = lax.rem(x, y)
        return jnp.where((r != 0) & ((r < 0) != (y < 0)), r + y, r)
    return cast(_float_remainder(x, y), d)


@checked
def fmod(input: Array, other: Array | Scalar) -> Array:
    """``input - other * trunc(input / other)``, with the sign of `input`, as C's ``fmod``.

    Example:
        >>> torch.fmod(torch.tensor([-3.0, 3.0]), 2)
        tensor([-1.,  1.])
    """
    (x, y), d = arithmetic_operands("fmod_cpu", "ihf", input, other)
    _refuse_zero(d, other)
    return lax.rem(x, y) if d.category == _dtypes.INTEGER else cast(_fmod(x, y), d)


# -- fused forms ------------------------------------------------------------------------------------------------------


def _fused(kernel: str, kinds: str, input, tensor1, tensor2, value, combine) -> Array:
    x, a, b = operands(kernel, kinds, input, tensor1, tensor2)
    d = x.dtype

    @in_float32
    def sum_(x, a, b):
        # The value takes the result's kind first: 1.5 counts as 1 among integers.
        return x + combine(a, b) * as_array(as_array(value, d) if d.kind in "iu" else value, x.dtype)

    return sum_(x, a, b)


@old_order("value")
@checked
def addcmul(input: Array, tensor1: Array, tensor2: Array, *deprecated: Array, value: Scalar = 1) -> Array:
    """``input + value * tensor1 * tensor2``.

    Example:
        >>> torch.addcmul(torch.zeros(2), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), value=0.5)
        tensor([1.5000, 4.0000])
    """
    return _fused("addcmul_cpu_out", NUMERIC, input, tensor1, tensor2, value, lambda a, b: a * b)


@old_order("value")
@checked
def addcdiv(input: Array, tensor1: Array, tensor2: Array, *deprecated: Array, value: Scalar = 1) -> Array:
    """``input + value * tensor1 / tensor2``.

    Raises:
        RuntimeError: `tensor1` and `tensor2` are both integers.

    Example:
        >>> torch.addcdiv(torch.zeros(2), torch.tensor([1.0, 2.0]), torch.tensor([4.0, 4.0]), value=2)
        tensor([0.5000, 1.0000])
    """
    if common_dtype(tensor1, tensor2).category < _dtypes.FLOATING:
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a "
            "true division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as "
            "(input + value * torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as "
            "(input + value * tensor1 / tensor2) for float inputs. The future addcdiv behavior is just the latter "
            "implementation: (input + value * tensor1 / tensor2), for all dtypes."
        )
    return _fused("addcdiv_cpu_out", "hfc", input, tensor1, tensor2, value, _quotient)


_CPP_NAMES = {
    "Bool": "bool", "Byte": "unsigned char", "Char": "signed char", "Short": "short", "Int": "int", "Long": "long int",
    "Half": "c10::Half", "BFloat16": "c10::BFloat16", "Float": "float", "Double": "double",
    "ComplexFloat": "c10::complex<float>", "ComplexDouble": "c10::complex<double>",
}  # fmt: skip


@checked
def lerp(input: Array, end: Array, weight: Array | Scalar) -> Array:
    """Linear interpolation, ``input + weight * (end - input)``.

    Example:
        >>> torch.lerp(torch.tensor([0.0, 10.0]), torch.tensor([1.0, 20.0]), 0.5)
        tensor([ 0.5000, 15.0000])
    """
    d = _dtypes.to_dtype(input.dtype)
    for name, x in (("end", end), ("weight", weight)):
        other = d if is_number(x) else _dtypes.to_dtype(x.dtype)
        if other is not d:
            expected, got = (_CPP_NAMES.get(t.scalar_name, t.scalar_name) for t in (d, other))
            raise RuntimeError(f"expected dtype {expected} for `{name}` but got dtype {got}")
    if is_number(weight) and kind_of(weight) is complex and not d.is_complex:
        raise RuntimeError(f"value cannot be converted to type {_CPP_NAMES[d.scalar_name]} without overflow")
    _errors.broadcast_shapes(input.shape, end.shape, shape_of(weight))
    _errors.check_dtype("lerp_kernel_scalar" if is_number(weight) else "lerp_kernel_tensor", d, "hfc")
    wide = _dtypes.float32 if d in HALVES else d
    x, y, w = broadcast(*[as_array(v, wide) for v in (input, end, weight)])
    return cast(_interpolate(x, y, w), d)


def _interpolate(x: Array, y: Array, w: Array) -> Array:
    # From the nearer end, so that weights 0 and 1 give the ends exactly.
    near = lax.abs(w) < 0.5
    return jnp.where(near, x + w * (y - x), y - (y - x) * (literal(w, 1) - w))


divide = div
multiply = mul
subtract = sub
