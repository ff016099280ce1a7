"""Distinct elements. The shape of the result depends on the values, so these run on the host, on computed arrays.

See https://docs.pytorch.org/docs/stable/generated/torch.unique.html
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from funcgrad import _errors
from funcgrad.ops._marks import data_dependent
from funcgrad.ops._number import Array, dtype_of


def _check(x: Array, dim) -> int | None:
    """The axis that `dim` names, or None for the flattened input."""
    _errors.check_dtype("unique", dtype_of(x), "biufh")
    if dim is None:
        return None
    if not x.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    axis = _errors.wrap_dim(dim, x.ndim)
    if 0 in x.shape[:axis] + x.shape[axis + 1 :]:
        raise RuntimeError("There are 0 sized dimensions, and they aren't selected, so unique cannot be applied")
    return axis


def _rows(x: Array, axis: int | None) -> np.ndarray:
    """What is compared, as the rows of a matrix: slices along `axis`, or single elements."""
    array = np.asarray(x)
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if axis is None:
        return array.reshape(-1, 1)
    return np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1 if array.size else 1)


def _distinct(x: Array, axis: int | None, order: np.ndarray | None, rows: np.ndarray, inverse: bool, counts: bool):
    """The first of each run of equal rows in `order` (None: as they are), with the inverse map and the run lengths."""
    ordered = rows if order is None else rows[order]
    first = np.ones(len(rows), bool)
    first[1:] = (ordered[1:] != ordered[:-1]).any(1)
    kept = np.flatnonzero(first)
    chosen = kept if order is None else order[kept]
    results = [jnp.take(x.reshape(-1), chosen) if axis is None else jnp.take(x, chosen, axis)]
    if inverse:
        run = np.cumsum(first) - 1
        back = np.empty(len(rows), np.int64)
        back[slice(None) if order is None else order] = run
        results.append(jnp.asarray(back.reshape(x.shape if axis is None else -1), jnp.int64))
    if counts:
        results.append(jnp.asarray(np.diff(np.append(kept, len(rows))), jnp.int64))
    return tuple(results) if len(results) > 1 else results[0]


@data_dependent
def unique(input: Array, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements in ascending order, or the distinct slices along `dim`. Each NaN is distinct.

    Returns:
        The distinct elements; with `return_inverse` also where each element of `input` went, with `return_counts`
        also how often each occurs, in this order.

    Example:
        >>> torch.unique(torch.tensor([3, 1, 3]), return_counts=True)
        (tensor([1, 3]), tensor([1, 2]))
    """
    axis = _check(input, dim)
    rows = _rows(input, axis)
    order = np.argsort(rows[:, 0], kind="stable") if rows.shape[1] == 1 else np.lexsort(rows.T[::-1])
    return _distinct(input, axis, order, rows, return_inverse, return_counts)


@data_dependent
def unique_consecutive(input: Array, return_inverse=False, return_counts=False, dim=None):
    """The elements (or slices along `dim`) that differ from the one before them.

    Returns:
        As `unique` does.

    Example:
        >>> torch.unique_consecutive(torch.tensor([1, 1, 2, 1]))
        tensor([1, 2, 1])
    """
    axis = _check(input, dim)
    return _distinct(input, axis, None, _rows(input, axis), return_inverse, return_counts)
