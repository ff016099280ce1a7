"""Gradients of random draws with respect to a distribution's parameters, by implicit differentiation.

A draw x with cumulative probability F(x; a) moves with the parameter as ``dx/da = -(dF/da) / (dF/dx)``.

Source: Figurnov, Mohamed and Mnih, "Implicit reparameterization gradients", 2018.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad.ops import _loops
from funcgrad.ops._number import Array


@jax.custom_jvp
def standard_gamma_grad(alpha: Array, sample: Array) -> Array:
    """The derivative of a draw from ``Gamma(alpha, 1)`` with respect to alpha."""
    alpha, sample = jnp.broadcast_arrays(alpha, sample)
    large = alpha > _LARGE_ALPHA
    small = lax.random_gamma_grad(jnp.where(large, 1, alpha), jnp.where(large, 1, sample))

    def both():
        wide = [jnp.where(large, v.astype(jnp.float64), _LARGE_ALPHA) for v in (alpha, sample)]
        return jnp.where(large, _gamma_derivative(*wide).astype(alpha.dtype), small)

    return lax.cond(large.any(), both, lambda: small)


# JAX's form takes 166 ms for 20,000 draws of alpha 1e6 and is wrong by 7% there in float32, this one 4 ms and 1e-6; for
# an alpha of 1 or less it converges slowly.
_LARGE_ALPHA = 8.0
_GAMMA_NODES = np.linspace(-3.4, 1.6, 40)


def _gamma_derivative(a: Array, x: Array) -> Array:
    """``dx/da`` of a draw x from ``Gamma(a, 1)``, in float64. See NOTE: [the derivative of a beta draw]."""
    deviation = lax.digamma(a) - jnp.log(x)
    side = jnp.where(deviation > 0, -1.0, 1.0).astype(x.dtype)  # of x where log t - E[log t] keeps its sign
    width = 1 / (jnp.maximum(side * (x - a), 0) + jnp.sqrt(x))
    step = float(_GAMMA_NODES[1] - _GAMMA_NODES[0]) * math.pi / 2

    def add(k, total):
        u = _GAMMA_NODES[0] + (_GAMMA_NODES[1] - _GAMMA_NODES[0]) * k.astype(jnp.float64)
        s = width * jnp.exp(math.pi / 2 * jnp.sinh(u))
        moved = side * s
        return total + jnp.cosh(u) * s * (jnp.abs(deviation) + s) * jnp.exp(a * moved - x * jnp.expm1(moved))

    return x * step * _loops.fori_loop(0, len(_GAMMA_NODES), add, jnp.zeros_like(x))


@standard_gamma_grad.defjvp
def _no_second_derivative(primals, tangents):
    raise RuntimeError("the derivative for '_standard_gamma_grad' is not implemented.")


@jax.custom_jvp
def standard_gamma(alpha: Array, sample: Array) -> Array:
    """`sample`, drawn from ``Gamma(alpha, 1)``, as a function of alpha."""
    return sample


@standard_gamma.defjvp
def _standard_gamma_jvp(primals, tangents):
    alpha, sample = primals
    return sample, standard_gamma_grad(alpha, sample) * tangents[0]


@jax.custom_jvp
def normal_numbers(x: Array) -> Array:
    """`x`, at least the dtype's smallest normal number; the gradient takes no notice."""
    return jnp.maximum(x, jnp.finfo(x.dtype).tiny)


@normal_numbers.defjvp
def _normal_numbers_jvp(primals, tangents):
    return normal_numbers(primals[0]), tangents[0]


# NOTE: [the derivative of a beta draw]
#     Let p be the density of Beta(a, b) and h(t) = log t - E[log t]. Then dF/da is the integral of h p from 0 to x, which
#     is minus the integral from x to 1. On the side of x where h keeps one sign nothing cancels. With t = x exp(-s)
#     (or 1 - t = (1 - x) exp(-s)) it becomes an integral over s from 0 to infinity of a smooth function that falls like
#     an exponential, for which the double-exponential rule with s = w exp(pi/2 sinh(u)) converges fast whatever its
#     width is.

_NODES = np.linspace(-4.9, 2.4, 84)  # draws of small alphas come as close to 0 as 1e-38
_STEP = float(_NODES[1] - _NODES[0])


def _beta_derivative(x: Array, a: Array, b: Array) -> Array:
    """``dx/da`` of a draw x from ``Beta(a, b)``, in float64."""
    mean_log = lax.digamma(a) - lax.digamma(a + b)
    log_x = jnp.log(x)
    left = log_x < mean_log
    # the exponents of the side's variable and of the other one, and their values
    near, far = jnp.where(left, a, b), jnp.where(left, b, a)
    start, other = jnp.where(left, x, 1 - x), jnp.where(left, 1 - x, x)
    odds = start / other
    deviation = jnp.abs(log_x - mean_log)
    fall = near - jnp.maximum(far - 1, 0) * odds
    curve = jnp.maximum((far - 1) * odds / other, 0)
    width = 1 / jnp.maximum(jnp.maximum(fall, 0) + jnp.sqrt(curve), near * 1e-3 + 1e-30)
    total = jnp.zeros_like(x)

    def add(k, total):
        u = _NODES[0] + _STEP * k.astype(jnp.float64)
        s = width * jnp.exp(math.pi / 2 * jnp.sinh(u))
        weight = s * (math.pi / 2) * jnp.cosh(u)
        moved = jnp.log1p(-odds * jnp.expm1(-s))  # how far the other variable's logarithm has moved
        h = deviation + jnp.where(left, s, moved)
        return total + weight * h * jnp.exp(-near * s + (far - 1) * moved)

    total = _loops.fori_loop(0, len(_NODES), add, total) * _STEP
    return start * total


@jax.custom_jvp
def dirichlet_grad(x: Array, alpha: Array, total: Array) -> Array:
    """The derivative of a component x of a Dirichlet draw with respect to its alpha, divided by ``1 - x``."""
    x, alpha, total = jnp.broadcast_arrays(x, alpha, total)
    wide = [v.astype(jnp.float64) for v in (x, alpha, total)]
    return (_beta_derivative(wide[0], wide[1], wide[2] - wide[1]) / (1 - wide[0])).astype(x.dtype)


@dirichlet_grad.defjvp
def _no_second_derivative_(primals, tangents):
    raise RuntimeError("the derivative for '_dirichlet_grad' is not implemented.")


@jax.custom_jvp
def sample_dirichlet(alpha: Array, sample: Array) -> Array:
    """`sample`, drawn from ``Dirichlet(alpha)`` over the last axis, as a function of alpha."""
    return sample


@sample_dirichlet.defjvp
def _sample_dirichlet_jvp(primals, tangents):
    alpha, sample = primals
    moved = dirichlet_grad(sample, alpha, alpha.sum(-1, keepdims=True)) * tangents[0]
    return sample, moved - sample * moved.sum(-1, keepdims=True)
