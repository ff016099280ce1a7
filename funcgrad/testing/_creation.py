"""Tensors of random values for tests."""

from __future__ import annotations

import math

from funcgrad import _dtypes, _operators
from funcgrad._facade import _creation
from funcgrad._formats import preserve_format
from funcgrad._tensor import Tensor

_LIMIT = 9


def make_tensor(
    *shape: int | tuple | list, dtype: _dtypes.dtype, device, low: float | None = None, high: float | None = None,
    requires_grad: bool = False, noncontiguous: bool = False, exclude_zero: bool = False, memory_format=None,
) -> Tensor:  # fmt: skip
    """A tensor of uniformly drawn values, by default between -9 and 9 (0 and 9 if unsigned).

    Args:
        low, high: the values drawn, `high` excluded.
        noncontiguous: leave gaps between the elements.
        exclude_zero: replace zeros by the smallest positive number.

    Example:
        >>> import funcgrad as torch
        >>> torch.testing.make_tensor(2, 3, dtype=torch.int64, device="cpu").shape
        torch.Size([2, 3])

    Source: https://docs.pytorch.org/docs/stable/testing.html#torch.testing.make_tensor
    """
    if noncontiguous and memory_format is not None:
        raise ValueError("The parameters `noncontiguous` and `memory_format` are mutually exclusive")
    if len(shape) == 1 and not isinstance(shape[0], int):
        shape = tuple(shape[0])
    if requires_grad and not (dtype.is_floating_point or dtype.is_complex):
        raise ValueError(f"`requires_grad=True` is only supported for floating point and complex dtypes, got {dtype=}")
    gaps = noncontiguous and math.prod(shape) > 1
    made = _drawn((*shape[:-1], 2 * shape[-1]) if gaps else shape, dtype, device, low, high)
    if gaps:
        made = made[..., 1::2]
    elif memory_format is not None and memory_format is not preserve_format:
        made = made.clone(memory_format=memory_format)
    if exclude_zero:
        made[made == 0] = 1 if dtype.category <= _dtypes.INTEGER else float(_smallest(dtype))
    return made.requires_grad_() if requires_grad else made


def _smallest(dtype: _dtypes.dtype) -> float:
    from funcgrad._info import finfo

    return finfo(dtype).tiny


def _within(dtype: _dtypes.dtype, low, high):
    """The bounds, cut to what the dtype can hold."""
    if dtype.category > _dtypes.INTEGER:
        return low, high
    from funcgrad._info import iinfo

    least, end = (0, 2) if dtype is _dtypes.bool_ else (iinfo(dtype).min, iinfo(dtype).max + 1)
    if (low is not None and low >= end) or (high is not None and high <= least):
        raise ValueError(
            f"The value interval specified by `low` and `high` is [{low}, {high}), but {dtype} only supports "
            f"[{least}, {end})"
        )
    return None if low is None else max(low, least), None if high is None else min(high, end)


def _drawn(shape, dtype: _dtypes.dtype, device, low, high) -> Tensor:
    empty = _creation.creation_form("empty")
    low, high = _within(dtype, low, high)
    if dtype is _dtypes.bool_:
        return empty(shape, dtype=dtype, device=device).random_(
            0 if low is None else int(low), 2 if high is None else int(high)
        )
    if dtype.category <= _dtypes.INTEGER:
        low = (0 if not dtype.is_signed else -_LIMIT) if low is None else math.ceil(low)
        high = _LIMIT + 1 if high is None else math.ceil(high)
        return empty(shape, dtype=dtype, device=device).random_(low, high)
    low, high = -_LIMIT if low is None else low, _LIMIT if high is None else high
    if dtype.is_complex:
        parts = empty((*shape, 2), dtype=dtype.to_real(), device=device).uniform_(low, high)
        return _operators.call("view_as_complex", parts)
    return empty(shape, dtype=dtype, device=device).uniform_(low, high)
