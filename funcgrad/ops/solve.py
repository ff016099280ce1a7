"""Linear systems: `torch.linalg.solve`, `inv`, `solve_triangular`, `lstsq`, `tensorsolve`, `tensorinv`.

See https://docs.pytorch.org/docs/stable/linalg.html#solvers.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import broadcast_shapes, check_dtype, wrap_dim
from funcgrad._return_types import linalg_inv_ex, linalg_lstsq, linalg_solve_ex
from funcgrad.ops._marks import checked_if_asked, raises_for_values
from funcgrad.ops._matrix_checks import adjoint, check_float_or_complex, check_square, scalar_name
from funcgrad.ops._number import Array, Scalar, as_array, dtype_of
from funcgrad.ops.lu import check_solvable, complain_about, factor, first_zero, solve_factored
from funcgrad.ops.svd import pinv

_SINGULAR = "The solver failed because the input matrix is singular."
NO_INVERSE = (
    "The diagonal element {0} is zero, the inversion could not be completed because the input matrix is singular."
)

# -- square systems ---------------------------------------------------------------------------------------------------


@checked_if_asked(complain_about("torch.linalg.solve_ex", _SINGULAR))
def solve_ex(A: Array, B: Array, *, left: bool = True, check_errors: bool = False) -> tuple[Array, Array]:
    """As `solve`, with `info`: the position of the first zero on the diagonal of A's factor U, or 0."""
    return linalg_solve_ex(*_solve(A, B, left=left))


def _solve(A: Array, B: Array, *, left: bool = True) -> tuple[Array, Array]:
    _check_solve(A, B)
    is_vector = B.ndim == 1 or (A.ndim - 1 == B.ndim and B.shape == A.shape[:-1])
    columns = B[..., None] if is_vector else B
    check_solvable("linalg.solve", A, columns, left)
    batch = broadcast_shapes(columns.shape[:-2], A.shape[:-2])
    columns = jnp.broadcast_to(columns, (*batch, *columns.shape[-2:]))
    packed, permutation = _stopped_factor(A)
    info = first_zero(jnp.diagonal(packed, axis1=-2, axis2=-1))
    out = _solve_with(A, packed, permutation, columns, left)
    return (out[..., 0] if is_vector else out), info


def _check_solve(A: Array, B: Array) -> None:
    check_square("linalg.solve", A)
    if dtype_of(A).category < _dtypes.FLOATING:
        check_float_or_complex("linalg.solve", A)
    if A.dtype != B.dtype:
        raise RuntimeError(
            "linalg.solve: Expected A and B to have the same dtype, but found A of type "
            f"{scalar_name(A)} and B of type {scalar_name(B)} instead"
        )
    check_dtype("lu_cpu", dtype_of(A), "fc")
    if B.ndim == 0:
        raise RuntimeError("linalg.solve: The input tensor B must have at least 2 dimensions.")


def _stopped_factor(A: Array) -> tuple[Array, Array]:
    packed, _, permutation = factor(lax.stop_gradient(A))
    return packed, permutation


def _solve_with(A: Array, packed: Array, permutation: Array, B: Array, left: bool = True) -> Array:
    """The solution by A's factors, its derivatives of any order by the same factors."""
    batch = B.shape[:-2]
    A = jnp.broadcast_to(A, (*batch, *A.shape[-2:]))
    packed = jnp.broadcast_to(packed, A.shape)
    permutation = jnp.broadcast_to(permutation, A.shape[:-1])
    flip = (lambda x: x) if left else adjoint

    def apply(x):
        return A @ x if left else x @ A

    # custom_linear_solve transposes, where `adjoint` also conjugates.
    def solve_transposed(_, b):
        return jnp.conj(flip(solve_factored(packed, permutation, flip(jnp.conj(b)), left)))

    def solve_plain(_, b):
        return flip(solve_factored(packed, permutation, flip(b), not left))

    return lax.custom_linear_solve(apply, B, solve_plain, transpose_solve=solve_transposed)


@raises_for_values(_solve, complain_about("torch.linalg.solve", _SINGULAR))
def solve(A: Array, B: Array, *, left: bool = True) -> Array:
    """X of ``A X = B``, or of ``X A = B`` unless `left`.

    Shape: ``[*, n, n], [*, n, k] -> [*, n, k]``; `B` is a batch of vectors if it has shape [n] or A's without the last
    dimension.

    Example:
        >>> solve(jnp.diag(jnp.array([2.0, 4.0])), jnp.ones(2))
        Array([0.5 , 0.25], dtype=float32)
    """
    return _solve(A, B, left=left)[0]


@checked_if_asked(complain_about("linalg.inv_ex", NO_INVERSE))
def inv_ex(A: Array, *, check_errors: bool = False) -> tuple[Array, Array]:
    """As `inv`, with `info`: the position of the first zero on the diagonal of A's factor U, or 0."""
    return linalg_inv_ex(*_inv(A))


def _inv(A: Array) -> tuple[Array, Array]:
    check_square("linalg.inv", A)
    check_float_or_complex("linalg.inv", A)
    packed, permutation = _stopped_factor(A)
    return _inverse(A, packed, permutation), first_zero(jnp.diagonal(packed, axis1=-2, axis2=-1))


@jax.custom_jvp
def _inverse(A: Array, packed: Array, permutation: Array) -> Array:
    eye = jnp.broadcast_to(jnp.eye(A.shape[-1], dtype=A.dtype), A.shape)
    return solve_factored(packed, permutation, eye)


@_inverse.defjvp
def _inverse_jvp(primals, tangents):
    X = _inverse(*primals)
    return X, -(X @ tangents[0] @ X)


@raises_for_values(_inv, complain_about("linalg.inv", NO_INVERSE))
def inv(A: Array) -> Array:
    """The inverse of each square matrix of a batch.

    Raises:
        RuntimeError: the matrices are not square, or of an integer or 16-bit dtype.
    """
    return _inv(A)[0]


inverse = inv


# -- tensors as matrices ----------------------------------------------------------------------------------------------


def _tensorinv(A: Array, ind: int = 2) -> tuple[Array, Array]:
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    if ind > A.ndim:
        raise RuntimeError(f"ArrayRef: invalid slice, N = {ind}; size = {A.ndim}")
    first, last = A.shape[:ind], A.shape[ind:]
    n, m = math.prod(first), math.prod(last)
    if n != m:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), "
            f"but got {m} != {n}"
        )
    out, info = _inv(A.reshape(n, n))
    return out.reshape(last + first), info


@raises_for_values(_tensorinv, complain_about("inv", NO_INVERSE))
def tensorinv(A: Array, ind: int = 2) -> Array:
    """The inverse of `A` as a linear map from its last dimensions (from `ind` on) to its first ones."""
    return _tensorinv(A, ind)[0]


def _tensorsolve(A: Array, B: Array, dims=None) -> tuple[Array, Array]:
    if dims is not None:
        moved = [wrap_dim(d, A.ndim) for d in dims]
        A = jnp.transpose(A, [d for d in range(A.ndim) if d not in moved] + moved)
    shape = A.shape[B.ndim :]
    n, m = math.prod(shape), B.size
    if n != m:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), "
            f"but got {n} != {m}"
        )
    out, info = _solve(A.reshape(n, n), B.reshape(-1))
    return out.reshape(shape), info


@raises_for_values(_tensorsolve, complain_about("torch.linalg.solve", _SINGULAR))
def tensorsolve(A: Array, B: Array, dims=None) -> Array:
    """X with ``tensordot(A, X) == B``, after the dimensions `dims` of `A` were moved to its end."""
    return _tensorsolve(A, B, dims)[0]


# -- triangular systems -----------------------------------------------------------------------------------------------


def solve_triangular(A: Array, B: Array, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Array:
    """X of ``A X = B`` (``X A = B`` unless `left`) for triangular `A`, of which only one triangle is read."""
    check_square("linalg.solve_triangular", A)
    check_solvable("linalg.solve_triangular", A, B, left)
    check_dtype("triangular_solve_cpu", dtype_of(A), "fc")
    return triangular(A, B.astype(A.dtype), upper=upper, left=left, unitriangular=unitriangular)


def triangular(A: Array, B: Array, *, upper: bool, left: bool = True, unitriangular=False, adjoint=False) -> Array:
    """`solve_triangular` without its checks; with ``A^H`` if `adjoint`."""
    batch = broadcast_shapes(B.shape[:-2], A.shape[:-2])
    A = jnp.broadcast_to(A, (*batch, *A.shape[-2:]))
    B = jnp.broadcast_to(B, (*batch, *B.shape[-2:]))
    if not B.size:
        return B
    return lax.linalg.triangular_solve(
        A,
        B,
        left_side=left,
        lower=not upper,
        unit_diagonal=unitriangular,
        transpose_a=adjoint,
        conjugate_a=adjoint,
    )


# -- least squares ----------------------------------------------------------------------------------------------------

_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


def lstsq(A: Array, B: Array, rcond: Scalar | None = None, *, driver: str | None = None):
    """X that minimizes ``|A X - B|``, of least norm; residuals, rank and singular values, those that `driver` gives.

    Args:
        rcond: singular values up to this times the largest count as zero; by default the dtype's epsilon times the
            larger dimension. The driver ``"gels"`` takes the rank to be full.
        driver: ``"gelsy"`` (the default), ``"gels"``, ``"gelsd"`` or ``"gelss"``: which results are empty is PyTorch's
            choice for that LAPACK routine; all are computed by the singular value decomposition.
    """
    is_vector = _check_lstsq(A, B, driver)
    driver = driver or "gelsy"
    columns = B[..., None] if is_vector else B
    # PyTorch takes the batch shape of B by the number of dimensions of A.
    batch = broadcast_shapes(A.shape[:-2], columns.shape[: A.ndim - 2])
    m, n = A.shape[-2:]
    real = dtype_of(A).to_real().numpy
    tolerance = float(jnp.finfo(real).eps) * max(m, n) if rcond is None else rcond
    values = _values(A)
    empty = jnp.zeros((0,), real)
    solution = pinv(A, rtol=0.0 if driver == "gels" else tolerance) @ columns
    solution = jnp.broadcast_to(solution, (*batch, n, columns.shape[-1]))
    residuals = empty
    if m > n and driver != "gelsy" and A.size:
        residuals = jnp.sum(jnp.square(jnp.abs(A @ solution - columns)), axis=-2)
    largest = jnp.max(values, axis=-1, keepdims=True, initial=0)
    rank = jnp.sum(values > as_array(tolerance, real) * largest, axis=-1, dtype=jnp.int64)
    return linalg_lstsq(
        solution[..., 0] if is_vector else solution,
        residuals,
        jnp.zeros((0,), jnp.int64) if driver == "gels" else rank,
        values if driver in ("gelsd", "gelss") else empty,
    )


def _values(A: Array) -> Array:
    A = lax.stop_gradient(A)
    if not A.size:
        return jnp.zeros((*A.shape[:-2], min(A.shape[-2:])), dtype_of(A).to_real().numpy)
    return lax.linalg.svd(A, full_matrices=False, compute_uv=False)


def _check_lstsq(A: Array, B: Array, driver: str | None) -> bool:
    """Whether `B` is a batch of vectors."""
    name = "torch.linalg.lstsq"
    if A.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if B.ndim < 1:
        raise RuntimeError(f"{name}: other must have at least 1 dimension.")
    if A.dtype != B.dtype:
        raise RuntimeError(
            f"{name}: Expected input and other to have the same dtype, but got input's dtype {scalar_name(A)} and "
            f"other's dtype {scalar_name(B)}"
        )
    if not 0 <= A.ndim - B.ndim <= 1:
        raise RuntimeError(
            f"{name}: input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) <= 1"
        )
    is_vector = A.ndim - 1 == B.ndim and A.shape[:-1] == B.shape
    if A.shape[-2] != (B.shape[-1] if is_vector else B.shape[-2] if B.ndim > 1 else None):
        other = "other.size(-1)" if is_vector or B.ndim == 1 else "other.size(-2)"
        raise RuntimeError(f"{name}: input.size(-2) should match {other}")
    if driver is not None and driver not in _DRIVERS:
        raise RuntimeError(f"{name}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)")
    if dtype_of(A).category < _dtypes.FLOATING or dtype_of(A).itemsize == 2:
        raise RuntimeError("This function doesn't handle types other than float and double")
    return is_vector
