"""The gamma function's logarithm, derivatives and incomplete forms, and the zeta function.

https://docs.pytorch.org/docs/stable/special.html
"""

from __future__ import annotations

import functools
import math

import jax.numpy as jnp
from jax import lax

from funcgrad.ops._approximation import polynomial
from funcgrad.ops._arguments import checked
from funcgrad.ops._elementwise import derivatives, float_function, float_operand, in_float32, literal, operands
from funcgrad.ops._number import Array, Scalar

_REAL = "biuhf"
_float = float_function(__name__)


def _positive_polygamma(n: int, x: Array) -> Array:
    y = lax.polygamma(jnp.full_like(x, n), jnp.where(x <= 0, literal(x, 1), x))
    return jnp.where(x == jnp.inf, literal(x, 0), y) if n == 1 else y


def _reflected(n: int, x: Array) -> Array:
    """Polygamma at `x` up to 0 from that at ``1 - x``: XLA's series is wrong there."""
    derivative = [0, 1]  # of cot as a polynomial in cot, since cot' = -(1 + cot^2)
    for _ in range(n):
        slope = [k * c for k, c in enumerate(derivative)][1:]
        derivative = [-a - b for a, b in zip([*slope, 0, 0], [0, 0, *slope])]
    part = x - lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)
    # A cosine as the sine of the rest, which is exactly 0 halfway between whole numbers.
    cosine, sine = (lax.sin(v * literal(x, math.pi)) for v in (literal(x, 0.5) - lax.abs(part), part))
    wave = polynomial(derivative, cosine / sine) * literal(x, math.pi ** (n + 1))
    y = (-1) ** n * _positive_polygamma(n, 1 - x) - wave
    return jnp.where(part == 0, literal(x, (-1) ** (n + 1) * math.inf), y)


@functools.cache
def _polygamma(n: int):
    """The n-th derivative of digamma, whose own derivative is the next."""

    @derivatives(lambda y, x: _polygamma(n + 1)(x))
    def function(x: Array) -> Array:
        if n:
            return jnp.where(x <= 0, _reflected(n, jnp.where(x <= 0, x, literal(x, -0.5))), _positive_polygamma(n, x))
        # A pole of either sign at 0; XLA gives NaN there.
        return jnp.where(x == 0, jnp.where(jnp.signbit(x), literal(x, jnp.inf), literal(x, -jnp.inf)), lax.digamma(x))

    return function


@in_float32
@derivatives(lambda y, x: _polygamma(0)(x))
def _lgamma(x: Array) -> Array:
    return jnp.where((x == 1) | (x == 2), literal(x, 0), lax.lgamma(x))  # XLA's is 5e-7 at 1


lgamma = _float("lgamma", _lgamma, "lgamma_vml_cpu", "``ln |gamma(input)|``.",
                "torch.lgamma(torch.tensor([1.0, 5.0])) -> tensor([0.0000, 3.1781])", _REAL)  # fmt: skip
digamma = _float("digamma", in_float32(_polygamma(0)), "digamma",
                 "Logarithmic derivative of the gamma function, ``gamma'(input) / gamma(input)``.",
                 "torch.digamma(torch.tensor([1.0, 2.0])) -> tensor([-0.5772,  0.4228])", _REAL)  # fmt: skip


@checked
def polygamma(n: Array | int, input: Array | int) -> Array:
    """The `n`-th derivative of `digamma` at `input`; the method's order ``(input, n)`` is understood too.

    Raises:
        RuntimeError: `n` is negative.

    Example:
        >>> torch.polygamma(1, torch.tensor([1.0, 2.0]))
        tensor([1.6449, 0.6449])
    """
    if isinstance(input, int):
        n, input = input, n
    if not isinstance(n, int):
        raise TypeError(f"polygamma(): argument 'n' (position 1) must be int, not {type(n).__name__}")
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    kernel = ("digamma", "trigamma")[n] if n < 2 else "polygamma"
    return in_float32(_polygamma(n))(float_operand(input, kernel, _REAL))


@checked
def mvlgamma(input: Array, p: int) -> Array:
    """Logarithm of the multivariate gamma function of dimension `p`.

    ``p (p - 1) / 4 * ln(pi) + sum(lgamma(input - j / 2) for j in range(p))``, for elements above ``(p - 1) / 2``.

    Example:
        >>> torch.mvlgamma(torch.tensor([3.0]), 2)
        tensor([1.5502])
    """
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    x = float_operand(input, "arange_cpu", _REAL)

    @in_float32
    def total(x):
        terms = sum(_lgamma(x - literal(x, j / 2)) for j in range(p))
        return terms + literal(x, p * (p - 1) / 4 * math.log(math.pi))

    return total(x)


@checked
def igamma(input: Array, other: Array) -> Array:
    """Regularized lower incomplete gamma function, ``integral of t^(input-1) exp(-t) from 0 to other / gamma(input)``.

    Example:
        >>> torch.igamma(torch.tensor([4.0]), torch.tensor([3.0]))
        tensor([0.3528])
    """
    return _igamma(*operands("igamma_cpu", "hf", input, other))


@in_float32
def _igamma(a: Array, x: Array) -> Array:
    # The limits that XLA gives as NaN.
    inner = (a > 0) & (a < jnp.inf)
    edge = jnp.where((a == 0) & (x > 0), literal(a, 1), jnp.where(a == jnp.inf, literal(a, 0), literal(a, jnp.nan)))
    edge = jnp.where((a == jnp.inf) & ~((x >= 0) & (x < jnp.inf)), literal(a, jnp.nan), edge)
    return jnp.where(inner, lax.igamma(jnp.where(inner, a, literal(a, 1)), x), edge)


@checked
def igammac(input: Array, other: Array) -> Array:
    """Regularized upper incomplete gamma function, ``1 - igamma(input, other)``.

    Example:
        >>> torch.igammac(torch.tensor([4.0]), torch.tensor([3.0]))
        tensor([0.6472])
    """
    return _igammac(*operands("igammac_cpu", "hf", input, other))


@in_float32
def _igammac(a: Array, x: Array) -> Array:
    inner = (a > 0) & (a < jnp.inf)
    return jnp.where(inner, lax.igammac(jnp.where(inner, a, literal(a, 1)), x), 1 - _igamma(a, x))


@derivatives(None, lambda r, x, q: -x * _zeta(x + 1, q))
def _zeta(x: Array, q: Array) -> Array:
    # XLA's series is for positive q. Below, for whole x: the terms of negative base are, but for the sign, the start of
    # the series from the fraction of -q.
    part = -q - lax.floor(-q)
    sign = jnp.where(lax.rem(x, literal(x, 2)) == 0, literal(x, 1), literal(x, -1))
    below = lax.zeta(x, 1 - part) + sign * (lax.zeta(x, part) - lax.zeta(x, 1 - q))
    below = jnp.where(x == lax.floor(x), below, literal(x, jnp.nan))
    y = jnp.where(q > 0, lax.zeta(x, jnp.where(q > 0, q, literal(q, 1))), below)
    y = jnp.where((q <= 0) & (part == 0), literal(x, jnp.inf), y)
    return jnp.where(x == 1, literal(x, jnp.inf), jnp.where(x < 1, literal(x, jnp.nan), y))


@checked(name="special_zeta")
def zeta(input: Array | Scalar, other: Array | Scalar) -> Array:
    """Hurwitz zeta function, ``sum((k + other) ** -input for k = 0, 1, ...)``.

    Example:
        >>> torch.special.zeta(torch.tensor([2.0]), 1)
        tensor([1.6449])
    """
    return _zeta(*operands("zeta_cpu", "biuf", input, other, floating=True))
