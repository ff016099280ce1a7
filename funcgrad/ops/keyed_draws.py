"""Random numbers from a key, inside the program: `jax.random` behind PyTorch's draws.

Each function has the name and the arguments of a draw in `funcgrad._draws`, with three words (a seed of 64 bits and the
number of the draw) in place of the generator. The distributions are PyTorch's, the numbers are not.

Source: https://docs.jax.dev/en/latest/jax.random.html
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import random as jr

from funcgrad import _dtypes
from funcgrad.ops import _loops
from funcgrad.ops._number import Array, Scalar, as_array


def _key(words: Array) -> Array:
    return jr.fold_in(jr.wrap_key_data(words[:2], impl="threefry2x32"), words[2])


def _real(dtype) -> tuple:
    """The dtype to draw in, and the one to return."""
    dtype = _dtypes.to_dtype(dtype)
    if not dtype.is_floating_point:
        return jnp.float32, dtype.numpy
    return (jnp.float32 if dtype.itemsize == 2 else dtype.numpy), dtype.numpy


def uniform(words: Array, shape, dtype, low: Scalar = 0.0, high: Scalar = 1.0) -> Array:
    """Uniform on ``[low, high)``."""
    wide, dtype = _real(dtype)
    low, high = as_array(low, wide), as_array(high, wide)
    u = jr.uniform(_key(words), shape, wide) * (high - low) + low
    return u.astype(dtype)


def normal(words: Array, shape, dtype, mean: Scalar = 0.0, std: Scalar = 1.0, contiguous: bool = True) -> Array:
    """Normal; a complex one has half the variance in each part."""
    d = _dtypes.to_dtype(dtype)
    if d.is_complex:
        return jr.normal(_key(words), shape, d.numpy) * as_array(std, d.to_real()) + as_array(mean, d)
    wide, dtype = _real(d)
    return (jr.normal(_key(words), shape, wide) * as_array(std, wide) + as_array(mean, wide)).astype(dtype)


def normal_tensors(words: Array, mean: Array | Scalar, std: Array | Scalar) -> Array:
    """Normal with means and deviations of their own."""
    given = mean if hasattr(mean, "dtype") else std
    shape = jnp.broadcast_shapes(jnp.shape(as_array(mean)), jnp.shape(as_array(std)))
    noise = jr.normal(_key(words), shape, given.dtype)
    return noise * as_array(std, given.dtype) + as_array(mean, given.dtype)


def log_normal(words: Array, shape, dtype, mean: Scalar = 1.0, std: Scalar = 2.0) -> Array:
    """The exponential of a normal."""
    return jnp.exp(normal(words, shape, dtype, mean, std))


def exponential(words: Array, shape, dtype, rate: Scalar = 1.0) -> Array:
    """Exponential of the given rate."""
    wide, dtype = _real(dtype)
    return (jr.exponential(_key(words), shape, wide) / as_array(rate, wide)).astype(dtype)


def cauchy(words: Array, shape, dtype, median: Scalar = 0.0, sigma: Scalar = 1.0) -> Array:
    """Cauchy."""
    wide, dtype = _real(dtype)
    return (jr.cauchy(_key(words), shape, wide) * as_array(sigma, wide) + as_array(median, wide)).astype(dtype)


def geometric(words: Array, shape, dtype, p: Scalar) -> Array:
    """The number of trials up to the first success."""
    u = 1 - jr.uniform(_key(words), shape, jnp.float64)
    return jnp.ceil(jnp.log(u) / jnp.log1p(-as_array(p, jnp.float64))).astype(_dtypes.to_dtype(dtype).numpy)


def bernoulli(words: Array, shape, dtype, p: Scalar = 0.5) -> Array:
    """One with probability `p`."""
    u = jr.uniform(_key(words), shape, jnp.float32)
    return (u < as_array(p, jnp.float32)).astype(_dtypes.to_dtype(dtype).numpy)


def bernoulli_tensor(words: Array, shape, dtype, p: Array) -> Array:
    """One with probabilities of their own."""
    u = jr.uniform(_key(words), shape, jnp.float32)
    return (u < p.astype(jnp.float32)).astype(_dtypes.to_dtype(dtype).numpy)


def random(words: Array, shape, dtype, low=None, high=None) -> Array:
    """Integers from ``[low, high)``; without bounds, all that the dtype represents from 0 on."""
    d = _dtypes.to_dtype(dtype)
    low = 0 if low is None else low
    if high is None:
        digits = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
        high = 2 if d.name == "bool" else 2 ** digits[d.name] + 1 if d.name in digits else jnp.iinfo(d.numpy).max
    return jr.randint(_key(words), shape, low, high, jnp.int64).astype(d.numpy)


def randperm(words: Array, n, dtype=_dtypes.int64) -> Array:
    """A permutation."""
    return jr.permutation(_key(words), n).astype(_dtypes.to_dtype(dtype).numpy)


def multinomial(words: Array, weights: Array, num_samples: int, replacement: bool = False) -> Array:
    """Indices with the given weights, by the largest of logarithms with Gumbel noise."""
    logits, batch = jnp.log(weights.astype(jnp.float32)), weights.shape[:-1]
    if replacement:
        drawn = jr.categorical(_key(words), logits, shape=(num_samples, *batch))
        return jnp.moveaxis(drawn, 0, -1).astype(jnp.int64)
    scores = logits + jr.gumbel(_key(words), weights.shape, jnp.float32)
    return jax.lax.top_k(scores, num_samples)[1].astype(jnp.int64)


def rrelu_slopes(words: Array, x: Array, lower: Scalar = 1 / 8, upper: Scalar = 1 / 3) -> Array:
    """Uniform slopes where `x` is not positive, else one."""
    kind = jnp.float64 if x.dtype == jnp.float64 else jnp.float32
    return jnp.where(x <= 0, uniform(words, x.shape, kind, lower, upper), jnp.ones((), kind))


def standard_gamma(words: Array, alpha: Array) -> Array:
    """Gamma of rate one."""
    return jnp.maximum(jr.gamma(_key(words), alpha, dtype=alpha.dtype), jnp.finfo(alpha.dtype).tiny)


def dirichlet(words: Array, alpha: Array) -> Array:
    """Dirichlet over the last axis."""
    return jr.dirichlet(_key(words), alpha, dtype=alpha.dtype)


def poisson(words: Array, rate: Array) -> Array:
    """Poisson counts."""
    return jr.poisson(_key(words), rate).astype(rate.dtype)


def binomial(words: Array, count: Array, prob: Array) -> Array:
    """Binomial counts."""
    return jr.binomial(_key(words), count, prob, dtype=count.dtype)


def von_mises(words: Array, loc: Array, concentration: Array, shape) -> Array:
    """Angles around `loc`, by rejection from a wrapped Cauchy distribution (Best and Fisher, 1979)."""
    k = jnp.broadcast_to(concentration, shape).astype(jnp.float64)
    tau = 1 + jnp.sqrt(1 + 4 * k**2)
    rho = (tau - jnp.sqrt(2 * tau)) / (2 * k)
    r = jnp.where(k < 1e-5, 1 / k + k, (1 + rho**2) / (2 * rho))

    def again(state):
        key, x, done = state
        key, here = jr.split(key)
        u = jr.uniform(here, (3, *shape), jnp.float64)
        z = jnp.cos(math.pi * u[0])
        f = (1 + r * z) / (r + z)
        c = k * (r - f)
        accept = (c * (2 - c) - u[1] > 0) | (jnp.log(c / u[1]) + 1 - c >= 0)
        return key, jnp.where(accept & ~done, jnp.sign(u[2] - 0.5) * jnp.arccos(f), x), done | accept

    start = (_key(words), jnp.zeros(shape, jnp.float64), jnp.zeros(shape, bool))
    x = _loops.while_loop(lambda state: ~state[2].all(), again, start)[1]
    return (jnp.mod(x + math.pi + loc, 2 * math.pi) - math.pi).astype(loc.dtype)
