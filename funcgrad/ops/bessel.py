"""Bessel functions of orders 0 and 1, plain and modified, and the Airy function.

Near 0 they are their power series. Further out they are Chebyshev series in a power of ``1/x``, whose coefficients
come, when first needed, from Laplace-type integrals: the integrands are analytic and die off like a Gaussian, so the
trapezoid rule gives all digits of float64.

https://docs.pytorch.org/docs/stable/special.html
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad.ops._approximation import chebyshev, polynomial
from funcgrad.ops._elementwise import derivatives, float_function, in_float32, literal
from funcgrad.ops._number import Array

_REAL = "biuhf"
_SINGLE = "biuf"
_STEP = 0.125
_NODES = np.arange(-56, 57) * _STEP  # to |t| = 7, where exp(-t^2) is below 1e-21
_EULER = 0.5772156649015329

# -- power series: coefficients of (x/2)^2k, all positive; the plain functions alternate ------------------------------

_TERMS = 18
_HARMONIC = [0.0, *itertools.accumulate(1 / k for k in range(1, _TERMS + 1))]
_ORDER_0 = [1 / math.factorial(k) ** 2 for k in range(_TERMS)]
_ORDER_1 = [1 / (math.factorial(k) * math.factorial(k + 1)) for k in range(_TERMS)]
_LOG_0 = [c * _HARMONIC[k] for k, c in enumerate(_ORDER_0)]
_LOG_1 = [c * (_HARMONIC[k] + _HARMONIC[k + 1] - 2 * _EULER) for k, c in enumerate(_ORDER_1)]


def _series(coefficients: list[float], x: Array, sign: int) -> Array:
    return polynomial([c * sign**k for k, c in enumerate(coefficients)], x * x / 4)


def _series_j(order: int, x: Array) -> Array:
    return _series(_ORDER_0, x, -1) if order == 0 else x / 2 * _series(_ORDER_1, x, -1)


def _series_y(order: int, x: Array) -> Array:
    log = lax.log(x / 2)
    if order == 0:
        y = (log + _EULER) * _series_j(0, x) - _series(_LOG_0, x, -1)
    else:
        y = log * _series_j(1, x) - x / 4 * _series(_LOG_1, x, -1) - 1 / x
    return y * literal(x, 2 / math.pi)


def _series_k(order: int, x: Array) -> Array:
    log = lax.log(x / 2)
    if order == 0:
        return _series(_LOG_0, x, 1) - (log + _EULER) * _series(_ORDER_0, x, 1)
    return 1 / x + log * (x / 2) * _series(_ORDER_1, x, 1) - x / 4 * _series(_LOG_1, x, 1)


# -- away from 0 ------------------------------------------------------------------------------------------------------


def _laplace(order: int, x: np.ndarray, unit: complex) -> np.ndarray:
    """``integral of exp(-t^2) t^2v (1 + unit t^2 / 2x)^(v - 1/2) dt / gamma(v + 1/2)`` with v the order."""
    t = _NODES[:, None]
    inside = np.exp(-t * t) * t ** (2 * order) * (1 + unit * t * t / (2 * x)) ** (order - 0.5)
    return inside.sum(0) * _STEP / math.gamma(order + 0.5)


_HANKEL_START = 4.0  # plain functions: series below, amplitude and phase above
_MACDONALD_START = 2.0


def _hankel_part(order: int, part: str) -> Callable[[np.ndarray], np.ndarray]:
    def function(t):
        x = _HANKEL_START * 2 / np.maximum(1 + t, 1e-300)
        return getattr(_laplace(order, x, 1j), part)

    return function


_HANKEL = {order: [_hankel_part(order, part) for part in ("real", "imag")] for order in (0, 1)}


def _macdonald(order: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda t: _laplace(order, _MACDONALD_START * 2 / np.maximum(1 + t, 1e-300), 1.0)


_MACDONALD = {order: _macdonald(order) for order in (0, 1)}


def _hankel(order: int, x: Array) -> tuple[Array, Array]:
    """J and Y of an order at ``x >= 4``."""
    t = 2 * _HANKEL_START / x - 1
    p, q = (chebyshev(part, 24, t) for part in _HANKEL[order])
    scale = lax.sqrt(literal(x, 2 / math.pi) / x)
    # cos and sin of x - pi/4 from those of x: the subtraction would lose digits.
    c, s = lax.cos(x), lax.sin(x)
    root = literal(x, math.sqrt(0.5))
    cosine, sine = (c + s) * root, (s - c) * root
    if order == 1:
        cosine, sine = sine, -cosine
    return scale * (p * cosine - q * sine), scale * (p * sine + q * cosine)


def _bessel_j(order: int) -> Callable[[Array], Array]:
    def function(x: Array) -> Array:
        a = lax.abs(x)
        far = a > _HANKEL_START
        large = _hankel(order, jnp.where(far, a, literal(x, _HANKEL_START)))[0]
        y = jnp.where(far, large, _series_j(order, jnp.where(far, literal(x, 1), a)))
        return jnp.where(x < 0, -y, y) if order else y

    return function


def _bessel_y(order: int) -> Callable[[Array], Array]:
    def function(x: Array) -> Array:
        far = x > _HANKEL_START
        large = _hankel(order, jnp.where(far, x, literal(x, _HANKEL_START)))[1]
        y = jnp.where(far, large, _series_y(order, jnp.where(far, literal(x, 1), x)))
        return jnp.where(x == 0, literal(x, -jnp.inf), jnp.where(x < 0, literal(x, jnp.nan), y))

    return function


def _bessel_k(order: int, scaled: bool) -> Callable[[Array], Array]:
    def function(x: Array) -> Array:
        far = x > _MACDONALD_START
        outer = jnp.where(far & (x < jnp.inf), x, literal(x, _MACDONALD_START))
        large = chebyshev(_MACDONALD[order], 24, 2 * _MACDONALD_START / outer - 1)
        large = large * lax.sqrt(literal(x, math.pi / 2) / outer)
        inner = jnp.where(far, literal(x, 1), x)
        small = _series_k(order, inner)
        y = jnp.where(far, large, small * lax.exp(inner)) if scaled else jnp.where(far, large * lax.exp(-x), small)
        y = jnp.where(x == jnp.inf, literal(x, 0), jnp.where(x == 0, literal(x, jnp.inf), y))
        return jnp.where((x < 0) | jnp.isnan(x), literal(x, jnp.nan), y)

    return function


# -- Airy -------------------------------------------------------------------------------------------------------------

_AIRY_START = 2.0
_AIRY_0, _AIRY_SLOPE = 3 ** (-2 / 3) / math.gamma(2 / 3), -(3 ** (-1 / 3)) / math.gamma(1 / 3)


def _airy_series(first: float, offset: int) -> list[float]:
    """Coefficients of ``x^3k`` (times ``x`` for offset 1) from the equation ``y'' = x y``."""
    c = [first]
    for k in range(1, 14):
        n = 3 * k + offset
        c.append(c[-1] / (n * (n - 1)))
    return c


def _airy_part(angle: float, part: str) -> Callable[[np.ndarray], np.ndarray]:
    """Of ``2 sqrt(pi) z^(1/4) exp(2/3 z^(3/2)) Ai(z)`` at ``z = x exp(i angle)``, as a function of ``x^(-3/2)``.

    It is ``integral of exp(-r^2 t^2) cos(t^3 x^(-3/4) / 3) r dt / sqrt(pi)`` with ``r = exp(i angle / 4)``.
    """
    r = np.exp(0.25j * angle)

    def function(t):
        w = np.sqrt((1 + t) / 2 * _AIRY_START**-1.5) / 3
        u = _NODES[:, None]
        return getattr((np.exp(-((r * u) ** 2)) * np.cos(u**3 * w)).sum(0) * r * _STEP / math.sqrt(math.pi), part)

    return function


_AIRY_DECAY = _airy_part(0.0, "real")
_AIRY_WAVES = [_airy_part(math.pi / 3, part) for part in ("real", "imag")]  # Ai(-x) is a sum of two such


def _airy_ai(x: Array) -> Array:
    a = jnp.clip(lax.abs(x), literal(x, _AIRY_START))
    root = lax.sqrt(a)
    power = a * root
    t = literal(x, 2 * _AIRY_START**1.5) / power - 1
    scale = literal(x, 1 / math.sqrt(math.pi)) / lax.sqrt(root)
    phase = power * literal(x, 2 / 3)
    decay = scale / 2 * lax.exp(-phase) * chebyshev(_AIRY_DECAY, 24, t)
    p, q = (chebyshev(part, 24, t) for part in _AIRY_WAVES)
    wave = scale * (p * lax.cos(phase - literal(x, math.pi / 4)) + q * lax.sin(phase - literal(x, math.pi / 4)))
    inner = jnp.clip(x, literal(x, -_AIRY_START), literal(x, _AIRY_START))
    cube = inner**3
    near = polynomial(_airy_series(_AIRY_0, 0), cube) + inner * polynomial(_airy_series(_AIRY_SLOPE, 1), cube)
    y = jnp.where(x > _AIRY_START, decay, jnp.where(x < -_AIRY_START, wave, near))
    return jnp.where(jnp.isinf(x), literal(x, jnp.nan), y)


def _spherical_j0(x: Array) -> Array:
    y = lax.sin(x) / jnp.where(x == 0, literal(x, 1), x)
    return jnp.where(x == 0, literal(x, 1), jnp.where(jnp.isinf(x), literal(x, 0), y))


# -- modified, with derivatives ---------------------------------------------------------------------------------------


def _at_zero_half(x: Array, y: Array) -> Array:
    return jnp.where(x == 0, literal(x, 0.5), y)


def _safe(x: Array) -> Array:
    return jnp.where(x == 0, literal(x, 1), x)


@derivatives(lambda y, x: _i1(x))
def _i0(x):
    return jax.scipy.special.i0(x)


@derivatives(lambda y, x: _at_zero_half(x, _i0(x) - y / _safe(x)))
def _i1(x):
    return jax.scipy.special.i1(x)


@derivatives(lambda y, x: _i1e(x) - lax.sign(x) * y)
def _i0e(x):
    return jax.scipy.special.i0e(x)


@derivatives(lambda y, x: _at_zero_half(x, _i0e(x) - y * (lax.sign(x) + 1 / _safe(x))))
def _i1e(x):
    return jax.scipy.special.i1e(x)


_float = float_function(__name__)


def _make(name: str, function: Callable, summary: str, at_one: str, kinds: str = _SINGLE, kernel: str = "") -> Callable:
    example = f"torch.special.{name}(torch.tensor([1.0])) -> tensor([{at_one}])"
    path = name if name == "i0" else f"special.{name}"
    return _float(path, in_float32(function), kernel or f"{name}_cpu", summary, example, kinds)


i0 = _make("i0", _i0, "Modified Bessel function of the first kind of order 0.", "1.2661", _REAL, "i0_vml_cpu")
i0e = _make("i0e", _i0e, "``exp(-|input|) * i0(input)``.", "0.4658", _REAL)
i1 = _make("i1", _i1, "Modified Bessel function of the first kind of order 1.", "0.5652", _REAL)
i1e = _make("i1e", _i1e, "``exp(-|input|) * i1(input)``.", "0.2079", _REAL)
airy_ai = _make("airy_ai", _airy_ai, "Airy function Ai, the solution of ``y'' = x y`` that dies off.", "0.1353")
bessel_j0 = _make("bessel_j0", _bessel_j(0), "Bessel function of the first kind of order 0.", "0.7652")
bessel_j1 = _make("bessel_j1", _bessel_j(1), "Bessel function of the first kind of order 1.", "0.4401")
bessel_y0 = _make("bessel_y0", _bessel_y(0), "Bessel function of the second kind of order 0.", "0.0883")
bessel_y1 = _make("bessel_y1", _bessel_y(1), "Bessel function of the second kind of order 1.", "-0.7812")
modified_bessel_i0 = _make(
    "modified_bessel_i0", _i0, "Modified Bessel function of the first kind of order 0.", "1.2661"
)
modified_bessel_i1 = _make(
    "modified_bessel_i1", _i1, "Modified Bessel function of the first kind of order 1.", "0.5652"
)
modified_bessel_k0 = _make(
    "modified_bessel_k0", _bessel_k(0, False), "Modified Bessel function of the second kind of order 0.", "0.4210"
)
modified_bessel_k1 = _make(
    "modified_bessel_k1", _bessel_k(1, False), "Modified Bessel function of the second kind of order 1.", "0.6019"
)
scaled_modified_bessel_k0 = _make(
    "scaled_modified_bessel_k0", _bessel_k(0, True), "``exp(input) * modified_bessel_k0(input)``.", "1.1445"
)
scaled_modified_bessel_k1 = _make(
    "scaled_modified_bessel_k1", _bessel_k(1, True), "``exp(input) * modified_bessel_k1(input)``.", "1.6362"
)
spherical_bessel_j0 = _make(
    "spherical_bessel_j0", _spherical_j0, "Spherical Bessel function of order 0, ``sin(input) / input``.", "0.8415"
)
