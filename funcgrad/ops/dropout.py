"""What dropout computes once its mask is drawn. The masks come from outside (`funcgrad._draws`), True where kept.

Source: https://docs.pytorch.org/docs/stable/nn.functional.html#dropout-functions
"""

from __future__ import annotations

import math

import jax.numpy as jnp

from funcgrad import _dtypes, _errors
from funcgrad.ops._elementwise import HALVES
from funcgrad.ops._number import Array, Scalar, as_array, cast

SELU_SATURATION = 1.7580993408473766  # minus the value SELU approaches at minus infinity


def _check(input: Array) -> _dtypes.dtype:
    d = _dtypes.to_dtype(input.dtype)
    if d.category < _dtypes.FLOATING:
        raise RuntimeError(f"result type Float can't be cast to the desired output type {d.scalar_name}")
    return d


def _wide(d: _dtypes.dtype) -> _dtypes.dtype:
    return _dtypes.float32 if d in HALVES else d


def dropout_mask(input: Array, mask: Array, p: Scalar = 0.5) -> Array:
    """``x * mask / (1 - p)``; `mask` broadcasts, so that one with sizes of 1 drops whole channels.

    Example:
        >>> dropout_mask(jnp.array([1.0, 2.0]), jnp.array([True, False]), 0.5)
        Array([2., 0.], dtype=float32)
    """
    d = _check(input)
    wide = _wide(d)
    scale = cast(jnp.ones((), wide.numpy) / as_array(1 - p, wide), d)
    # A product, not a choice: PyTorch's dropped infinities and NaNs are NaN.
    return input * jnp.where(mask, scale, jnp.zeros((), d.numpy))


def alpha_dropout_mask(input: Array, mask: Array, p: float = 0.5) -> Array:
    """``a * (x * mask - s * (1 - mask)) + a * s * p``, which keeps mean and variance of SELU's activations.

    Here ``s`` is SELU's saturation and ``a = ((1 - p) * (1 + p * s^2)) ** -0.5``.

    Example:
        >>> alpha_dropout_mask(jnp.zeros(2), jnp.array([True, False]), 0.5)
        Array([ 0.7791939, -0.7791939], dtype=float32)
    """
    d = _dtypes.to_dtype(input.dtype)
    if d.category < _dtypes.FLOATING:
        raise _errors.unsupported("torch.nn.functional.alpha_dropout", f"of {d}")
    wide = _wide(d)
    a = 1.0 / math.sqrt((SELU_SATURATION**2 * p + 1) * (1 - p))

    def constant(value: float) -> Array:
        return cast(jnp.asarray(value, wide.numpy), d)

    shift = jnp.where(mask, constant(SELU_SATURATION * a * p), constant(SELU_SATURATION * a * (p - 1)))
    return input * jnp.where(mask, constant(a), jnp.zeros((), d.numpy)) + shift
