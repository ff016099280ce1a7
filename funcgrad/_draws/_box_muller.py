"""The Box-Muller transform, to the last digit of PyTorch's CPU kernels.

PyTorch fills a contiguous tensor of 16 or more elements sixteen at a time: eight radii from the first eight uniforms,
eight angles from the others, the cosines first. In float32 (and the 16-bit types, which are rounded from it) logarithm,
sine and cosine are the Cephes polynomials with every multiply-add fused; in float64 they are the C library's.

Each transform has two forms that agree: NumPy's, where a fused multiply-add is done in float64 and rounded, and XLA's for
bulk, whose compiler fuses the same multiply-adds.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad._draws import _bulk, _libm, _stream

f4, f8, i4, u4 = np.float32, np.float64, np.int32, np.uint32

LOG = tuple(
    f4(c)
    for c in (
        7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
        2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    )
)  # fmt: skip
LN2_HIGH, LN2_LOW = f4(0.693359375), f4(-2.12194440e-4)
SQRT_HALF = f4(0.70710678118654752)
FOUR_OVER_PI = f4(1.27323954473516)
QUARTER_PI = tuple(f4(c) for c in (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8))
SIN = tuple(f4(c) for c in (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1))
COS = tuple(f4(c) for c in (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2))
TWO_PI = f4(2 * math.pi)
UNIT = f4(2.0**-24)


# -- float32, NumPy ---------------------------------------------------------------------------------------------------


def fused(a, b, c) -> np.ndarray:
    """``a * b + c`` in float32, rounded once."""
    product = np.multiply(a, b, dtype=f8)  # exact: 24 + 24 bits
    product += c
    return product.astype(f4)


def _log(x: np.ndarray) -> np.ndarray:
    mantissa, exponent = np.frexp(x)
    small = mantissa < SQRT_HALF
    exponent = exponent.astype(f4) - small
    x = (mantissa - f4(1)) + mantissa * small
    square = x * x
    y = LOG[0]
    for c in LOG[1:]:
        y = fused(y, x, c)
    y = fused(y * x, square, exponent * LN2_LOW)
    y = fused(square, f4(-0.5), y)
    return fused(exponent, LN2_HIGH, x + y)


def _sin_cos(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    octant = ((x * FOUR_OVER_PI).astype(i4) + 1) & ~1
    y = octant.astype(f4)
    for c in QUARTER_PI:
        x = fused(y, c, x)
    z = x * x
    s = fused(fused(SIN[0], z, SIN[1]), z, SIN[2])
    s = fused(s * z, x, x)
    c = fused(fused(COS[0], z, COS[1]), z, COS[2])
    c = fused(c * z, z, z * f4(-0.5)) + f4(1)
    swap = (octant & 2) != 0
    sine, cosine = np.where(swap, c, s), np.where(swap, s, c)
    np.negative(sine, out=sine, where=(octant & 4) != 0)
    np.negative(cosine, out=cosine, where=((octant + 2) & 4) != 0)
    return sine, cosine


def _pairs32(first: np.ndarray, second: np.ndarray, mean: f4, std: f4) -> tuple[np.ndarray, np.ndarray]:
    u1 = f4(1) - (first & u4(0xFFFFFF)).astype(f4) * UNIT
    u2 = (second & u4(0xFFFFFF)).astype(f4) * UNIT
    radius = np.sqrt(f4(-2) * _log(u1))
    sine, cosine = _sin_cos(TWO_PI * u2)
    return fused(radius * cosine, std, mean), fused(radius * sine, std, mean)


# -- float64, NumPy ---------------------------------------------------------------------------------------------------


def _pairs64(first: np.ndarray, second: np.ndarray, mean: float, std: float) -> tuple[np.ndarray, np.ndarray]:
    radius = np.sqrt(-2.0 * _libm.log(1.0 - first))
    angle = 2 * math.pi * second
    cosine, sine = radius * _libm.cos(angle), radius * _libm.sin(angle)
    return _libm.fused(cosine, std, mean), _libm.fused(sine, std, mean)


def scalar_pairs(first: np.ndarray, second: np.ndarray, exact: bool) -> tuple[np.ndarray, np.ndarray]:
    """Standard normals from pairs of float64 uniforms as PyTorch draws them one by one: the cosines and the sines.

    `exact` asks for the C library's last digit, which a result rounded to fewer bits does not need.
    """
    log1p = _libm.log1p if exact else np.log1p
    radius = np.sqrt(-2.0 * log1p(-second))
    angle = 2 * math.pi * first
    return radius * _libm.cos(angle), radius * _libm.sin(angle)


# -- XLA --------------------------------------------------------------------------------------------------------------


def _xla_log(x):
    bits = lax.bitcast_convert_type(x, jnp.int32)
    exponent = ((bits >> 23) - 126).astype(f4)
    mantissa = lax.bitcast_convert_type((bits & 0x7FFFFF) | 0x3F000000, f4)
    small = mantissa < SQRT_HALF
    x = (mantissa - f4(1)) + jnp.where(small, mantissa, f4(0))
    exponent = exponent - jnp.where(small, f4(1), f4(0))
    square = x * x
    y = LOG[0]
    for c in LOG[1:]:
        y = y * x + c
    y = (y * x) * square + exponent * LN2_LOW
    y = y - square * f4(0.5)
    return (x + y) + exponent * LN2_HIGH


def _xla_sin_cos(x):
    octant = ((x * FOUR_OVER_PI).astype(i4) + 1) & ~1
    y = octant.astype(f4)
    for c in QUARTER_PI:
        x = x + y * c
    z = x * x
    s = (SIN[0] * z + SIN[1]) * z + SIN[2]
    s = (s * z) * x + x
    c = (COS[0] * z + COS[1]) * z + COS[2]
    c = ((c * z) * z - z * f4(0.5)) + f4(1)
    swap = (octant & 2) != 0
    sine, cosine = jnp.where(swap, c, s), jnp.where(swap, s, c)
    return _negate(sine, octant & 4), _negate(cosine, (octant + 2) & 4)


def _negate(x, bit):
    return lax.bitcast_convert_type(lax.bitcast_convert_type(x, jnp.int32) ^ (bit << 29), f4)


def _xla32(first, second, mean, std, ones):
    u1 = f4(1) - (first & u4(0xFFFFFF)).astype(i4).astype(f4) * UNIT
    u2 = (second & u4(0xFFFFFF)).astype(i4).astype(f4) * UNIT
    radius = jnp.sqrt(f4(-2) * _xla_log(u1))
    # the angle is rounded before it is reduced: `ones`, an input of all ones, keeps the product out of the next fusion
    angle = lax.bitcast_convert_type(lax.bitcast_convert_type(TWO_PI * u2, u4) & ones, f4)
    sine, cosine = _xla_sin_cos(angle)
    return (radius * cosine) * std + mean, (radius * sine) * std + mean


def _xla64(first, second, mean, std, ones):
    radius = jnp.sqrt(-2.0 * jnp.log(1.0 - first))
    angle = 2 * math.pi * second
    return (radius * jnp.cos(angle)) * std + mean, (radius * jnp.sin(angle)) * std + mean


# NOTE: [Halves apart]
#     The transform runs at full vector width over flat arrays only. Taking the blocks of sixteen apart and putting them
#     together inside it makes it five times slower, so these stand in loops, which XLA does not fuse with it.
_TURNS = 2


def _split(x):
    """The first and the second half of each row, flat."""
    rows = len(x) // _TURNS

    def body(i, halves):
        at = (i * np.int32(rows), np.int32(0))
        piece = lax.dynamic_slice(x, at, (rows, 16))
        return [lax.dynamic_update_slice(h, piece[:, 8 * k : 8 * k + 8], at) for k, h in enumerate(halves)]

    empty = jnp.zeros((len(x), 8), x.dtype)
    return [h.reshape(-1) for h in lax.fori_loop(np.int32(0), np.int32(_TURNS), body, [empty, empty])]


def _joined(*halves):
    """Rows of the two halves side by side."""
    halves = [h.reshape(-1, 8) for h in halves]
    rows = len(halves[0]) // _TURNS

    def body(i, x):
        for k, h in enumerate(halves):
            piece = lax.dynamic_slice(h, (i * np.int32(rows), np.int32(0)), (rows, 8))
            x = lax.dynamic_update_slice(x, piece, (i * np.int32(rows), np.int32(8 * k)))
        return x

    return lax.fori_loop(np.int32(0), np.int32(_TURNS), body, jnp.zeros((len(halves[0]), 16), halves[0].dtype))


# -- both -------------------------------------------------------------------------------------------------------------


def _in_bulk(kind, pairs, xla_pairs, uniforms, xla_uniforms, words: int, worth_few=None) -> _bulk.Bulk:
    def plain(engine, n, mean, std, ones):
        source = uniforms(engine, n).reshape(-1, 2, 8)
        halves = pairs(source[:, 0], source[:, 1], mean, std)
        return np.stack(halves, 1).reshape(-1)

    def transform(source, mean, std, ones):
        halves = _split(xla_uniforms(source).reshape(-1, 16))
        return _joined(*xla_pairs(*halves, mean, std, ones)).reshape(-1)

    return _bulk.Bulk(plain, transform, words, (kind(0.3), kind(1.7), ONES), worth=1 << 17, worth_few=worth_few)


ONES = u4(0xFFFFFFFF)
BULK = {
    f4: _in_bulk(f4, _pairs32, _xla32, lambda engine, n: engine.take(n), lambda words: words, 1, worth_few=1 << 10),
    f8: _in_bulk(f8, _pairs64, _xla64, _stream.unit_doubles, _bulk.unit_doubles, 2),
}
