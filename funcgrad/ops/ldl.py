"""Symmetric indefinite factors: `torch.linalg.ldl_factor`, `ldl_factor_ex`, `ldl_solve`.

JAX has no such factorization; this is Bunch and Kaufman's, with the diagonal pivots of 1 and 2 rows that LAPACK's
``sytrf`` (``hetrf``) chooses and in its packing. Not differentiable, as in PyTorch.
See https://docs.pytorch.org/docs/stable/generated/torch.linalg.ldl_factor.html.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import broadcast_shapes, check_dtype
from funcgrad._return_types import linalg_ldl_factor, linalg_ldl_factor_ex
from funcgrad.ops import _loops
from funcgrad.ops._marks import checked_if_asked, raises_for_values
from funcgrad.ops._matrix_checks import check_float_or_complex, check_square, scalar_name, shape_list
from funcgrad.ops._number import Array, dtype_of
from funcgrad.ops.cholesky import check_same_solve
from funcgrad.ops.lu import complain_about

_THRESHOLD = (1 + math.sqrt(17)) / 8  # the growth bound of a 1-row pivot equals that of a 2-row pivot

_ZERO_BLOCK = "Unknown error code: {0}."


@checked_if_asked(complain_about("torch.linalg.ldl_factor_ex", _ZERO_BLOCK, RuntimeError))
def ldl_factor_ex(A: Array, *, hermitian: bool = False, check_errors: bool = False):
    """As `ldl_factor`, with `info`: the position of the first zero on D's diagonal, or 0."""
    name = "torch.linalg.ldl_factor_ex"
    check_square(name, A)
    if dtype_of(A).category < _dtypes.FLOATING:
        check_float_or_complex(name, A)
    check_dtype("ldl_factor_kernel_cpu", dtype_of(A), "fc")
    A = lax.stop_gradient(A)
    batch, n = A.shape[:-2], A.shape[-1]
    if not A.size:
        return linalg_ldl_factor_ex(A, jnp.zeros(A.shape[:-1], jnp.int32), jnp.zeros(batch, jnp.int32))
    conjugate = hermitian and dtype_of(A).is_complex
    packed, pivots, info = jax.vmap(lambda a: _factor(a, conjugate))(A.reshape(-1, n, n))
    return linalg_ldl_factor_ex(packed.reshape(A.shape), pivots.reshape(A.shape[:-1]), info.reshape(batch))


def _with_info(A: Array, *, hermitian: bool = False):
    LD, pivots, info = ldl_factor_ex(A, hermitian=hermitian)
    return linalg_ldl_factor(LD, pivots), info


@raises_for_values(_with_info, complain_about("torch.linalg.ldl_factor", _ZERO_BLOCK, RuntimeError))
def ldl_factor(A: Array, *, hermitian: bool = False) -> tuple[Array, Array]:
    """``A = P L D L^T P^T`` (``L^H`` if `hermitian`), L unit lower triangular, D with diagonal blocks of 1 and 2 rows.

    L and D are packed in one matrix, whose lower triangle they fill; the int32 pivots are positive for a block of one
    row swapped with row ``pivots[i]``, and twice the same negative number for a block of two.
    """
    return _with_info(A, hermitian=hermitian)[0]


def _magnitude(x: Array) -> Array:
    """LAPACK's cheap absolute value of a complex number."""
    return jnp.abs(jnp.real(x)) + jnp.abs(jnp.imag(x)) if jnp.iscomplexobj(x) else jnp.abs(x)


def _factor(A: Array, conjugate: bool) -> tuple[Array, Array, Array]:
    """One matrix's packed lower triangle, pivots and info."""
    n = A.shape[-1]
    lower = jnp.tril(A, -1)
    diagonal = jnp.diagonal(A)
    diagonal = jnp.real(diagonal).astype(A.dtype) if conjugate else diagonal
    rest = lower + (jnp.conj(lower) if conjugate else lower).T + jnp.diag(diagonal)
    zero = jnp.zeros((), jnp.int32)
    _, _, packed, pivots, info = _loops.while_loop(
        lambda state: state[0] < n,
        lambda state: _eliminate(*state, conjugate),
        (zero, rest, jnp.zeros_like(rest), jnp.zeros(n, jnp.int32), zero),
    )
    return packed, pivots, info


def _choose(M: Array, k: Array, conjugate: bool) -> tuple[Array, Array, Array]:
    """Whether the pivot block has two rows, which row is swapped into it, and whether the column is zero."""
    rows = jnp.arange(M.shape[-1], dtype=jnp.int32)
    column = jnp.where(rows > k, _magnitude(M[:, k]), 0)
    r = jnp.where(k + 1 < M.shape[-1], jnp.argmax(column).astype(jnp.int32), k)
    largest = jnp.max(column)
    own, other = (_magnitude(jnp.real(M[i, i]) if conjugate else M[i, i]) for i in (k, r))
    widest = jnp.max(jnp.where((rows >= k) & (rows != r), _magnitude(M[:, r]), 0))
    stays = (own >= _THRESHOLD * largest) | (own * widest >= _THRESHOLD * largest * largest)
    zero = jnp.maximum(own, largest) == 0
    double = ~(stays | zero | (other >= _THRESHOLD * widest))
    return double, jnp.where(stays | zero, k, r), zero


def _eliminate(k: Array, M: Array, packed: Array, pivots: Array, info: Array, conjugate: bool):
    """One step: choose a pivot block at row `k`, swap its row in, subtract its part from the rows below."""
    rows = jnp.arange(M.shape[-1], dtype=jnp.int32)
    conj = jnp.conj if conjugate else lambda x: x
    double, other, zero = _choose(M, k, conjugate)
    last = jnp.where(double, k + 1, k)
    order = jnp.where(rows == last, other, jnp.where(rows == other, last, rows))
    M = M[order][:, order]

    c1, c2 = M[:, k], jnp.where(double, M[:, last], 0)
    d11, d21, d22 = c1[k], c1[last], c2[last]
    det = jnp.where(double, d11 * d22 - d21 * conj(d21), jnp.where(zero, 1, d11))
    below = rows > last
    w1 = jnp.where(below & ~zero, jnp.where(double, c1 * d22 - c2 * d21, c1) / det, 0)
    w2 = jnp.where(below & double, (c2 * d11 - c1 * conj(d21)) / det, 0)
    inside = below[:, None] & below[None, :]
    rest = M - w1[:, None] * conj(c1)[None, :] - w2[:, None] * conj(c2)[None, :]
    if conjugate:
        rest = jnp.where(rows[:, None] == rows[None, :], jnp.real(rest).astype(rest.dtype), rest)

    first = jnp.where(rows == k, d11, jnp.where(double & (rows == last), d21, w1))
    second = jnp.where(rows == last, d22, w2)
    columns = rows[None, :]
    packed = jnp.where(columns == k, first[:, None], packed)
    packed = jnp.where(double & (columns == last), second[:, None], packed)
    pivot = jnp.where(double, -(other + 1), other + 1)
    pivots = jnp.where((rows == k) | (rows == last), pivot, pivots)
    info = jnp.where((info == 0) & zero, k + 1, info)
    return last + 1, jnp.where(inside, rest, M), packed, pivots, info


# -- solving ----------------------------------------------------------------------------------------------------------


def ldl_solve(LD: Array, pivots: Array, B: Array, *, hermitian: bool = False) -> Array:
    """X of ``A X = B``, given what `ldl_factor` returned for A."""
    _check_ldl_solve(LD, pivots, B)
    LD, B = lax.stop_gradient(LD), lax.stop_gradient(B)
    batch, n = broadcast_shapes(B.shape[:-2], LD.shape[:-2]), LD.shape[-1]
    shape = (*batch, n, B.shape[-1])
    if 0 in shape:
        return jnp.zeros(shape, B.dtype)
    LD = jnp.broadcast_to(LD, (*batch, n, n)).reshape(-1, n, n)
    pivots = jnp.broadcast_to(pivots, (*batch, n)).reshape(-1, n).astype(jnp.int32)
    B = jnp.broadcast_to(B, shape).reshape(-1, *shape[-2:])
    conjugate = hermitian and dtype_of(LD).is_complex
    return jax.vmap(lambda *x: _solve(*x, conjugate))(LD, pivots, B).reshape(shape)


def _solve(LD: Array, pivots: Array, B: Array, conjugate: bool) -> Array:
    """One system: down through the swaps and columns of L, across D, and up again."""
    n = LD.shape[-1]
    rows = jnp.arange(n, dtype=jnp.int32)
    conj = jnp.conj if conjugate else lambda x: x
    # A block of two rows has a pair of equal negative pivots: it starts at an even place of its run of negatives.
    starts = _loops.fori_loop(
        1, n, lambda i, s: s.at[i].set((pivots[i] > 0) | ~s[i - 1] | (pivots[i - 1] > 0)), jnp.ones(n, bool)
    )
    double = starts & (pivots < 0)
    ends = ~starts | (pivots > 0)

    def swap(X, i):
        """Exchange the rows that the block ending at row i exchanged."""
        j = jnp.abs(pivots[i]) - 1
        order = jnp.where(rows == i, j, jnp.where(rows == j, i, rows))
        return jnp.where(ends[i], X[order], X)

    def below(k):
        return jnp.where((rows > k) & ~(double[k] & (rows == k + 1)), LD[:, k], 0)

    def down(k, X):
        X = jnp.where(double[k], swap(X, jnp.minimum(k + 1, n - 1)), jnp.where(starts[k], swap(X, k), X))
        return X - below(k)[:, None] * X[k]

    def up(i, X):
        k = n - 1 - i
        X = X.at[k].add(-(conj(below(k)) @ X))
        return jnp.where(double[k], swap(X, jnp.minimum(k + 1, n - 1)), jnp.where(starts[k] & ends[k], swap(X, k), X))

    X = _loops.fori_loop(0, n, down, B)
    X = _solve_blocks(LD, double, X, conj)
    return _loops.fori_loop(0, n, up, X)


def _solve_blocks(LD: Array, double: Array, X: Array, conj) -> Array:
    """X divided by the block diagonal D."""
    d = jnp.diagonal(LD)
    off = jnp.where(double[:-1], jnp.diagonal(LD, -1), 0)
    zero = jnp.zeros((1,), LD.dtype)
    after, before = jnp.concatenate([off, zero]), jnp.concatenate([zero, off])
    next_d, previous_d = jnp.roll(d, -1), jnp.roll(d, 1)
    second = jnp.roll(double, 1)
    partner = jnp.where(double, next_d, jnp.where(second, previous_d, 1))
    det = d * partner - jnp.where(double, after * conj(after), before * conj(before))
    X_next, X_previous = jnp.roll(X, -1, axis=0), jnp.roll(X, 1, axis=0)
    across = jnp.where(double[:, None], conj(after)[:, None] * X_next, before[:, None] * X_previous)
    return (partner[:, None] * X - across) / det[:, None]


def _check_ldl_solve(LD: Array, pivots: Array, B: Array) -> None:
    name = "torch.linalg.ldl_solve"
    check_square(name, LD)
    if dtype_of(LD).category < _dtypes.FLOATING:
        check_float_or_complex(name, LD)
    if B.ndim < 2:
        raise IndexError(f"Dimension out of range (expected to be in range of [-{B.ndim}, {B.ndim - 1}], but got -2)")
    check_same_solve(name, B, LD)
    if pivots.shape != LD.shape[:-1]:
        raise RuntimeError(
            f"{name}: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
            f"{shape_list(pivots)} instead"
        )
    if dtype_of(pivots).category != _dtypes.INTEGER:
        raise RuntimeError(f"{name}: Expected pivots to be integers. Got {scalar_name(pivots)}")
    check_dtype("ldl_solve_kernel_cpu", dtype_of(LD), "fc")
