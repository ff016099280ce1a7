"""Linear algebra under its older names in `torch`: `cholesky`, `svd`, `qr`, `triangular_solve`, `logdet`, ...

Most equal a function of `torch.linalg`, with other argument orders and result tuples.
See https://docs.pytorch.org/docs/stable/torch.html#blas-and-lapack-operations.
"""

from __future__ import annotations

import jax.numpy as jnp

from funcgrad import _return_types
from funcgrad._errors import broadcast_shapes, check_dtype
from funcgrad.ops import cholesky as _cholesky
from funcgrad.ops import linalg as _linalg
from funcgrad.ops import lu as _lu
from funcgrad.ops import qr as _qr
from funcgrad.ops import solve as _solve
from funcgrad.ops import svd as _svd
from funcgrad.ops._marks import raises_for_values
from funcgrad.ops._matrix_checks import adjoint, check_square
from funcgrad.ops._number import Array, Scalar, dtype_of

det = _lu.det
lu_unpack = _lu.lu_unpack
inverse = _solve.inverse
matrix_exp = _linalg.matrix_exp
matrix_power = _linalg.matrix_power
cholesky_inverse = _cholesky.cholesky_inverse
cholesky_solve = _cholesky.cholesky_solve
geqrf = _qr.geqrf
orgqr = _qr.orgqr
ormqr = _qr.ormqr


def _cholesky_with_info(input: Array, upper: bool = False) -> tuple[Array, Array]:
    if not input.size and input.ndim >= 2:
        return input, jnp.zeros(input.shape[:-2], jnp.int32)
    check_square("cholesky", input)
    check_dtype("cholesky_cpu", dtype_of(input), "fc")
    return _cholesky.factor(input, upper)


@raises_for_values(_cholesky_with_info, _lu.complain_about("cholesky", _cholesky.NOT_POSITIVE))
def cholesky(input: Array, upper: bool = False) -> Array:
    """As `torch.linalg.cholesky`."""
    return _cholesky_with_info(input, upper)[0]


def slogdet(input: Array) -> tuple[Array, Array]:
    """As `torch.linalg.slogdet`."""
    return _return_types.slogdet(*_lu.slogdet(input))


def logdet(input: Array) -> Array:
    """Logarithm of the determinant: minus infinity where it is zero, NaN where it is negative."""
    sign, logabsdet = _lu.slogdet(input, "logdet")
    if jnp.iscomplexobj(input):
        return jnp.log(sign) + logabsdet
    return jnp.where(sign == -1, jnp.asarray(jnp.nan, logabsdet.dtype), logabsdet)


def pinverse(input: Array, rcond: Scalar = 1e-15) -> Array:
    """As `torch.linalg.pinv`, with another default tolerance."""
    return _svd.pinv(input, rcond)


def svd(input: Array, some: bool = True, compute_uv: bool = True) -> tuple[Array, Array, Array]:
    """``A = U diag(S) V^H``, reduced if `some`; with zeros for U and V unless `compute_uv`."""
    if input.ndim < 2:
        raise RuntimeError(
            f"linalg.svd: input should have at least 2 dimensions, but has {input.ndim} dimensions instead"
        )
    if not compute_uv:
        values = _svd.svdvals(input)
        U, V = (jnp.zeros((*input.shape[:-2], n, n), input.dtype) for n in input.shape[-2:])
        return _return_types.svd(U, values, V)
    U, S, Vh = _svd.svd(input, full_matrices=not some)
    return _return_types.svd(U, S, adjoint(Vh))


def qr(input: Array, some: bool = True) -> tuple[Array, Array]:
    """As `torch.linalg.qr`, reduced if `some`."""
    return _return_types.qr(*_qr.qr(input, "reduced" if some else "complete"))


def lu(A: Array, pivot: bool = True, get_infos: bool = False):
    """Packed LU factors and pivots as `torch.linalg.lu_factor` gives, with no error for zero pivots; `info` too if asked."""
    factors = _lu.lu_factor_ex(A, pivot=pivot)
    return factors if get_infos else (factors.LU, factors.pivots)


def lu_solve(b: Array, LU_data: Array, LU_pivots: Array) -> Array:
    """X of ``A X = b`` given the factors of A."""
    return _lu.lu_solve(LU_data, LU_pivots, b)


def triangular_solve(
    b: Array, A: Array, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> tuple[Array, Array]:
    """X of ``A X = b`` (``A^T X = b``) for triangular A, and A itself, expanded to the common batch shape."""
    for name, x in (("b", b), ("A", A)):
        if x.ndim < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {name} to have at least 2 dimensions, but it has {x.ndim} "
                "dimensions instead"
            )
    _cholesky.check_same_solve("triangular_solve", b, A)
    check_dtype("triangular_solve_cpu", dtype_of(A), "fc")
    batch = broadcast_shapes(b.shape[:-2], A.shape[:-2])
    # The transpose of conj(A) in adjoint form: no conjugation.
    matrix = jnp.conj(A) if transpose and jnp.iscomplexobj(A) else A
    solution = _solve.triangular(matrix, b, upper=upper, unitriangular=unitriangular, adjoint=transpose)
    return _return_types.triangular_solve(solution, jnp.broadcast_to(A, (*batch, *A.shape[-2:])))


def vander(x: Array, N: int | None = None, increasing: bool = False) -> Array:
    """The powers of a vector's elements as columns, descending unless `increasing`."""
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = x.shape[0] if N is None else N
    if n < 0:
        raise RuntimeError("N must be non-negative.")
    columns = _linalg.powers(x, n)
    return columns if increasing else jnp.flip(columns, -1)
