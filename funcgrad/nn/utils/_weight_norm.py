"""The arithmetic of weight normalisation."""

from __future__ import annotations

from funcgrad import _operators
from funcgrad._tensor import Tensor


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The norm over every dimension but one, which stays (the others get size one); over all of them if `dim` is -1."""
    if dim == -1:
        return _operators.call("linalg.vector_norm", v, pow)
    others = [d for d in range(v.dim()) if d != dim]
    return _operators.call("linalg.vector_norm", v, pow, others, True) if others else v.abs()


def weight_from(g: Tensor, v: Tensor, dim: int) -> Tensor:
    """``g * v / |v|``, the norm as of `norm_except_dim`."""
    return v * (g / norm_except_dim(v, 2, dim))
