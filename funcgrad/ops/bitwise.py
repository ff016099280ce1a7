"""Elementwise bit operations, shifts and common divisors of integers.

https://docs.pytorch.org/docs/stable/torch.html#pointwise-ops
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes, _errors
from funcgrad.ops import _loops
from funcgrad.ops._arguments import checked
from funcgrad.ops._elementwise import literal, operands
from funcgrad.ops._number import Array, Scalar


@checked
def bitwise_not(input: Array) -> Array:
    """Every bit flipped; for bools, logical not.

    Example:
        >>> torch.bitwise_not(torch.tensor([0, 5]))
        tensor([-1, -6])
    """
    _errors.check_dtype("bitwise_not_cpu", _dtypes.to_dtype(input.dtype), "bi")
    return lax.bitwise_not(input)


@checked
def bitwise_and(input: Array | Scalar, other: Array | Scalar) -> Array:
    """Bits set in both operands; for bools, logical and.

    Example:
        >>> torch.bitwise_and(torch.tensor([5, 6]), 3)
        tensor([1, 2])
    """
    return lax.bitwise_and(*operands("bitwise_and_cpu", "biu", input, other))


@checked
def bitwise_or(input: Array | Scalar, other: Array | Scalar) -> Array:
    """Bits set in either operand; for bools, logical or.

    Example:
        >>> torch.bitwise_or(torch.tensor([5, 6]), 3)
        tensor([7, 7])
    """
    return lax.bitwise_or(*operands("bitwise_or_cpu", "biu", input, other))


@checked
def bitwise_xor(input: Array | Scalar, other: Array | Scalar) -> Array:
    """Bits set in one operand only; for bools, exclusive or.

    Example:
        >>> torch.bitwise_xor(torch.tensor([5, 6]), 3)
        tensor([6, 5])
    """
    return lax.bitwise_xor(*operands("bitwise_xor_cpu", "biu", input, other))


@checked
def bitwise_left_shift(input: Array | Scalar, other: Array | Scalar) -> Array:
    """``input << other``; 0 where `other` is negative or as large as the number of bits.

    Example:
        >>> torch.bitwise_left_shift(torch.tensor([1, 3]), 2)
        tensor([ 4, 12])
    """
    return lax.shift_left(*operands("lshift_cpu", "i", input, other))


@checked
def bitwise_right_shift(input: Array | Scalar, other: Array | Scalar) -> Array:
    """``input >> other``, keeping the sign; a negative or too large `other` leaves only the sign.

    Example:
        >>> torch.bitwise_right_shift(torch.tensor([4, -5]), 1)
        tensor([ 2, -3])
    """
    x, n = operands("rshift_cpu", "i", input, other)
    return (lax.shift_right_logical if x.dtype == jnp.uint8 else lax.shift_right_arithmetic)(x, n)


@checked
def gcd(input: Array, other: Array) -> Array:
    """The greatest common divisor; ``gcd(0, 0)`` is 0.

    Example:
        >>> torch.gcd(torch.tensor([12, 0]), torch.tensor([18, 5]))
        tensor([6, 5])
    """
    return _gcd(*operands("gcd_cpu", "i", input, other))


def _gcd(x: Array, y: Array) -> Array:
    def step(state):
        a, b = state
        return jnp.where(b != 0, b, a), jnp.where(b != 0, lax.rem(a, jnp.where(b != 0, b, literal(b, 1))), b)

    return _loops.while_loop(lambda state: jnp.any(state[1] != 0), step, (_magnitude(x), _magnitude(y)))[0]


def _magnitude(x: Array) -> Array:
    return x if x.dtype == jnp.uint8 else lax.abs(x)


@checked
def lcm(input: Array, other: Array) -> Array:
    """The least common multiple; 0 if either operand is 0.

    Example:
        >>> torch.lcm(torch.tensor([12, 0]), torch.tensor([18, 5]))
        tensor([36,  0])
    """
    x, y = operands("lcm_cpu", "i", input, other)
    divisor = _gcd(x, y)
    return _magnitude(lax.div(x, jnp.where(divisor == 0, literal(x, 1), divisor)) * y)
