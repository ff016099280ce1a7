"""What remains of `torch.linalg`: powers and exponentials of matrices, products and diagonals.

See https://docs.pytorch.org/docs/stable/linalg.html.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import broadcast_shapes, wrap_dim
from funcgrad.ops import _loops
from funcgrad.ops._marks import raises_for_values, view
from funcgrad.ops._matrix_checks import check_float_or_complex, check_square, scalar_name
from funcgrad.ops._number import Array, dtype_of
from funcgrad.ops.linalg_basic import _dot, linalg_cross, matmul, multi_dot, wide_type
from funcgrad.ops.lu import complain_about
from funcgrad.ops.solve import NO_INVERSE, inv_ex

__all__ = ["cross", "diagonal", "matmul", "matrix_exp", "matrix_power", "multi_dot", "vander", "vecdot"]

cross = linalg_cross


@view
def diagonal(A: Array, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Array:
    """The diagonals of the matrices in two dimensions, as the last dimension."""
    first, second = wrap_dim(dim1, A.ndim), wrap_dim(dim2, A.ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return jnp.diagonal(A, offset, first, second)


def vecdot(x: Array, y: Array, *, dim: int = -1) -> Array:
    """``sum(conj(x) * y)`` along a dimension."""
    check_float_or_complex("linalg.vecdot", x, allow_low_precision=True)
    if x.dtype != y.dtype:
        raise RuntimeError(
            f"linalg.vecdot: Expected x and y to have the same dtype, but found x of type {scalar_name(x)} and y of "
            f"type {scalar_name(y)} instead"
        )
    x = jnp.conj(x) if jnp.iscomplexobj(x) else x
    if x.ndim == 1 and y.ndim == 1:
        return _dot(x, y, "vdot")
    axis = wrap_dim(dim, max(x.ndim, y.ndim))
    broadcast_shapes(x.shape, y.shape)
    product = x.astype(wide_type(x)) * y.astype(wide_type(y))
    return (jnp.sum(product, axis=axis) if product.ndim else product).astype(y.dtype)


def vander(x: Array, N: int | None = None) -> Array:
    """The powers 0 to ``N - 1`` of each element, along a new last dimension; N is the last size by default."""
    d = dtype_of(x)
    if d.category == _dtypes.BOOL or (d.is_floating_point and d.itemsize == 2):
        raise RuntimeError(
            f"linalg.vander supports floating point, complex, and integer tensors, but got {d.scalar_name}"
        )
    x = x if x.ndim else x[None]
    n = x.shape[-1] if N is None else N
    if n <= 1:
        raise RuntimeError("N must be greater than 1.")
    x = x.astype(jnp.int64) if d.category == _dtypes.INTEGER else x
    return powers(x, n)


def powers(x: Array, n: int) -> Array:
    """The powers 0 to ``n - 1`` of each element, along a new last dimension, as running products."""
    ones = jnp.ones((*x.shape, 1), x.dtype)
    if n <= 1:
        return ones[..., :n]
    repeated = jnp.broadcast_to(x[..., None], (*x.shape, n - 1))
    return jnp.concatenate([ones, jnp.cumprod(repeated, axis=-1)], axis=-1)


# -- powers and exponentials ------------------------------------------------------------------------------------------


def _power_with_info(A: Array, n: int) -> tuple[Array, Array]:
    if not isinstance(n, int):
        raise TypeError(f"linalg_matrix_power(): argument 'n' (position 2) must be int, not {type(n).__name__}")
    check_square("linalg.matrix_power", A)
    info = jnp.zeros(A.shape[:-2], jnp.int32)
    if n == 0:
        return jnp.broadcast_to(jnp.eye(A.shape[-1], dtype=A.dtype), A.shape), info
    if n < 0:
        A, info = inv_ex(A)
        n = -n
    out = None
    while n:
        if n & 1:
            out = A if out is None else matmul(out, A)
        n >>= 1
        A = matmul(A, A) if n else A
    return out, info


@raises_for_values(_power_with_info, complain_about("linalg.inv", NO_INVERSE))
def matrix_power(A: Array, n: int) -> Array:
    """A multiplied by itself n times; for negative n its inverse.

    Example:
        >>> matrix_power(jnp.array([[1, 1], [1, 0]]), 10)[0, 1]
        Array(55, dtype=int32)
    """
    return _power_with_info(A, n)[0]


def matrix_exp(A: Array) -> Array:
    """``sum_k A^k / k!`` for each square matrix of a batch."""
    check_square("linalg.matrix_exp", A)
    check_float_or_complex("linalg.matrix_exp", A, allow_low_precision=True)
    if not A.size:
        return A
    return _expm(A.astype(wide_type(A))).astype(A.dtype)


# The [13/13] Pade approximant of exp, b_k = (26 - k)! 13! / (26! k! (13 - k)!) scaled to whole numbers.
_PADE = [
    64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
    670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
]  # fmt: skip
_PADE_RADIUS = 4.25  # the approximant is exact to double precision for 1-norms below 5.37
_MOST_SQUARINGS = 32


def _expm(A: Array) -> Array:
    """Scaling and squaring: exp(A) = exp(A / 2^s)^(2^s), s from the 1-norm of each matrix.

    The loop over squarings has a fixed length so that it can be differentiated in reverse.
    """
    norm = lax.stop_gradient(jnp.max(jnp.sum(jnp.abs(A), axis=-2), axis=-1))
    s = jnp.clip(jnp.ceil(jnp.log2(norm / _PADE_RADIUS)), 0, _MOST_SQUARINGS)
    s = jnp.where(jnp.isfinite(s), s, 0)[..., None, None]
    X = A * jnp.exp2(-s).astype(A.dtype)
    b = np.array(_PADE, np.float64) / _PADE[0]
    eye = jnp.eye(A.shape[-1], dtype=A.dtype)
    X2 = X @ X
    X4 = X2 @ X2
    X6 = X2 @ X4

    def half(start: int) -> Array:
        """The sum of b[start + 2 k] X^(2 k), k = 0 .. 6."""
        c = [jnp.asarray(v, A.dtype) for v in b[start::2]]
        return X6 @ (X6 * c[6] + X4 * c[5] + X2 * c[4]) + X6 * c[3] + X4 * c[2] + X2 * c[1] + eye * c[0]

    U, V = X @ half(1), half(0)
    R = jnp.linalg.solve(V - U, V + U)
    deepest = jnp.max(s)

    def square(i, R):
        return lax.cond(i < deepest, lambda R: jnp.where(i < s, R @ R, R), lambda R: R, R)

    return _loops.fori_loop(0, _MOST_SQUARINGS, square, R)
