"""Orthogonal polynomials of run-time degree, by their three-term recurrences.

https://docs.pytorch.org/docs/stable/special.html
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from funcgrad.ops import _loops
from funcgrad.ops._elementwise import document, literal, operands
from funcgrad.ops._number import Array, Scalar


def _chebyshev(k, x, p, before):
    return 2 * x * p - before


def _hermite(k, x, p, before):
    return 2 * (x * p - k * before)


def _hermite_e(k, x, p, before):
    return x * p - k * before


def _laguerre(k, x, p, before):
    return ((2 * k + 1 - x) * p - k * before) / (k + 1)


def _legendre(k, x, p, before):
    return ((2 * k + 1) * x * p - k * before) / (k + 1)


def _evaluate(first: Callable, step: Callable, x: Array, n: Array) -> Array:
    """The polynomial of degree trunc(n), given that of degree 1 and the step from degrees k and k - 1 to k + 1."""
    n = lax.stop_gradient(jnp.where(n < 0, lax.ceil(n), lax.floor(n)))
    x = lax.stop_gradient(x)

    def raise_degree(state):
        k, p, before = state
        going = k < n
        return k + 1, jnp.where(going, step(k, x, p, before), p), jnp.where(going, p, before)

    start = literal(x, 1), first(x), jnp.ones_like(x)
    p = _loops.while_loop(lambda state: jnp.any(state[0] < n), raise_degree, start)[1]
    return jnp.where(n < 0, literal(x, 0), jnp.where(n == 0, literal(x, 1), p))


def _family(name: str, first: Callable, step: Callable, summary: str, at_half: str, shifted: bool = False) -> Callable:
    def call(input: Array | Scalar, n: Array | Scalar) -> Array:
        x, degree = operands(f"{name}_cpu", "biuf", input, n, floating=True)
        return _evaluate(first, step, 2 * x - 1 if shifted else x, degree)

    example = f"torch.special.{name}(torch.tensor([0.5]), 3) -> tensor([{at_half}])"
    summary += " of degree `n` at `input`; 0 below degree 0."
    return document(call, f"special.{name}", summary, example, __name__)


# Letter: kind, the polynomial of degree 1, and the values that the examples show: plain and shifted, degree 3 at 0.5.
_KINDS = {
    "t": ("first", lambda x: x, "-1.", "-0."),
    "u": ("second", lambda x: 2 * x, "-1.", "-0."),
    "v": ("third", lambda x: 2 * x - 1, "-1.", "1."),
    "w": ("fourth", lambda x: 2 * x + 1, "-1.", "-1."),
}


def _chebyshevs(shifted: bool) -> list[Callable]:
    prefix, of = ("shifted_", ", of ``2 * input - 1``,") if shifted else ("", "")
    made = []
    for letter, (kind, first, *values) in _KINDS.items():
        name, summary = f"{prefix}chebyshev_polynomial_{letter}", f"Chebyshev polynomial of the {kind} kind{of}"
        made.append(_family(name, first, _chebyshev, summary, values[shifted], shifted))
    return made


chebyshev_polynomial_t, chebyshev_polynomial_u, chebyshev_polynomial_v, chebyshev_polynomial_w = _chebyshevs(False)
(
    shifted_chebyshev_polynomial_t,
    shifted_chebyshev_polynomial_u,
    shifted_chebyshev_polynomial_v,
    shifted_chebyshev_polynomial_w,
) = _chebyshevs(True)
hermite_polynomial_h = _family(
    "hermite_polynomial_h", lambda x: 2 * x, _hermite, "Physicist's Hermite polynomial", "-5."
)
hermite_polynomial_he = _family(
    "hermite_polynomial_he", lambda x: x, _hermite_e, "Probabilist's Hermite polynomial", "-1.3750"
)
laguerre_polynomial_l = _family("laguerre_polynomial_l", lambda x: 1 - x, _laguerre, "Laguerre polynomial", "-0.1458")
legendre_polynomial_p = _family("legendre_polynomial_p", lambda x: x, _legendre, "Legendre polynomial", "-0.4375")
