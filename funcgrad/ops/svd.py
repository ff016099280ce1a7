"""Singular values and what rests on them: `torch.linalg.svd`, `svdvals`, `pinv`, `matrix_rank`.

See https://docs.pytorch.org/docs/stable/linalg.html#matrix-decompositions.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import check_dtype
from funcgrad._return_types import linalg_svd
from funcgrad.ops._matrix_checks import (
    adjoint,
    check_float_or_complex,
    check_matrix,
    check_square,
    scalar_name,
    shape_list,
)
from funcgrad.ops._number import Array, Scalar, as_array, dtype_of, is_number
from funcgrad.ops.eigen import eigvalsh


def svd(A: Array, full_matrices: bool = True, *, driver: str | None = None) -> tuple[Array, Array, Array]:
    """Singular value decomposition ``A = U diag(S) Vh``, the singular values in descending order.

    Shape: for ``[*, m, n]`` and ``k = min(m, n)``: ``U`` [*, m, m], ``S`` [*, k], ``Vh`` [*, n, n]; ``[*, m, k]`` and
    ``[*, k, n]`` unless `full_matrices`.

    Gradients are those of distinct singular values; the columns that `full_matrices` adds carry none.
    """
    _check_svd(A, driver)
    if full_matrices and A.shape[-1] != A.shape[-2]:
        return linalg_svd(*_full_svd(A))
    return linalg_svd(*lax.linalg.svd(A, full_matrices=False))


def svdvals(A: Array, *, driver: str | None = None) -> Array:
    """The singular values of each matrix of a batch, in descending order."""
    _check_svd(A, driver)
    if not A.size:
        return jnp.zeros((*A.shape[:-2], min(A.shape[-2:])), jnp.finfo(A.dtype).dtype)
    return lax.linalg.svd(A, full_matrices=False, compute_uv=False)


def _check_svd(A: Array, driver: str | None) -> None:
    check_matrix("linalg.svd", A)
    check_float_or_complex("linalg.svd", A, allow_low_precision=True)
    check_dtype("linalg_svd_cpu", dtype_of(A), "fc")
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend."
        )


@jax.custom_jvp
def _full_svd(A: Array):
    return tuple(lax.linalg.svd(A, full_matrices=True))


@_full_svd.defjvp
def _full_svd_jvp(primals, tangents):
    U, S, Vh = _full_svd(*primals)
    _, (dU, dS, dVh) = jax.jvp(lambda a: tuple(lax.linalg.svd(a, full_matrices=False)), primals, tangents)
    dU = jnp.pad(dU, [(0, 0)] * (U.ndim - 1) + [(0, U.shape[-1] - dU.shape[-1])])
    dVh = jnp.pad(dVh, [(0, 0)] * (U.ndim - 2) + [(0, Vh.shape[-2] - dVh.shape[-2]), (0, 0)])
    return (U, S, Vh), (dU, dS, dVh)


# -- tolerances -------------------------------------------------------------------------------------------------------


def _tolerance(name: str, A: Array, values: Array, atol, rtol) -> Array:
    """Singular values up to ``max(atol, rtol * largest)`` count as zero."""
    for which, tol in (("atol", atol), ("rtol", rtol)):
        if tol is not None and not is_number(tol) and dtype_of(tol).is_complex:
            raise RuntimeError(f"{name}: {which} tensor of complex type is not supported. Got {scalar_name(tol)}")
    real = values.dtype
    default = as_array(float(jnp.finfo(real).eps) * max(A.shape[-2:]), real)
    if rtol is None:
        # An absolute tolerance alone replaces the default relative one.
        rtol = default if atol is None else jnp.where(as_array(atol, real) > 0, jnp.zeros_like(default), default)
    atol = as_array(0.0 if atol is None else atol, real)
    largest = jnp.max(values, axis=-1, initial=0)
    return jnp.maximum(atol, as_array(rtol, real) * largest)


def matrix_rank(
    A: Array,
    tol: Array | Scalar | None = None,
    hermitian: bool = False,
    *,
    atol: Array | Scalar | None = None,
    rtol: Array | Scalar | None = None,
) -> Array:
    """How many singular values (magnitudes of eigenvalues, if `hermitian`) exceed ``max(atol, rtol * largest)``.

    Args:
        tol: an absolute tolerance, in the older form of the call.
        rtol: relative tolerance; by default the dtype's epsilon times the larger dimension, 0 if `atol` is given.
    """
    name = "torch.linalg.matrix_rank"
    if A.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor input must have at least 2 dimensions.")
    if dtype_of(A).category < _dtypes.FLOATING or dtype_of(A).itemsize == 2:
        raise RuntimeError("This function doesn't handle types other than float and double")
    A = lax.stop_gradient(A)
    values = jnp.abs(eigvalsh(A)) if hermitian else svdvals(A)
    if tol is not None:
        atol, rtol = tol, 0.0
    return jnp.sum(values > _tolerance(name, A, values, atol, rtol)[..., None], axis=-1, dtype=jnp.int64)


def pinv(
    A: Array,
    rcond: Array | Scalar | None = None,
    hermitian: bool = False,
    *,
    atol: Array | Scalar | None = None,
    rtol: Array | Scalar | None = None,
) -> Array:
    """Pseudoinverse ``V diag(1/S) U^H``, the singular values up to ``max(atol, rtol * largest)`` left out.

    Args:
        rcond: another name for `rtol`.
        hermitian: use the eigenvalues of the lower triangle.
    """
    if A.ndim < 2 or dtype_of(A).category < _dtypes.FLOATING or dtype_of(A).itemsize == 2:
        raise RuntimeError(
            f"linalg.pinv({scalar_name(A)}{{{shape_list(A)}}}): expected a tensor with 2 or more dimensions of float, "
            "double, cfloat or cdouble types"
        )
    rtol = rcond if rcond is not None else rtol
    if hermitian:
        check_square("linalg.eigh", A)
    if not A.size:
        return jnp.zeros((*A.shape[:-2], A.shape[-1], A.shape[-2]), A.dtype)
    return _pinv(A, atol, rtol, hermitian)


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def _pinv(A: Array, atol, rtol, hermitian: bool) -> Array:
    if hermitian:
        values, V = lax.linalg.eigh(A, symmetrize_input=False)[::-1]
        keep = jnp.abs(values) > _tolerance("torch.linalg.pinv", A, jnp.abs(values), atol, rtol)[..., None]
        U = V
    else:
        U, values, Vh = lax.linalg.svd(A, full_matrices=False)
        keep = values > _tolerance("torch.linalg.pinv", A, values, atol, rtol)[..., None]
        V = adjoint(Vh)
    inverse = jnp.where(keep, 1 / jnp.where(keep, values, 1), 0).astype(A.dtype)
    return (V * inverse[..., None, :]) @ adjoint(U)


@_pinv.defjvp
def _pinv_jvp(hermitian: bool, primals, tangents):
    # Golub and Pereyra's derivative at constant rank; the tolerances have none.
    A, dA = primals[0], tangents[0]
    P = _pinv(*primals, hermitian)
    left = dA @ P
    dP = -P @ left
    dAh, Ph = adjoint(dA), adjoint(P)
    dP = dP + P @ (Ph @ (dAh - (dAh @ A) @ P)) + (dAh - P @ (A @ dAh)) @ (Ph @ P)
    return P, dP
