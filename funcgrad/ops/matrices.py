"""Diagonals and triangles: diag, diag_embed, tril, triu, block_diag.

See https://docs.pytorch.org/docs/stable/torch.html#other-operations.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import wrap_dim
from funcgrad.ops._number import Array, promote
from funcgrad.ops.broadcasting import unpacked
from funcgrad.ops.shape import diagonal


def diag_embed(input: Array, offset=0, dim1=-2, dim2=-1):
    """Matrices whose `offset`-th diagonal is the last dimension of `input`, in the plane of `dim1` and `dim2`.

    Raises:
        RuntimeError: `dim1` is `dim2`.

    Example:
        >>> torch.diag_embed(torch.ones(2, 3)).shape
        torch.Size([2, 3, 3])
    """
    a, b = wrap_dim(dim1, input.ndim + 1), wrap_dim(dim2, input.ndim + 1)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    n = input.shape[-1] + abs(offset)
    low = [(0, 0, 0)] * (input.ndim - 1) + [(abs(offset), 0, 0)]
    padded = lax.pad(input, jnp.zeros((), input.dtype), low)
    # A column's element where the diagonal lies above the main one, a row's where below. 32x128x128: 83 us, gradient
    # 111 us; padding the flat matrix takes 325 and 11.
    row, column = (lax.broadcasted_iota(jnp.int32, (n, n), d) for d in (0, 1))
    spread = lax.expand_dims(padded, (padded.ndim - 1 if offset >= 0 else padded.ndim,))
    whole = jnp.where(column - row == offset, spread, jnp.zeros((), input.dtype))
    return jnp.moveaxis(whole, (-2, -1), (a, b))


def diag(input: Array, diagonal=0):
    """The diagonal of a matrix, or the matrix with this diagonal.

    Raises:
        RuntimeError: neither one nor two dimensions.
    """
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim == 2:
        return _diagonal(input, diagonal)
    raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")


_diagonal = diagonal


def diagflat(input: Array, offset=0):
    """The matrix whose `offset`-th diagonal holds the elements of `input`."""
    return diag_embed(input.reshape(-1), offset)


def _triangle(input: Array, name: str, keep) -> Array:
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")
    row, column = (lax.broadcasted_iota(jnp.int32, input.shape[-2:], d) for d in (0, 1))
    return jnp.where(keep(column - row), input, jnp.zeros((), input.dtype))


def tril(input: Array, diagonal=0):
    """The elements on and below the `diagonal`-th diagonal, others zero."""
    return _triangle(input, "tril", lambda above: above <= diagonal)


def triu(input: Array, diagonal=0):
    """The elements on and above the `diagonal`-th diagonal, others zero."""
    return _triangle(input, "triu", lambda above: above >= diagonal)


def _triangle_indices(name: str, find, row, col, dtype) -> Array:
    d = _dtypes.int64 if dtype is None else dtype
    for what, n in (("row", row), ("col", col)):
        if n < 0:
            raise RuntimeError(f"{what} must be non-negative, got{n}")
    if d.category != _dtypes.INTEGER:
        raise NotImplementedError(f"\"{name}\" not implemented for '{d.scalar_name}'")
    return jnp.asarray(np.stack(find()), d.numpy)


def tril_indices(row, col, offset=0, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False):
    """Row and column indices, two rows, of the elements that `tril` keeps."""
    return _triangle_indices("tril_indices", lambda: np.tril_indices(row, offset, col), row, col, dtype)


def triu_indices(row, col, offset=0, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False):
    """Row and column indices, two rows, of the elements that `triu` keeps."""
    return _triangle_indices("triu_indices", lambda: np.triu_indices(row, offset, col), row, col, dtype)


def block_diag(*tensors: Array):
    """The matrix with `tensors` (vectors as rows) along its diagonal, zero elsewhere.

    Raises:
        RuntimeError: a tensor of more than two dimensions.
    """
    tensors = unpacked(tensors)
    for i, x in enumerate(tensors):
        if x.ndim > 2:
            raise RuntimeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has {x.ndim} dimensions"
            )
    if not tensors:
        return jnp.zeros((1, 0), _dtypes.default_dtype().numpy)
    blocks = [x.reshape((1,) * (2 - x.ndim) + x.shape) for x in promote(*tensors)]
    width, left, rows = sum(x.shape[1] for x in blocks), 0, []
    for x in blocks:
        right = width - left - x.shape[1]
        rows.append(lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), (left, right, 0)]))
        left += x.shape[1]
    return lax.concatenate(rows, 0)
