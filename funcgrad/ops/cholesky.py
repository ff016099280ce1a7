"""Cholesky factors: `torch.linalg.cholesky`, `cholesky_ex`, and `torch.cholesky_solve`, `cholesky_inverse`.

See https://docs.pytorch.org/docs/stable/generated/torch.linalg.cholesky.html.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import broadcast_shapes, check_dtype
from funcgrad._return_types import linalg_cholesky_ex
from funcgrad.ops import _loops
from funcgrad.ops._marks import checked_if_asked, raises_for_values
from funcgrad.ops._matrix_checks import adjoint, check_float_or_complex, check_square, scalar_name
from funcgrad.ops._number import Array, dtype_of
from funcgrad.ops.lu import complain_about
from funcgrad.ops.solve import triangular

NOT_POSITIVE = (
    "The factorization could not be completed because the input is not positive-definite "
    "(the leading minor of order {0} is not positive-definite)."
)


@checked_if_asked(complain_about("linalg.cholesky_ex", NOT_POSITIVE))
def cholesky_ex(A: Array, *, upper: bool = False, check_errors: bool = False) -> tuple[Array, Array]:
    """As `cholesky`, with `info`: the order of the first leading minor that is not positive-definite, or 0."""
    return linalg_cholesky_ex(*with_info(A, upper=upper))


def with_info(A: Array, *, upper: bool = False) -> tuple[Array, Array]:
    """The factor of `cholesky` and `info`."""
    check_square("linalg.cholesky", A)
    if dtype_of(A).category < _dtypes.FLOATING:
        check_float_or_complex("linalg.cholesky", A)
    check_dtype("cholesky_cpu", dtype_of(A), "fc")
    return factor(A, upper)


@raises_for_values(with_info, complain_about("linalg.cholesky", NOT_POSITIVE))
def cholesky(A: Array, *, upper: bool = False) -> Array:
    """Lower triangular L with ``A = L L^H``, or upper triangular U with ``A = U^H U``.

    Only the triangle of the result is read. The gradient is the symmetric (Hermitian) one.
    """
    return with_info(A, upper=upper)[0]


def factor(A: Array, upper: bool) -> tuple[Array, Array]:
    if not A.size:
        return A, jnp.zeros(A.shape[:-2], jnp.int32)
    lower = _lower(adjoint(A) if upper else A, upper)
    return (adjoint(lower) if upper else lower), _failed_minor(lax.stop_gradient(adjoint(A) if upper else A), lower)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _lower(A: Array, upper: bool) -> Array:
    return lax.linalg.cholesky(A, symmetrize_input=False)


@_lower.defjvp
def _lower_jvp(upper: bool, primals, tangents):
    # dL = L phi(L^-1 dA L^-H), phi the lower triangle of the Hermitian part, and half the diagonal as it is: PyTorch's
    # gradient keeps the diagonal's imaginary part. (The adjoint of A came in if `upper`.)
    (A,), (dA,) = primals, tangents
    L = _lower(A, upper)
    inner = triangular(L, triangular(L, dA, upper=False), upper=False, left=False, adjoint=True)
    half = jnp.tril(inner + adjoint(inner), -1) + jnp.where(
        jnp.eye(A.shape[-1], dtype=bool), jnp.conj(inner) if upper else inner, 0
    )
    return L, L @ (half / 2)


def _failed_minor(A: Array, L: Array) -> Array:
    """The order of the first leading minor that is not positive-definite; looked for only if some factor is NaN."""
    real = jnp.finfo(A.dtype).dtype

    def look():
        rows = jnp.arange(A.shape[-1])

        def step(j, state):
            rest, info = state
            pivot = jnp.real(rest[..., j, j]).astype(real)
            failed = ~(pivot > 0)
            info = jnp.where((info == 0) & failed, j + 1, info).astype(jnp.int32)
            column = jnp.where(rows >= j, rest[..., :, j], 0) / jnp.sqrt(jnp.where(failed, 1, pivot))[..., None]
            return rest - column[..., :, None] * jnp.conj(column)[..., None, :], info

        return _loops.fori_loop(0, A.shape[-1], step, (A, jnp.zeros(A.shape[:-2], jnp.int32)))[1]

    return lax.cond(jnp.isnan(L).any(), look, lambda: jnp.zeros(A.shape[:-2], jnp.int32))


# -- solving with a factor --------------------------------------------------------------------------------------------


def cholesky_solve(B: Array, L: Array, upper: bool = False) -> Array:
    """X of ``A X = B`` given the Cholesky factor `L` (or U, if `upper`) of A."""
    for name, x in (("b", B), ("u", L)):
        if x.ndim < 2:
            raise RuntimeError(f"{name} should have at least 2 dimensions, but has {x.ndim} dimensions instead")
    batch = broadcast_shapes(B.shape[:-2], L.shape[:-2])
    check_same_solve("cholesky_solve", B, L)
    check_dtype("cholesky_solve_cpu", dtype_of(L), "fc")
    B = jnp.broadcast_to(B, (*batch, *B.shape[-2:]))
    return _solve_factored(B, L, upper)


def check_same_solve(name: str, b: Array, A: Array) -> None:
    """The checks that PyTorch's older solvers share."""
    if b.dtype != A.dtype:
        raise RuntimeError(
            f"Expected b and A to have the same dtype, but found b of type {scalar_name(b)} and A of type "
            f"{scalar_name(A)} instead."
        )
    if A.shape[-1] != A.shape[-2]:
        raise RuntimeError(
            f"A must be batches of square matrices, but they are {A.shape[-2]} by {A.shape[-1]} matrices"
        )
    if A.shape[-1] != b.shape[-2]:
        raise RuntimeError(
            f"Incompatible matrix sizes for {name}: each A matrix is {A.shape[-1]} by {A.shape[-1]} but each b matrix "
            f"is {b.shape[-2]} by {b.shape[-1]}"
        )


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _solve_factored(B: Array, L: Array, upper: bool) -> Array:
    inner = triangular(L, B, upper=upper, adjoint=upper)
    return triangular(L, inner, upper=upper, adjoint=not upper)


@_solve_factored.defjvp
def _solve_factored_jvp(upper: bool, primals, tangents):
    # As PyTorch, through A = L L^H, so that the gradient for L fills both triangles.
    (B, L), (dB, dL) = primals, tangents
    X = _solve_factored(B, L, upper)
    dA = adjoint(dL) @ L + adjoint(L) @ dL if upper else dL @ adjoint(L) + L @ adjoint(dL)
    return X, _solve_factored(dB - dA @ X, L, upper)


def cholesky_inverse(L: Array, upper: bool = False) -> Array:
    """The inverse of A, given its Cholesky factor `L` (or U, if `upper`)."""
    check_square("cholesky_inverse", L)
    check_dtype("cholesky_inverse_out_cpu", dtype_of(L), "fc")
    return _solve_factored(jnp.broadcast_to(jnp.eye(L.shape[-1], dtype=L.dtype), L.shape), L, upper)
