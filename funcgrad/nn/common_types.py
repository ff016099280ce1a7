"""Type aliases for arguments that may be given once or for every dimension.

Source: https://github.com/pytorch/pytorch/blob/main/torch/nn/common_types.py
"""

from __future__ import annotations

from typing import TypeVar

from funcgrad._tensor import Tensor

T = TypeVar("T")


def _or_tuple(kind, count: int):
    """`kind`, or a tuple of `count` of it."""
    return kind | tuple[(kind,) * count]


_scalar_or_tuple_any_t = T | tuple[T, ...]
_size_any_t = int | tuple[int, ...]
_size_any_opt_t = int | None | tuple[int | None, ...]
_ratio_any_t = float | tuple[float, ...]
_tensor_list_t = Tensor | tuple[Tensor, ...]
_maybe_indices_t = Tensor | tuple[Tensor, Tensor]
for _count in range(1, 7):
    globals()[f"_scalar_or_tuple_{_count}_t"] = _or_tuple(T, _count)
    globals()[f"_size_{_count}_t"] = _or_tuple(int, _count)
for _count in (2, 3):
    globals()[f"_size_{_count}_opt_t"] = _or_tuple(int | None, _count)
    globals()[f"_ratio_{_count}_t"] = _or_tuple(float, _count)
