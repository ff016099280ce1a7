"""Muon as PyTorch has it."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from funcgrad.optim._optax import GradientTransformation, cast, per_parameter


def orthogonal_momentum(decay, nesterov, coefficients, eps, steps, adjust) -> GradientTransformation:
    r""":math:`b \leftarrow \mu b + (1 - \mu) g`, made orthogonal, and scaled by the matrix's shape.

    ``optax.contrib.muon`` corrects the momentum's bias, iterates in the parameter's dtype (PyTorch in bfloat16), adds
    its epsilon to the norm (PyTorch takes the larger), and steps parameters that are no matrices by AdamW.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Muon.html
    """

    def update(g, p, t, b):
        b = b + (1 - decay) * (g - b)
        direction = g + decay * (b - g) if nesterov else b
        return orthogonal(direction, coefficients, eps, steps).astype(g.dtype) * _scale(g.shape, adjust), b

    return per_parameter(update, momentum_buffer=0)


def orthogonal(x, coefficients, eps, steps: int):
    """The nearest orthogonal matrix, roughly: Newton-Schulz iterations in bfloat16, as PyTorch rounds them."""
    wide = [cast(c, jnp.float32) for c in coefficients]
    tall = x.shape[0] > x.shape[1]
    x = _rounded(x.T if tall else x)
    norm = _rounded(jnp.sqrt(jnp.sum(jnp.square(x.astype(jnp.float32)))))
    x = _rounded(x.astype(jnp.float32) / jnp.maximum(norm, cast(eps, jnp.bfloat16)).astype(jnp.float32))
    for _ in range(steps):
        gram = _rounded(_dot(x, x.T))
        polynomial = _rounded(wide[1] * gram.astype(jnp.float32) + wide[2] * _dot(gram, gram))
        x = _rounded(wide[0] * x.astype(jnp.float32) + _dot(polynomial, x))
    return x.T if tall else x


def _rounded(x):
    return x.astype(jnp.bfloat16)


def _dot(a, b):
    return jax.lax.dot(a, b, preferred_element_type=jnp.float32)


def _scale(shape, adjust: str | None) -> float:
    rows, columns = shape
    if adjust == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / columns)) if adjust in (None, "original") else 1.0
