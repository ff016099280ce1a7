"""What programs take from ``torch._utils``: several tensors as one vector, and back."""

from __future__ import annotations

from collections.abc import Sequence

from funcgrad import _dtypes, _operators
from funcgrad._tensor import Tensor


def _element_size(dtype: _dtypes.dtype) -> int:
    """The bytes of one element."""
    if not isinstance(dtype, _dtypes.dtype):
        raise RuntimeError(f"expected torch.dtype, but got {type(dtype)}")
    return dtype.itemsize


def _flatten_dense_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """All elements of `tensors` in one vector."""
    return _operators.call("cat", [t.contiguous().view(-1) for t in tensors])


def _unflatten_dense_tensors(flat: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """`flat` cut into views with the sizes of `tensors`."""
    parts, offset = [], 0
    for t in tensors:
        parts.append(flat.narrow(0, offset, t.numel()).view(t.shape))
        offset += t.numel()
    return tuple(parts)
