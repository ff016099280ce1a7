"""Eigenvalues and eigenvectors: `torch.linalg.eig`, `eigvals`, `eigh`, `eigvalsh`.

See https://docs.pytorch.org/docs/stable/linalg.html#matrix-decompositions.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import check_dtype
from funcgrad._return_types import linalg_eig, linalg_eigh
from funcgrad.ops._matrix_checks import adjoint, check_square, scalar_name
from funcgrad.ops._number import Array, dtype_of


def eigh(A: Array, UPLO: str = "L") -> tuple[Array, Array]:
    """Eigenvalues, ascending, and eigenvectors of Hermitian matrices, ``A = Q diag(L) Q^H``.

    Args:
        UPLO: which triangle of `A` is read, ``"L"`` or ``"U"``.

    Gradients are those of distinct eigenvalues.
    """
    values, vectors = _eigh(A, UPLO)
    return linalg_eigh(values, vectors)


def eigvalsh(A: Array, UPLO: str = "L") -> Array:
    """The eigenvalues of `eigh`."""
    return _eigh(A, UPLO)[0]


def _eigh(A: Array, UPLO: str) -> tuple[Array, Array]:
    check_square("linalg.eigh", A)
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    check_dtype("linalg_eigh_cpu", dtype_of(A), "fc")
    if not A.size:
        return jnp.zeros(A.shape[:-1], jnp.finfo(A.dtype).dtype), A
    return _decompose(A, UPLO.upper() == "L")


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _decompose(A: Array, lower: bool) -> tuple[Array, Array]:
    vectors, values = lax.linalg.eigh(A, lower=lower, symmetrize_input=False)
    return values, vectors


@_decompose.defjvp
def _decompose_jvp(lower: bool, primals, tangents):
    # With V and the values of the triangle that was read, and dA made Hermitian, as PyTorch does. (JAX's own rule
    # decomposes the mean of both triangles again.)
    values, V = _decompose(primals[0], lower)
    dA = (tangents[0] + adjoint(tangents[0])) / 2
    P = adjoint(V) @ dA @ V
    gaps = values[..., None, :] - values[..., :, None]
    diagonal = jnp.eye(V.shape[-1], dtype=bool)
    dV = V @ jnp.where(diagonal, 0, P / jnp.where(diagonal, 1, gaps).astype(P.dtype))
    return (values, V), (jnp.real(jnp.diagonal(P, axis1=-2, axis2=-1)), dV)


def eig(A: Array) -> tuple[Array, Array]:
    """Complex eigenvalues and eigenvectors of square matrices, ``A V = V diag(L)``, each vector of norm 1."""
    _check_eig("linalg.eig", A)
    if not A.size:
        dtype = dtype_of(A).to_complex().numpy
        return linalg_eig(jnp.zeros(A.shape[:-1], dtype), jnp.zeros(A.shape, dtype))
    return linalg_eig(*_eig(A))


def eigvals(A: Array) -> Array:
    """The eigenvalues of `eig`."""
    _check_eig("linalg.eigvals", A)
    if not A.size:
        return jnp.zeros(A.shape[:-1], dtype_of(A).to_complex().numpy)
    return _eig(A)[0]


def _check_eig(name: str, A: Array) -> None:
    check_square(name, A)
    if dtype_of(A).category < _dtypes.FLOATING:
        raise RuntimeError(f"Unknown Complex ScalarType for {scalar_name(A)}")
    check_dtype("linalg_eig_out_cpu", dtype_of(A), "fc")


@jax.custom_jvp
def _eig(A: Array) -> tuple[Array, Array]:
    values, vectors = lax.linalg.eig(A, compute_left_eigenvectors=False)
    return values, vectors


@_eig.defjvp
def _eig_jvp(primals, tangents):
    # d(values) = diag(P) and d(vectors) = V M, with P = V^-1 dA V and M_ij = P_ij / (l_j - l_i); then the part along
    # each vector goes, because its norm stays 1.
    (A,), (dA,) = primals, tangents
    values, V = _eig(A)
    P = jnp.linalg.solve(V, dA.astype(V.dtype) @ V)
    gaps = values[..., None, :] - values[..., :, None]
    diagonal = jnp.eye(A.shape[-1], dtype=bool)
    dV = V @ jnp.where(diagonal, 0, P / jnp.where(diagonal, 1, gaps))
    along = jnp.real(jnp.sum(jnp.conj(V) * dV, axis=-2, keepdims=True))
    return (values, V), (jnp.diagonal(P, axis1=-2, axis2=-1), dV - V * along.astype(V.dtype))
