"""Norms under their older names, and slices scaled to a largest norm.

See https://docs.pytorch.org/docs/stable/generated/torch.renorm.html
"""

from __future__ import annotations

import jax.numpy as jnp

from funcgrad import _dtypes, _errors
from funcgrad.ops._number import Array, cast, dtype_of
from funcgrad.ops.norms import matrix_norm, vector_norm


def renorm(input: Array, p, dim: int, maxnorm) -> Array:
    """Slices along `dim` whose `p`-norm exceeds `maxnorm`, scaled down to it.

    Example:
        >>> torch.renorm(torch.tensor([[3., 4.], [0., 1.]]), 2, 0, 1)
        tensor([[0.6000, 0.8000],
                [0.0000, 1.0000]])
    """
    if isinstance(p, complex):
        raise RuntimeError("renorm: p must be real-valued")
    if not p > 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if isinstance(maxnorm, complex):
        raise RuntimeError("renorm: maxnorm must be real-valued")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {float(maxnorm):g}")
    if input.ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions")
    axis = _errors.wrap_dim(dim, input.ndim)
    d = dtype_of(input)
    if d.category < _dtypes.FLOATING:
        raise RuntimeError(
            f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {d.scalar_name}"
        )
    wide = cast(input, _dtypes.float32) if d.itemsize == 2 else input
    size = vector_norm(wide, p, [i for i in range(input.ndim) if i != axis], True)
    limit = jnp.asarray(maxnorm, size.dtype)
    factor = jnp.where(size > limit, limit / (size + jnp.asarray(1e-7, size.dtype)), jnp.asarray(1, size.dtype))
    return cast(wide * factor.astype(wide.dtype), d)


def frobenius_norm(input: Array, dim=(), keepdim=False) -> Array:
    """The square root of the sum of squares over `dim`, or all dimensions.

    Example:
        >>> torch.frobenius_norm(torch.tensor([3., 4.]), 0)
        tensor(5.)
    """
    return vector_norm(input, 2, [dim] if isinstance(dim, int) else dim, keepdim)


def nuclear_norm(input: Array, dim=(0, 1), keepdim=False) -> Array:
    """The sum of a matrix's singular values; ``nuclear_norm(input, keepdim)`` too.

    Example:
        >>> torch.nuclear_norm(torch.tensor([[3., 0.], [0., 4.]]))
        tensor(7.)
    """
    if isinstance(dim, bool):
        dim, keepdim = (0, 1), dim
    return matrix_norm(input, "nuc", dim, keepdim)


def norm_except_dim(v: Array, pow=2, dim=0) -> Array:
    """The norm of each slice along `dim`, the other dimensions kept with size 1; of everything if `dim` is -1.

    Example:
        >>> torch.norm_except_dim(torch.tensor([[3., 4.], [6., 8.]]))
        tensor([[ 5.],
                [10.]])
    """
    if dim == -1:
        return vector_norm(v, pow)
    return vector_norm(v, pow, [i for i in range(v.ndim) if i != dim], True)
