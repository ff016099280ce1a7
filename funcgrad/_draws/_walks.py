"""Rejection samplers as compiled loops: each turn is one attempt at one element, with words from where the last stopped.

They agree with the loops of `rejection` up to the last digits of logarithms and cosines in float64, which nothing shows of
once the numbers are rounded to float32 or are counts.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad._draws._cpu_program import CpuProgram

ELEMENTS, UNIFORMS = 4096, 1 << 14  # at most, in one run
LEAST = 256  # elements that a run is worth
f8, i4 = np.float64, np.int32
_ZERO, _ONE, _TWO = (i4(n) for n in range(3))


def _uniform(words, j):
    high, low = words[2 * j].astype(jnp.uint64), words[2 * j + 1].astype(jnp.uint64)
    mantissa = ((high & np.uint64(0x1FFFFF)) << np.uint64(32)) | low
    return mantissa.astype(jnp.int64).astype(f8) * f8(2.0**-53)


def _put(out, i, value):
    """`value` at place i; a later turn overwrites what was not wanted."""
    return lax.dynamic_update_slice(out, value[None], (i,))


# -- gamma ------------------------------------------------------------------------------------------------------------


def _gamma_walk(words, count, small, d, c, zero, spare, fresh, scale):
    """Marsaglia and Tsang's attempts; `spare` is the generator's second normal, NaN for none."""

    def turn(carry):
        i, j, spare, made_at, fresh, scale, cubes, scales = carry
        dk, ck, skip = d[i], c[i], zero[i]
        scaling = fresh & small[i] & ~skip
        scale = jnp.where(scaling, f8(1) - _uniform(words, j), jnp.where(fresh, f8(1), scale))
        j = j + scaling.astype(jnp.int32)
        held = ~jnp.isnan(spare)
        draws = ~held & ~skip
        angle, v = f8(2 * math.pi) * _uniform(words, j), _uniform(words, j + 1)
        radius = jnp.sqrt(f8(-2) * jnp.log1p(-v))
        x = jnp.where(held, spare, radius * jnp.cos(angle))
        spare = jnp.where(skip, spare, jnp.where(held, f8(np.nan), radius * jnp.sin(angle)))
        made_at = jnp.where(draws, j, made_at)
        j = j + _TWO * draws.astype(jnp.int32)
        y = f8(1) + ck * x
        cube, square = y * y * y, x * x
        u = f8(1) - _uniform(words, j)
        tried = (y > 0) & ~skip
        j = j + tried.astype(jnp.int32)
        squeezed = u < f8(1) - f8(np.float32(0.0331)) * square * square
        accept = tried & (squeezed | (jnp.log(u) < f8(0.5) * square + dk * (f8(1) - cube + jnp.log(cube))))
        done = accept | skip
        cubes, scales = _put(cubes, i, cube), _put(scales, i, scale)
        return i + done.astype(jnp.int32), j, spare, made_at, done, scale, cubes, scales

    def going(carry):
        return (carry[0] < count) & (carry[1] < i4(UNIFORMS - 4))

    empty = jnp.zeros(ELEMENTS, f8)
    start = (_ZERO, _ZERO, spare, -_ONE, fresh, scale, empty, empty)
    i, j, spare, *rest = lax.while_loop(going, turn, start)
    return i, j, ~jnp.isnan(spare), *rest


_WORDS = ((2 * UNIFORMS,), np.uint32)
_gamma = CpuProgram(
    _gamma_walk,
    [_WORDS, ((), i4), ((ELEMENTS,), bool), ((ELEMENTS,), f8), ((ELEMENTS,), f8), ((ELEMENTS,), bool), ((), f8), ((), bool), ((), f8)],
    worth=1 << 17,  # elements: 0.2 s of Python's loop
)  # fmt: skip


def _padded(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x, np.zeros(ELEMENTS - len(x), x.dtype)]) if len(x) < ELEMENTS else x


def gammas(engine, alpha: np.ndarray, power: np.ndarray, d: np.ndarray, c: np.ndarray) -> np.ndarray | None:
    """Gammas of the shapes `alpha`, or None where Python's loop is the better choice. The rest: Marsaglia's constants."""
    n = len(alpha)
    run = _gamma.after(n) if n >= LEAST else None
    if run is None:
        return None
    out, small, zero = np.empty(n), alpha < 1, alpha == 0
    start, fresh, scale = 0, np.bool_(True), f8(1)
    while start < n:
        at = slice(start, min(start + ELEMENTS, n))
        words = np.asarray(engine.peek(2 * UNIFORMS), np.uint32)
        spare = math.nan if engine.normal is None else engine.normal
        arrays = [_padded(x[at]) for x in (small, d, c, zero)]
        made = run(words, i4(at.stop - start), *arrays, f8(spare), fresh, scale)
        i, j, held, made_at, fresh, scale, cubes, scales = map(np.asarray, made)
        if made_at >= 0:
            engine.normal = _second_normal(words[2 * made_at : 2 * made_at + 4]) if held else None
        elif not held:
            engine.normal = None
        engine.skip(2 * int(j))
        done = int(i)
        piece = slice(start, start + done)
        with np.errstate(invalid="ignore", divide="ignore"):
            raised = np.where(small[piece], scales[:done] ** power[piece], 1.0)
        out[piece] = np.where(zero[piece], 0.0, raised * d[piece] * cubes[:done])
        start += done
    return out


def _second_normal(words: np.ndarray) -> float:
    """The second half of the pair of normals that these four words make, to the last digit."""
    high, low = words[::2].tolist(), words[1::2].tolist()
    u, v = (((h << 32 | w) & ((1 << 53) - 1)) * 2.0**-53 for h, w in zip(high, low))
    return math.sqrt(-2.0 * math.log1p(-v)) * math.sin(2 * math.pi * u)


# -- Poisson ----------------------------------------------------------------------------------------------------------


def _poisson_walk(words, count, rates, logs, bounds, product, k):
    """Products of uniforms below a rate of ten, from there on Hoermann's transformed rejection."""

    def small(i, j, product, k):
        product = product * _uniform(words, j)
        over = (product <= bounds[i]) | (rates[i] == 0)
        return over, k, j + (rates[i] != 0).astype(jnp.int32), product, k + 1

    def large(i, j, product, k):
        rate = rates[i]
        b = f8(0.931) + f8(2.53) * jnp.sqrt(rate)
        a = f8(-0.059) + f8(0.02483) * b
        u, v = _uniform(words, j) - f8(0.5), _uniform(words, j + 1)
        us = f8(0.5) - jnp.abs(u)
        found = jnp.floor((f8(2) * a / us + b) * u + rate + f8(0.43))
        found = jnp.where(jnp.abs(found) < f8(2.0**63), found, f8(-(2.0**63)))
        boxed = (us >= f8(0.07)) & (v <= f8(0.9277) - f8(3.6224) / (b - f8(2)))

        def exactly(_):
            left = jnp.log(v) + jnp.log(f8(1.1239) + f8(1.1328) / (b - f8(3.4))) - jnp.log(a / (us * us) + b)
            return left <= -rate + found * logs[i] - lax.lgamma(found + f8(1))

        out = (found < 0) | ((us < f8(0.013)) & (v > us))
        over = (us != 0) & (boxed | (~out & lax.cond(boxed | out, lambda _: False, exactly, None)))
        return over, found, j + _TWO, f8(1), f8(0)

    def turn(carry):
        i, j, product, k, counts = carry
        over, found, j, product, k = lax.cond(rates[i] >= 10, large, small, i, j, product, k)
        counts = _put(counts, i, found)
        return (
            i + over.astype(jnp.int32), j, jnp.where(over, f8(1), product), jnp.where(over, f8(0), k), counts,
        )  # fmt: skip

    def going(carry):
        return (carry[0] < count) & (carry[1] < i4(UNIFORMS - 2))

    return lax.while_loop(going, turn, (_ZERO, _ZERO, product, k, jnp.zeros(ELEMENTS, f8)))


_poisson = CpuProgram(
    _poisson_walk,
    [_WORDS, ((), i4), *[((ELEMENTS,), f8)] * 3, ((), f8), ((), f8)],
    worth=1 << 17,
)


def poissons(engine, rates: np.ndarray) -> np.ndarray | None:
    """Poisson counts in float64, or None where Python's loop is the better choice."""
    n = len(rates)
    run = _poisson.after(n) if n >= LEAST else None
    if run is None:
        return None
    with np.errstate(divide="ignore"):
        constants = rates, np.log(rates), np.exp(-rates)
    out, start, product, k = np.empty(n), 0, f8(1), f8(0)
    while start < n:
        at = slice(start, min(start + ELEMENTS, n))
        words = np.asarray(engine.peek(2 * UNIFORMS), np.uint32)
        i, j, product, k, counts = run(words, i4(at.stop - start), *(_padded(x[at]) for x in constants), product, k)
        engine.skip(2 * int(j))
        out[start : start + int(i)] = np.asarray(counts)[: int(i)]
        start += int(i)
    return out
