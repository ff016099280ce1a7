"""Orthogonal factors: `torch.linalg.qr`, `householder_product`, and `torch.geqrf`, `ormqr`.

See https://docs.pytorch.org/docs/stable/generated/torch.linalg.qr.html.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from funcgrad._errors import check_dtype
from funcgrad._return_types import geqrf as _geqrf
from funcgrad._return_types import linalg_qr
from funcgrad.ops import _loops
from funcgrad.ops._matrix_checks import adjoint, check_float_or_complex, check_matrix, scalar_name, shape_list
from funcgrad.ops._number import Array, dtype_of


def qr(A: Array, mode: str = "reduced") -> tuple[Array, Array]:
    """``A = Q R`` with orthonormal columns in Q and an upper triangular R.

    Args:
        mode: ``"reduced"``: Q is [*, m, k] for ``k = min(m, n)``; ``"complete"``: [*, m, m]; ``"r"``: Q is empty.

    Raises:
        RuntimeError: a gradient is asked for that does not exist: with ``"r"``, or with ``"complete"`` where m > n.
    """
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    check_matrix("linalg.qr", A)
    check_float_or_complex("linalg.qr", A, allow_low_precision=True)
    check_dtype("geqrf_cpu", dtype_of(A), "fc")
    m, n = A.shape[-2:]
    if mode == "r":
        return linalg_qr(jnp.zeros((0,), A.dtype), _only_r(A))
    if not A.size:
        k = m if mode == "complete" else min(m, n)
        return linalg_qr(
            jnp.broadcast_to(jnp.eye(m, k, dtype=A.dtype), (*A.shape[:-2], m, k)),
            jnp.zeros((*A.shape[:-2], k, n), A.dtype),
        )
    if mode == "complete" and m > n:
        return linalg_qr(*_complete(A))
    if m >= n:
        return linalg_qr(*lax.linalg.qr(A, full_matrices=False))
    # The first m columns decide Q; written so, its gradient exists in JAX too.
    Q, R = lax.linalg.qr(A[..., :m], full_matrices=False)
    return linalg_qr(Q, jnp.concatenate([R, adjoint(Q) @ A[..., m:]], axis=-1))


def _refuse_derivative(function, message: str):
    """`function` of one array, with an error in place of its derivative."""

    @jax.custom_jvp
    def refusing(A):
        return function(A)

    @refusing.defjvp
    def jvp(primals, tangents):
        raise RuntimeError(message)

    return refusing


def _r_of(A: Array) -> Array:
    if not A.size:
        return jnp.zeros((*A.shape[:-2], min(A.shape[-2:]), A.shape[-1]), A.dtype)
    return lax.linalg.qr(A, full_matrices=False)[1]


_only_r = _refuse_derivative(
    _r_of,
    "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. "
    "Please use linalg.qr(A, mode='reduced') if you are going to require gradients through it.",
)
_complete = _refuse_derivative(
    lambda A: tuple(lax.linalg.qr(A, full_matrices=True)),
    "The QR decomposition is not differentiable when mode='complete' and nrows > ncols.",
)


def geqrf(input: Array) -> tuple[Array, Array]:
    """R in the upper triangle and, below it, the vectors of the reflections whose product is Q; and their factors."""
    if input.ndim < 2:
        raise RuntimeError("torch.geqrf: input must have at least 2 dimensions.")
    check_dtype("geqrf_cpu", dtype_of(input), "fc")
    if not input.size:
        return _geqrf(input, jnp.zeros((*input.shape[:-2], min(input.shape[-2:])), input.dtype))
    packed, tau = jnp.linalg.qr(input, mode="raw")
    return _geqrf(jnp.swapaxes(packed, -1, -2), tau)


# -- products of reflections ------------------------------------------------------------------------------------------


def householder_product(A: Array, tau: Array) -> Array:
    """The first columns of ``H_1 H_2 ... H_k``, with ``H_i = I - tau_i v_i v_i^H``.

    Shape: ``[*, m, n], [*, k] -> [*, m, n]`` with ``m >= n >= k``; the vector ``v_i`` is column i of `A` below its
    diagonal, where it is 1.
    """
    name = "torch.linalg.householder_product"
    if A.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if A.shape[-2] < A.shape[-1]:
        raise RuntimeError(f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]")
    if A.shape[-1] < tau.shape[-1]:
        raise RuntimeError(f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]")
    _check_tau(name, A, tau)
    if tau.dtype != A.dtype:
        raise RuntimeError(f"{name}: tau dtype {scalar_name(tau)} does not match input dtype {scalar_name(A)}")
    check_dtype("orgqr_cpu", dtype_of(A), "fc")
    if not A.size:
        return A
    return _product(A, tau)


orgqr = householder_product


def _check_tau(name: str, A: Array, tau: Array) -> None:
    if A.ndim - tau.ndim != 1:
        raise RuntimeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal to {tau.ndim} and "
            f"input.ndim is equal to {A.ndim}"
        )
    if tau.shape[:-1] != A.shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got "
            f"{shape_list(tau.shape[:-1])}"
        )


@jax.custom_jvp
def _product(A: Array, tau: Array) -> Array:
    return lax.linalg.householder_product(A, tau)


@_product.defjvp
def _product_jvp(primals, tangents):
    m, n = primals[0].shape[-2:]

    def by_reflections(A, tau):
        return _reflect(A, tau, jnp.broadcast_to(jnp.eye(m, n, dtype=A.dtype), A.shape), left=True, adjoint_q=False)

    return _product(*primals), jax.jvp(by_reflections, primals, tangents)[1]


def _reflect(A: Array, tau: Array, C: Array, left: bool, adjoint_q: bool) -> Array:
    """``Q C``, ``Q^H C``, ``C Q`` or ``C Q^H``, one reflection after the other: differentiable as it stands."""
    if not left:
        return adjoint(_reflect(A, tau, adjoint(C), True, not adjoint_q))
    k = tau.shape[-1]
    vectors = jnp.tril(A[..., :k], -1) + jnp.eye(A.shape[-2], k, dtype=A.dtype)
    vectors, scales = jnp.moveaxis(vectors, -1, 0), jnp.moveaxis(tau, -1, 0)

    def step(C, reflection):
        v, scale = reflection
        rows = jnp.conj(v)[..., None, :] @ C
        return C - (scale[..., None] * v)[..., :, None] * rows, None

    scales = jnp.conj(scales) if adjoint_q else scales
    return _loops.scan(step, C, (vectors, scales), reverse=not adjoint_q)[0]


def ormqr(input: Array, tau: Array, other: Array, left: bool = True, transpose: bool = False) -> Array:
    """`other` multiplied by the Q that `geqrf` packed in `input` and `tau`, or by its adjoint if `transpose`."""
    _check_ormqr(input, tau, other, left)
    if not other.size or not tau.size:
        return other
    return _reflect(input, tau, other, left, transpose)


def _check_ormqr(input: Array, tau: Array, other: Array, left: bool) -> None:
    name = "torch.ormqr"
    for arg, x in (("input", input), ("other", other)):
        if x.ndim < 2:
            raise RuntimeError(f"{name}: {arg} must have at least 2 dimensions.")
    d = "-2" if left else "-1"
    size = other.shape[int(d)]
    if size < tau.shape[-1]:
        raise RuntimeError(f"{name}: other.shape[{d}] must be greater than or equal to tau.shape[-1]")
    if size != input.shape[-2]:
        raise RuntimeError(f"{name}: other.shape[{d}] must be equal to input.shape[-2]")
    if tau.shape[-1] != min(size, input.shape[-1]):
        raise RuntimeError(f"{name}: tau.shape[-1] must be equal to min(other.shape[{d}], input.shape[-1])")
    _check_tau(name, input, tau)
    if input.ndim != other.ndim:
        raise RuntimeError(
            f"{name}: Expected other to have the same number of dimensions as input, but got other.ndim equal to "
            f"{other.ndim} and input.ndim is equal to {input.ndim}"
        )
    if other.shape[:-2] != input.shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of other to be equal to input.shape[:-2], but got "
            f"{shape_list(other.shape[:-2])}"
        )
    for arg, x in (("tau", tau), ("other", other)):
        if x.dtype != input.dtype:
            raise RuntimeError(
                f"{name}: Expected input and {arg} to have the same dtype, but input has dtype{scalar_name(input)} and "
                f"{arg} has dtype {scalar_name(x)}"
            )
    check_dtype("ormqr_cpu", dtype_of(input), "fc")
