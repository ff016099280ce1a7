"""Reductions over consecutive runs of rows.

See https://docs.pytorch.org/docs/stable/torch.html#reduction-ops
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from funcgrad import _dtypes, _errors
from funcgrad.ops._number import Array, as_array, dtype_of

_START = {"sum": 0, "mean": 0, "prod": 1, "max": -math.inf, "min": math.inf}


def _ends(lengths: Array | None, offsets: Array | None) -> tuple[Array, Array]:
    """Where each segment begins and ends."""
    if offsets is not None:
        offsets = offsets.astype(jnp.int64)
        return offsets[..., :-1], offsets[..., 1:]
    ends = jnp.cumsum(lengths.astype(jnp.int64), -1)
    return ends - lengths.astype(jnp.int64), ends


def _check(data: Array, reduce: str, lengths, offsets, axis: int, unsafe: bool) -> int:
    axis = _errors.wrap_dim(axis, data.ndim)
    if lengths is None and offsets is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    if reduce not in _START:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    given, name = (lengths, "lengths") if offsets is None else (offsets, "offsets")
    if axis != given.ndim - 1:
        raise RuntimeError(f"segment_reduce(): Expected axis to be the last dimension of {name} but got {axis}.")
    if dtype_of(given) not in (_dtypes.int32, _dtypes.int64):
        kernel = f"_segment_reduce_{name}_cpu_kernel1"
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{dtype_of(given).scalar_name}'")
    if offsets is None and not unsafe and not isinstance(lengths, jax.core.Tracer):
        values = np.asarray(lengths)
        if (values < 0).any():
            raise RuntimeError("lengths contains negative value!")
        if (values.sum(-1) != data.shape[axis]).any():
            raise RuntimeError(
                "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when !unsafe."
            )
    _errors.check_dtype("_segment_reduce_cpu", dtype_of(data), "hf")
    return axis


def segment_reduce(
    data: Array,
    reduce: str,
    *,
    lengths: Array | None = None,
    indices: Array | None = None,
    offsets: Array | None = None,
    axis=0,
    unsafe=False,
    initial=None,
) -> Array:
    """``'sum'``, ``'mean'``, ``'prod'``, ``'max'`` or ``'min'`` of consecutive runs of `data` along `axis`.

    Args:
        lengths: how long each run is; `offsets`: where each begins, and where the last one ends.
        initial: what each run starts from.

    Example:
        >>> torch.segment_reduce(torch.tensor([1., 2., 3.]), "sum", lengths=torch.tensor([1, 2]))
        tensor([1., 5.])
    """
    axis = _check(data, reduce, lengths, offsets, axis, unsafe)
    starts, ends = _ends(lengths, offsets)
    n, segments = data.shape[axis], starts.shape[-1]
    batch, rest = math.prod(data.shape[:axis]), data.shape[axis + 1 :]
    rows = jnp.arange(n, dtype=jnp.int64)
    inside = (rows >= starts.reshape(batch, segments, 1)) & (rows < ends.reshape(batch, segments, 1))
    # Which run each row belongs to; rows of none go to one beyond the last.
    run = jnp.where(inside.any(1), jnp.argmax(inside, 1) if segments else 0, segments)
    flat = (run + (jnp.arange(batch) * (segments + 1))[:, None]).reshape(-1)
    function = {"max": jax.ops.segment_max, "min": jax.ops.segment_min, "prod": jax.ops.segment_prod}
    summed = function.get(reduce, jax.ops.segment_sum)(data.reshape(batch * n, *rest), flat, batch * (segments + 1))
    out = summed.reshape(batch, segments + 1, *rest)[:, :segments].reshape(*data.shape[:axis], segments, *rest)
    start = as_array(_START[reduce] if initial is None else initial, data.dtype)
    combine = {"max": jnp.maximum, "min": jnp.minimum, "prod": jnp.multiply}.get(reduce, jnp.add)
    out = combine(out, start)
    if reduce != "mean":
        return out
    count = (ends - starts).reshape(*data.shape[:axis], segments, *[1] * len(rest)).astype(data.dtype)
    empty = jnp.asarray(math.nan, data.dtype) if initial is None else start
    return jnp.where(count == 0, empty, out / jnp.where(count == 0, jnp.ones_like(count), count))
