"""Elementwise comparisons, logical operations and classifications; their results are bool and have no gradient.

https://docs.pytorch.org/docs/stable/torch.html#comparison-ops
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes, _errors
from funcgrad.ops import _number
from funcgrad.ops._arguments import checked
from funcgrad.ops._elementwise import ALL, REAL, document, literal, operands
from funcgrad.ops._number import Array, Scalar, as_array, cast

# -- comparisons ------------------------------------------------------------------------------------------------------


def _comparison(name: str, function: Callable, symbol: str, result: str, kinds: str = REAL) -> Callable:
    def call(input: Array, other: Array | Scalar) -> Array:
        return function(*operands(f"{name}_cpu", kinds, input, other))

    example = f"torch.{name}(torch.tensor([1, 2, 3]), 2) -> tensor({result})"
    return document(call, name, f"``input {symbol} other``, elementwise.", example, __name__)


eq = _comparison("eq", lax.eq, "==", "[False,  True, False]", "biuhf8c")
ne = _comparison("ne", lax.ne, "!=", "[ True, False,  True]", "biuhf8c")
lt = _comparison("lt", lax.lt, "<", "[ True, False, False]")
le = _comparison("le", lax.le, "<=", "[ True,  True, False]")
gt = _comparison("gt", lax.gt, ">", "[False, False,  True]")
ge = _comparison("ge", lax.ge, ">=", "[False,  True,  True]")

# -- logical operations -----------------------------------------------------------------------------------------------


def _truth(x: Array) -> Array:
    return x if x.dtype == jnp.bool_ else x != 0


def _logical(name: str, function: Callable, words: str, result: str) -> Callable:
    def call(input: Array, other: Array) -> Array:
        x, y = operands(f"{name}_cpu", "bihfc", input, other)
        return function(_truth(x), _truth(y))

    example = f"torch.{name}(torch.tensor([True, True, False]), torch.tensor([1, 0, 0])) -> tensor({result})"
    return document(call, name, f"Whether {words} nonzero, elementwise.", example, __name__)


logical_and = _logical("logical_and", lax.bitwise_and, "both operands are", "[ True, False, False]")
logical_or = _logical("logical_or", lax.bitwise_or, "either operand is", "[ True,  True, False]")
logical_xor = _logical("logical_xor", lax.bitwise_xor, "exactly one operand is", "[False,  True, False]")


@checked
def logical_not(input: Array) -> Array:
    """Whether elements are zero.

    Example:
        >>> torch.logical_not(torch.tensor([0.0, 2.0]))
        tensor([ True, False])
    """
    _errors.check_dtype("logical_not_cpu", _dtypes.to_dtype(input.dtype), "bihfc")
    return lax.bitwise_not(_truth(input))


# -- classification ---------------------------------------------------------------------------------------------------


@checked
def isnan(input: Array) -> Array:
    """Whether elements are NaN (either part of a complex number).

    Example:
        >>> torch.isnan(torch.tensor([1.0, float("nan")]))
        tensor([False,  True])
    """
    return lax.ne(input, input)


@checked
def isinf(input: Array) -> Array:
    """Whether elements are infinite, of either sign.

    Example:
        >>> torch.isinf(torch.tensor([1.0, float("-inf")]))
        tensor([False,  True])
    """
    _errors.check_dtype("isinf", _dtypes.to_dtype(input.dtype), ALL)
    return jnp.isinf(input)


@checked
def isfinite(input: Array) -> Array:
    """Whether elements are neither NaN nor infinite.

    Example:
        >>> torch.isfinite(torch.tensor([1.0, float("inf"), float("nan")]))
        tensor([ True, False, False])
    """
    _errors.check_dtype("isfinite", _dtypes.to_dtype(input.dtype), ALL)
    return jnp.isfinite(input)


def _is_infinity(name: str, input: Array, value: float) -> Array:
    if jnp.iscomplexobj(input):
        raise RuntimeError(f"{name} does not support complex inputs.")
    _errors.check_dtype(f"{name}_cpu", _dtypes.to_dtype(input.dtype), "biuhf")
    if not jnp.issubdtype(input.dtype, jnp.floating):
        return jnp.zeros(input.shape, jnp.bool_)
    return input == literal(input, value)


@checked
def isposinf(input: Array) -> Array:
    """Whether elements are infinity.

    Example:
        >>> torch.isposinf(torch.tensor([1.0, float("inf"), float("-inf")]))
        tensor([False,  True, False])
    """
    return _is_infinity("isposinf", input, math.inf)


@checked
def isneginf(input: Array) -> Array:
    """Whether elements are minus infinity.

    Example:
        >>> torch.isneginf(torch.tensor([1.0, float("inf"), float("-inf")]))
        tensor([False, False,  True])
    """
    return _is_infinity("isneginf", input, -math.inf)


@checked
def isreal(input: Array) -> Array:
    """Whether elements have no imaginary part.

    Example:
        >>> torch.isreal(torch.tensor([1 + 0j, 1j]))
        tensor([ True, False])
    """
    return lax.imag(input) == 0 if jnp.iscomplexobj(input) else jnp.ones(input.shape, jnp.bool_)


@checked
def signbit(input: Array) -> Array:
    """Whether the sign bit is set: negative, or -0.0.

    Example:
        >>> torch.signbit(torch.tensor([-0.0, 0.0, -1.0]))
        tensor([ True, False,  True])
    """
    d = _dtypes.to_dtype(input.dtype)
    if d.is_complex:
        raise NotImplementedError("signbit is not implemented for complex tensors.")
    _errors.check_dtype("signbit_cpu", d, "biuhf")
    if d.is_floating_point:
        return jnp.signbit(input)
    return input < literal(input, 0)


# -- closeness, equality, membership ----------------------------------------------------------------------------------


@checked
def isclose(input: Array, other: Array, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Array:
    """Whether ``|input - other| <= atol + rtol * |other|``, elementwise.

    Raises:
        RuntimeError: the dtypes differ, or a tolerance is negative.

    Example:
        >>> torch.isclose(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.1]))
        tensor([ True, False])
    """
    return _is_close(input, other, rtol, atol, equal_nan)


def _is_close(input: Array, other: Array, rtol: float, atol: float, equal_nan: bool) -> Array:
    d = _dtypes.to_dtype(input.dtype)
    if input.dtype != other.dtype:
        raise RuntimeError(f"{d.scalar_name} did not match {_dtypes.to_dtype(other.dtype).scalar_name}")
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if tolerance < 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {tolerance:g}")
    x, y = operands("mul_cpu_reduced_float", ALL, input, other)
    close = x == y
    if equal_nan and d.category >= _dtypes.FLOATING:
        close |= (x != x) & (y != y)
    if rtol == 0 and atol == 0:
        return close
    if d.category < _dtypes.FLOATING:
        x, y = (cast(v, _dtypes.default_dtype()) for v in (x, y))
    allowed = literal(lax.real(y) if d.is_complex else y, atol) + lax.abs(literal(y, rtol) * y)
    gap = lax.abs(x - y)
    return close | (jnp.isfinite(gap) & (gap <= allowed))


@checked
def allclose(input: Array, other: Array, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Array:
    """Whether `isclose` holds everywhere, as a zero-dimensional bool array.

    Example:
        >>> torch.allclose(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.1]))
        False
    """
    return jnp.all(_is_close(input, other, rtol, atol, equal_nan))


@checked
def equal(input: Array, other: Array) -> Array:
    """Whether shapes and all elements are equal (NaN equals nothing), as a zero-dimensional bool array.

    Example:
        >>> torch.equal(torch.tensor([1, 2]), torch.tensor([1, 2]))
        True
    """
    if input.shape != other.shape:
        return jnp.zeros((), jnp.bool_)
    return jnp.all(lax.eq(*_number.promote(input, other)))


_COMPARED_DIRECTLY = 16  # test elements up to here: one comparison each; more: sorted and searched


@checked
def isin(
    elements: Array | Scalar, test_elements: Array | Scalar, *, assume_unique: bool = False, invert: bool = False
) -> Array:
    """Whether each of `elements` is among `test_elements` (or is not, with `invert`); NaN is among nothing.

    Example:
        >>> torch.isin(torch.tensor([1, 2, 3]), torch.tensor([2, 5]))
        tensor([False,  True, False])
    """
    for x in (elements, test_elements):
        # A Python number counts as its widest dtype.
        own = _dtypes.to_dtype(as_array(x).dtype)
        if own is _dtypes.bool_ or own.is_complex:
            raise RuntimeError(f"Unsupported input type encountered for isin(): {own.scalar_name}")
    d = _number.result_type(elements, test_elements)
    _errors.check_dtype("isin_default_cpu", d, "ihf")
    x, tests = as_array(elements, d), as_array(test_elements, d).reshape(-1)
    found = _member(x, tests)
    return lax.bitwise_not(found) if invert else found


def _member(x: Array, tests: Array) -> Array:
    if tests.size <= _COMPARED_DIRECTLY:
        return jnp.any(x[..., None] == tests, axis=-1)
    tests = jnp.sort(tests)
    at = jnp.searchsorted(tests, x)
    return tests[jnp.minimum(at, tests.size - 1)] == x


greater = gt
greater_equal = ge
less = lt
less_equal = le
not_equal = ne
