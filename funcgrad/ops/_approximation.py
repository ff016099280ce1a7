"""Polynomial approximations, their coefficients computed once from a definition in NumPy float64."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np

from funcgrad.ops._elementwise import literal
from funcgrad.ops._number import Array


@functools.cache
def chebyshev_coefficients(function: Callable[[np.ndarray], np.ndarray], count: int) -> tuple[float, ...]:
    """The first `count` Chebyshev coefficients of a real function on [-1, 1], interpolated at the Chebyshev points."""
    theta = (np.arange(count) + 0.5) * np.pi / count
    values = function(np.cos(theta))
    c = 2 / count * np.cos(np.outer(np.arange(count), theta)) @ values
    c[0] /= 2
    return tuple(c.tolist())


def chebyshev(function: Callable[[np.ndarray], np.ndarray], count: int, t: Array) -> Array:
    """`function` at `t` in [-1, 1] from its first `count` Chebyshev terms, by Clenshaw's recurrence."""
    *rest, first = reversed(chebyshev_coefficients(function, count))
    b1 = b2 = jnp.zeros_like(t)
    for c in rest:
        b1, b2 = 2 * t * b1 - b2 + literal(t, c), b1
    return t * b1 - b2 + literal(t, first)


def polynomial(coefficients: Sequence[float], x: Array) -> Array:
    """``sum(c * x ** k for k, c in enumerate(coefficients))``, by Horner's rule."""
    *rest, last = coefficients
    y = jnp.full_like(x, last)
    for c in reversed(rest):
        y = y * x + literal(x, c)
    return y
