"""Dropout by a mask that the caller has drawn.

Source: https://docs.pytorch.org/docs/stable/nn.functional.html#dropout-functions
"""

from __future__ import annotations

import jax.numpy as jnp

from funcgrad.ops._elementwise import is_half
from funcgrad.ops._number import Array, Scalar, as_array

# Minus the value that SELU tends to at minus infinity: its scale times its alpha.
SELU_LIMIT = 1.7580993408473766


def dropout_mask(input: Array, mask: Array, p: Scalar) -> Array:
    """``x / (1 - p)`` where `mask` is true, ``0 * x`` elsewhere.

    Args:
        mask: what to keep; of the input's shape, or one that broadcasts to it to drop whole channels.
        p: the probability (below 1) with which elements were dropped.

    Example:
        >>> dropout_mask(jnp.array([1.0, 2.0]), jnp.array([True, False]), 0.5)
        Array([2., 0.], dtype=float32)
    """
    kept = as_array(1 - p, jnp.float32 if is_half(input) else input.dtype)
    scale = (1 / kept).astype(input.dtype)
    return input * jnp.where(mask.astype(bool), scale, jnp.zeros((), input.dtype))


def alpha_dropout_mask(input: Array, mask: Array, p: Scalar) -> Array:
    """``a * x + b`` where `mask` is true, ``b - a * 1.758...`` elsewhere.

    The dropped elements take SELU's lower limit; `a` and `b` restore mean 0 and variance 1.

    Args:
        mask: what to keep, as in `dropout_mask`.
        p: the probability (below 1) with which elements were dropped.

    Example:
        >>> alpha_dropout_mask(jnp.array([1.0, 1.0]), jnp.array([True, False]), 0.0)
        Array([ 1.       , -1.7580993], dtype=float32)
    """
    q = as_array(p, jnp.float64)  # PyTorch computes the two constants in double
    a = 1 / jnp.sqrt((SELU_LIMIT**2 * q + 1) * (1 - q))
    kept = mask.astype(bool)
    shift = jnp.where(kept, SELU_LIMIT * a * q, SELU_LIMIT * a * (q - 1)).astype(input.dtype)
    return input * jnp.where(kept, a.astype(input.dtype), jnp.zeros((), input.dtype)) + shift
