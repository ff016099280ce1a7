"""XLA's gather and scatter, general as they are, by NumPy's indexing.

Source: https://openxla.org/xla/operation_semantics#gather
"""

from __future__ import annotations

import numpy as np
from jax.lax import GatherScatterMode as Mode


def gather(x, indices, dimension_numbers, slice_sizes, mode, fill_value=None, **_):
    """Windows of `slice_sizes` of `x`, one at each of `indices`."""
    numbers = dimension_numbers
    batch = indices.shape[:-1]
    dropped = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    window = [d for d in range(x.ndim) if d not in dropped]
    starts = _starts(
        indices, numbers.start_index_map, numbers.operand_batching_dims, numbers.start_indices_batching_dims
    )
    starts, inside = _clamped(starts, x.shape, slice_sizes)
    made = x[_positions(starts, x.ndim, window, [slice_sizes[d] for d in window], len(batch))]
    if Mode.from_any(mode) is Mode.FILL_OR_DROP and inside is not None and not np.all(inside):
        made = np.where(inside.reshape(*inside.shape, *[1] * len(window)), made, _filler(x.dtype, fill_value))
    rank = len(batch) + len(window)
    offsets = iter(range(len(batch), rank))
    batches = iter(range(len(batch)))
    return np.transpose(made, [next(offsets) if d in numbers.offset_dims else next(batches) for d in range(rank)])


def scatter(combine):
    """The scatter that stores updates, or combines them with what is there by a ufunc."""

    def function(x, indices, updates, dimension_numbers, mode, **_):
        numbers = dimension_numbers
        dropped = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
        window = [d for d in range(x.ndim) if d not in dropped]
        batch_dims = [d for d in range(updates.ndim) if d not in numbers.update_window_dims]
        updates = np.transpose(updates, (*batch_dims, *numbers.update_window_dims))
        sizes = dict(zip(window, updates.shape[len(batch_dims) :]))
        starts = _starts(
            indices,
            numbers.scatter_dims_to_operand_dims,
            numbers.operand_batching_dims,
            numbers.scatter_indices_batching_dims,
        )
        starts, inside = _clamped(starts, x.shape, [sizes.get(d, 1) for d in range(x.ndim)])
        where = _positions(starts, x.ndim, window, list(sizes.values()), len(batch_dims))
        if Mode.from_any(mode) is not Mode.CLIP and inside is not None and not np.all(inside):
            where = tuple(np.broadcast_to(w, updates.shape)[inside] for w in where)
            updates = updates[inside]
        made = x.copy()
        if combine is None:
            made[where] = updates
        else:
            combine.at(made, where, updates)
        return made

    return function


def _starts(indices, index_map, batching, indices_batching) -> dict:
    """By dimension of the operand: where each window starts."""
    batch = indices.shape[:-1]
    starts = {d: indices[..., i].astype(np.int64) for i, d in enumerate(index_map)}
    for d, at in zip(batching, indices_batching):
        line = [1] * len(batch)
        line[at] = batch[at]
        starts[d] = np.broadcast_to(np.arange(batch[at]).reshape(line), batch)
    return starts


def _clamped(starts: dict, shape, sizes):
    """The starts moved so that every window fits, and which of them did before (None: there is nothing to say)."""
    found, inside = {}, None
    for d, start in starts.items():
        fits = (start >= 0) & (start <= shape[d] - sizes[d])
        inside = fits if inside is None else inside & fits
        found[d] = np.clip(start, 0, max(shape[d] - sizes[d], 0))
    return found, inside


def _positions(starts: dict, rank: int, window: list, sizes: list, batch_rank: int) -> tuple:
    """One index array for each dimension of the operand: first the batch, then the window."""
    where = []
    for d in range(rank):
        start = starts.get(d, 0)
        at = np.reshape(start, (*np.shape(start), *[1] * len(window))) if d in starts else 0
        if d in window:
            line = [1] * (batch_rank + len(window))
            line[batch_rank + window.index(d)] = -1
            at = at + np.arange(sizes[window.index(d)]).reshape(line)
        where.append(at)
    return tuple(np.asarray(w) for w in where)


def _filler(dtype, fill_value):
    if fill_value is not None:
        return np.asarray(fill_value, dtype)
    if dtype.kind in "fc":
        return np.asarray(np.nan, dtype)
    return np.asarray(
        {"i": lambda: np.iinfo(dtype).min, "u": lambda: np.iinfo(dtype).max}.get(dtype.kind, bool)(), dtype
    )
