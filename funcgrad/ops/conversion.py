"""Conversions of dtype. See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html."""

from __future__ import annotations

from funcgrad.ops import _number
from funcgrad.ops._number import Array


def cast(input: Array, dtype) -> Array:
    """`input` converted to `dtype`: towards zero for integers, non-zero is True, imaginary parts are dropped."""
    return _number.cast(input, dtype)
