"""LU factors and what rests on them: `torch.linalg.lu`, `lu_factor`, `lu_solve`, `det`, `slogdet`, `torch.lu_unpack`.

See https://docs.pytorch.org/docs/stable/linalg.html#matrix-decompositions.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import LinAlgError, broadcast_shapes, check_dtype
from funcgrad._return_types import linalg_lu, linalg_lu_factor, linalg_lu_factor_ex, linalg_slogdet
from funcgrad._return_types import lu_unpack as _unpacked
from funcgrad.ops._marks import checked_if_asked, raises_for_values
from funcgrad.ops._matrix_checks import adjoint as conjugate_transpose
from funcgrad.ops._matrix_checks import check_float_or_complex, check_matrix, check_square, scalar_name, shape_list
from funcgrad.ops._number import Array, dtype_of

# -- values that PyTorch refuses --------------------------------------------------------------------------------------


def complain_about(name: str, problem: str, error: type = LinAlgError):
    """A function that raises for the first non-zero of an array `info`; `problem` may show it as ``{0}``."""

    def complain(info) -> None:
        info = np.asarray(info)
        if info.any():
            i = int(np.flatnonzero(info)[0])
            batch = f"(Batch element {i}): " if info.ndim else ""
            raise error(f"{name}: {batch}{problem.format(int(info.flat[i]))}")

    return complain


def first_zero(diagonal: Array) -> Array:
    """The position, counted from 1, of the first zero along the last dimension; 0 if there is none."""
    zero = diagonal == 0
    if not diagonal.shape[-1]:
        return jnp.zeros(diagonal.shape[:-1], jnp.int32)
    return jnp.where(zero.any(-1), jnp.argmax(zero, axis=-1) + 1, 0).astype(jnp.int32)


ZERO_PIVOT = (
    "U[{0},{0}] is zero and using it on lu_solve would result in a division by zero. If you still want to perform the "
    "factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
)

# -- factors ----------------------------------------------------------------------------------------------------------


def factor(A: Array) -> tuple[Array, Array, Array]:
    """The packed factors ``L \\ U``, the row swaps counted from 0, and the permutation they make."""
    if not A.size:
        batch, (m, n) = A.shape[:-2], A.shape[-2:]
        rows = jnp.broadcast_to(jnp.arange(m, dtype=jnp.int32), (*batch, m))
        return A, rows[..., : min(m, n)], rows
    return lax.linalg.lu(A)


def _check_lu(name: str, A: Array, pivot: bool) -> None:
    if A.ndim < 2:
        raise RuntimeError(f"{name}: Expected tensor with 2 or more dimensions. Got size: {shape_list(A)} instead")
    check_dtype("lu_cpu", dtype_of(A), "fc")
    if not pivot:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")


def lu(A: Array, *, pivot: bool = True) -> tuple[Array, Array, Array]:
    """``A = P L U`` with a permutation, a unit lower and an upper triangular matrix.

    Shape: for ``[*, m, n]`` and ``k = min(m, n)``: ``[*, m, m], [*, m, k], [*, k, n]``.
    """
    _check_lu("linalg.lu", A, pivot)
    packed, _, permutation = factor(A)
    return linalg_lu(_permutation_matrix(permutation, A.dtype), *_split(packed))


@checked_if_asked(complain_about("torch.linalg.lu_factor_ex", ZERO_PIVOT, RuntimeError))
def lu_factor_ex(A: Array, *, pivot: bool = True, check_errors: bool = False) -> tuple[Array, Array, Array]:
    """As `lu_factor`, with `info`: the position of U's first zero diagonal element, or 0."""
    _check_lu("torch.lu_factor", A, pivot)
    packed, pivots, _ = factor(A)
    return linalg_lu_factor_ex(packed, pivots + 1, first_zero(jnp.diagonal(packed, axis1=-2, axis2=-1)))


def _factor_with_info(A: Array, *, pivot: bool = True):
    packed, pivots, info = lu_factor_ex(A, pivot=pivot)
    return linalg_lu_factor(packed, pivots), info


@raises_for_values(_factor_with_info, complain_about("torch.linalg.lu_factor", ZERO_PIVOT, RuntimeError))
def lu_factor(A: Array, *, pivot: bool = True) -> tuple[Array, Array]:
    """L and U packed in one matrix, and int32 pivots: row i was swapped with row ``pivots[i]``, counted from 1."""
    return _factor_with_info(A, pivot=pivot)[0]


def _permutation_matrix(permutation: Array, dtype) -> Array:
    # Row permutation[i] of P L U is row i of L U.
    n = permutation.shape[-1]
    return (permutation[..., None, :] == jnp.arange(n, dtype=permutation.dtype)[:, None]).astype(dtype)


def _split(packed: Array) -> tuple[Array, Array]:
    m, n = packed.shape[-2:]
    k = min(m, n)
    L = jnp.tril(packed[..., :, :k], -1) + jnp.eye(m, k, dtype=packed.dtype)
    return L, jnp.triu(packed[..., :k, :])


def _unpack_with_info(LU_data: Array, LU_pivots: Array, unpack_data: bool = True, unpack_pivots: bool = True):
    outside = (LU_pivots < 1) | (LU_pivots > LU_data.shape[-2]) if LU_data.ndim > 1 else jnp.zeros((), bool)
    return lu_unpack(LU_data, LU_pivots, unpack_data, unpack_pivots), outside.any().astype(jnp.int32)


def _complain_about_pivots(info) -> None:
    if info:
        raise RuntimeError(
            "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive."
            "Did you properly pass the result of lu_factor?"
        )


@raises_for_values(_unpack_with_info, _complain_about_pivots)
def lu_unpack(LU_data: Array, LU_pivots: Array, unpack_data: bool = True, unpack_pivots: bool = True):
    """The matrices P, L, U of what `lu_factor` returned; an empty array for each that was not asked for."""
    if LU_data.ndim < 2:
        raise RuntimeError(
            f"torch.lu_unpack: Expected tensor with 2 or more dimensions. Got size: {shape_list(LU_data)} instead"
        )
    if unpack_pivots and LU_pivots.dtype != jnp.int32:
        raise RuntimeError("torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.")
    empty = jnp.zeros((0,), LU_data.dtype)
    L, U = _split(LU_data) if unpack_data else (empty, empty)
    P = _permutation_matrix(_permutation(LU_pivots, LU_data.shape[-2]), LU_data.dtype) if unpack_pivots else empty
    if unpack_pivots:
        P = jnp.broadcast_to(P, (*LU_data.shape[:-2], *P.shape[-2:]))
    return _unpacked(P, L, U)


def _permutation(pivots: Array, n: int) -> Array:
    if not pivots.shape[-1]:
        return jnp.broadcast_to(jnp.arange(n, dtype=jnp.int32), (*pivots.shape[:-1], n))
    return lax.linalg.lu_pivots_to_permutation(pivots - 1, n)


# -- solving ----------------------------------------------------------------------------------------------------------


def solve_factored(packed: Array, permutation: Array, B: Array, adjoint: bool = False) -> Array:
    """X of ``A X = B`` (``A^H X = B``), given the factors of `A`; batch dimensions are equal."""
    if not B.size or not packed.size:
        return jnp.zeros_like(B)
    solve = lax.linalg.triangular_solve
    if not adjoint:
        B = jnp.take_along_axis(B, permutation[..., None], axis=-2)
        B = solve(packed, B, left_side=True, lower=True, unit_diagonal=True)
        return solve(packed, B, left_side=True, lower=False)
    B = solve(packed, B, left_side=True, lower=False, transpose_a=True, conjugate_a=True)
    B = solve(packed, B, left_side=True, lower=True, unit_diagonal=True, transpose_a=True, conjugate_a=True)
    return jnp.take_along_axis(B, jnp.argsort(permutation, axis=-1)[..., None], axis=-2)


def lu_solve(LU: Array, pivots: Array, B: Array, *, left: bool = True, adjoint: bool = False) -> Array:
    """X of ``A X = B`` (``X A = B`` unless `left`, with ``A^H`` if `adjoint`) given what `lu_factor` returned for A."""
    _check_lu_solve(LU, pivots, B, left)
    shape = broadcast_shapes(B.shape[:-2], LU.shape[:-2])
    permutation = jnp.broadcast_to(_permutation(pivots, LU.shape[-1]), (*shape, LU.shape[-1]))
    LU = jnp.broadcast_to(LU, (*shape, *LU.shape[-2:]))
    B = jnp.broadcast_to(B, (*shape, *B.shape[-2:]))
    if left:
        return solve_factored(LU, permutation, B, adjoint)
    # X A = B is A^H X^H = B^H.
    return conjugate_transpose(solve_factored(LU, permutation, conjugate_transpose(B), not adjoint))


def _check_lu_solve(LU: Array, pivots: Array, B: Array, left: bool) -> None:
    check_float_or_complex("torch.linalg.lu_solve", LU)
    if LU.dtype != B.dtype:
        raise RuntimeError(
            "linalg.lu_solve: Expected LU and B to have the same dtype, but found LU of type "
            f"{scalar_name(LU)} and B of type {scalar_name(B)} instead"
        )
    if pivots.dtype != jnp.int32:
        raise RuntimeError("linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32")
    check_square("torch.linalg.lu_solve", LU)
    check_solvable("linalg.lu_solve", LU, B, left)
    if LU.shape[-1] != pivots.shape[-1]:
        raise RuntimeError("linalg.lu_solve: Number of pivots per batch should be same as the dimension of the matrix")
    if LU.shape[:-1] != pivots.shape:
        raise RuntimeError(
            "linalg.lu_solve: Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
            f"{shape_list(pivots)} instead"
        )


def check_solvable(name: str, A: Array, B: Array, left: bool) -> None:
    """Raise unless ``A X = B`` (``X A = B``) makes sense for the matrices of two batches."""
    check_matrix(name, B, "B")
    if A.shape[-2] != B.shape[-2 if left else -1]:
        (m, n), (p, q) = A.shape[-2:], B.shape[-2:]
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation {'AX' if left else 'XA'} = B "
            f"({m}x{n} and {p}x{q})"
        )


# -- determinants -----------------------------------------------------------------------------------------------------


def det(A: Array) -> Array:
    """Determinant of each square matrix of a batch."""
    check_square("linalg.det", A)
    if dtype_of(A).category < _dtypes.FLOATING:
        check_float_or_complex("linalg.det", A)
    check_dtype("lu_cpu", dtype_of(A), "fc")
    return jnp.linalg.det(A) if A.size else jnp.ones(A.shape[:-2], A.dtype)


def slogdet(A: Array, name: str = "linalg.slogdet") -> tuple[Array, Array]:
    """Sign (complex: phase) and logarithm of the magnitude of the determinant; 0 and minus infinity if singular."""
    check_square(name, A)
    check_float_or_complex(name, A)
    if not A.size:
        return linalg_slogdet(jnp.ones(A.shape[:-2], A.dtype), jnp.zeros(A.shape[:-2], jnp.finfo(A.dtype).dtype))
    return linalg_slogdet(*jnp.linalg.slogdet(A, method="lu"))
