"""The rules of `index_bounds` for Python numbers that an array's dtype must be able to hold."""

from __future__ import annotations

import math
from collections.abc import Callable

from funcgrad import _dtypes
from funcgrad.ops._bounds import Check

_CPP_NAMES = {
    "float32": "float", "int64": "int64_t", "int32": "int", "int16": "int16_t", "int8": "int8_t", "uint8": "uint8_t",
    "float16": "c10::Half", "bfloat16": "c10::BFloat16",
}  # fmt: skip
_LARGEST = {"float32": 3.4028234663852886e38, "float16": 65504.0, "bfloat16": 3.3895313892515355e38}


class _Holds(Check):
    """A check of a number; `closed` says that infinities do not fit: they never fit whole dtypes."""

    def bad(self, values):
        fits = (values >= self.low) & (values <= self.high)
        return ~(fits if self.closed else fits | (abs(values) == math.inf))


def holds(value, dtype) -> list[Check]:
    """The check that `dtype` can hold a Python number (from -max to max: unsigned dtypes take negative ones)."""
    d = _dtypes.to_dtype(dtype)
    if not isinstance(value, int | float) or isinstance(value, bool) or d.name not in _CPP_NAMES:
        return []
    whole = d.category == _dtypes.INTEGER
    if not whole and value != value:
        return []
    high = _LARGEST.get(d.name) or 2 ** (8 * d.itemsize - (d.name[0] != "u")) - 1
    low = -high - (d.name[0] == "i")
    text = f"value cannot be converted to type {_CPP_NAMES[d.name]} without overflow"
    return [_Holds(value, low, high, lambda value: RuntimeError(text), closed=whole)]


def _value(position: int, keyword: str = "value"):
    """For functions whose argument at `position` becomes elements of the first."""

    def rule(input, *args, **kwargs) -> list[Check]:
        value = args[position - 1] if len(args) >= position else kwargs.get(keyword)
        return holds(value, input.dtype)

    return rule


def _full(size, fill_value=None, *, dtype=None, **options) -> list[Check]:
    return [] if dtype is None else holds(fill_value, dtype)


def _clamp(input, min=None, max=None) -> list[Check]:
    if _dtypes.to_dtype(input.dtype).category != _dtypes.INTEGER:
        return []
    return [c for x in (min, max) if isinstance(x, int) for c in holds(x, input.dtype)]


NUMBER_BOUNDS: dict[str, Callable[..., list[Check]]] = {
    "fill": _value(1), "masked_fill": _value(2), "full": _full, "clamp": _clamp, "clip": _clamp,
}  # fmt: skip
"""Function name to rule, part of `INDEX_BOUNDS`."""
