"""Distances and similarities of pairs of vectors, and scaling to unit norm.

Source: https://docs.pytorch.org/docs/stable/nn.functional.html#distance-functions
"""

from __future__ import annotations

import jax.numpy as jnp

from funcgrad import _dtypes, _errors
from funcgrad.ops import _number
from funcgrad.ops._elementwise import HALVES, derivatives
from funcgrad.ops._number import Array, Scalar, as_array, broadcast, cast, promote
from funcgrad.ops.arithmetic import _refuse_bool
from funcgrad.ops.norms import vector_norm


def difference(x1: Array, x2: Array) -> tuple[Array, _dtypes.dtype]:
    """``x1 - x2`` in their common dtype (float32 if that is a half), and the common dtype."""
    _errors.broadcast_shapes(x1.shape, x2.shape)
    _refuse_bool(x1, x2)
    d = _number.result_type(x1, x2)
    a, b = broadcast(*promote(x1, x2))
    if d in HALVES:
        a, b = cast(a, _dtypes.float32), cast(b, _dtypes.float32)
    return a - b, d


def pairwise_distance(x1: Array, x2: Array, p: float = 2.0, eps: Scalar = 1e-6, keepdim: bool = False) -> Array:
    """The p-norm of ``x1 - x2 + eps`` over the last dimension.

    Shape:
        x1, x2: (*, D), broadcast against each other. Result: (*), or (*, 1) if `keepdim`.

    Example:
        >>> pairwise_distance(jnp.array([[0.0, 0.0]]), jnp.array([[3.0, 4.0]]), eps=0.0)
        Array([5.], dtype=float32)
    """
    delta, d = difference(x1, x2)
    if d.category < _dtypes.FLOATING:
        d = _dtypes.default_dtype()
        delta = cast(delta, d)
    return cast(vector_norm(delta + as_array(eps, delta.dtype), p, max(delta.ndim, 1) - 1, keepdim), d.to_real())


@derivatives(lambda y, norm, eps: jnp.ones_like(norm), None)
def _at_least(norm: Array, eps: Array) -> Array:
    """``max(norm, eps)``, with the derivative of `norm` throughout, as PyTorch's cosine has it."""
    return jnp.maximum(norm, eps)


def cosine_similarity(x1: Array, x2: Array, dim: int = 1, eps: float = 1e-8) -> Array:
    """``x1 . x2 / (max(|x1|, eps) * max(|x2|, eps))`` along `dim`.

    Raises:
        RuntimeError: no operand is floating-point, the shapes do not broadcast, or `eps` is negative.

    Example:
        >>> cosine_similarity(jnp.array([1.0, 0.0]), jnp.array([1.0, 0.0]), dim=0)
        Array(1., dtype=float32)
    """
    d = _number.result_type(x1, x2)
    if not d.is_floating_point:
        raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {d.scalar_name}")
    if eps < 0:
        raise RuntimeError(f"eps must be non-negative, got: {eps:g}")
    a, b = broadcast(*promote(x1, x2))
    axis = _errors.wrap_dim(dim, a.ndim)
    if d in HALVES:
        a, b = cast(a, _dtypes.float32), cast(b, _dtypes.float32)
    if a.ndim == 0:
        a, b = a[None], b[None]
    limit = as_array(eps, a.dtype)
    a, b = (x / _at_least(vector_norm(x, 2, axis, keepdim=True), limit) for x in (a, b))
    return cast(jnp.sum(a * b, axis), d)


def normalize(input: Array, p: float = 2.0, dim: int = 1, eps: Scalar = 1e-12) -> Array:
    """``x / max(|x|_p, eps)`` with the p-norm along `dim` (one dimension or several).

    Example:
        >>> normalize(jnp.array([[3.0, 4.0]]))
        Array([[0.6, 0.8]], dtype=float32)
    """
    d = _dtypes.to_dtype(input.dtype)
    x = cast(input, _dtypes.float32) if d in HALVES else input
    norm = vector_norm(x, 2 if p == "fro" else p, dim, keepdim=True)
    limit = as_array(eps, norm.dtype)
    return cast(x / jnp.where(norm >= limit, norm, limit), d)
