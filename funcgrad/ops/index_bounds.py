"""Which values an index array may hold: PyTorch raises for others, a compiled program cannot.

`INDEX_BOUNDS` has, for each function that takes index arrays, a rule with the function's own signature. It gives the
checks to make on a call's arrays wherever their values are at hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from funcgrad import _dtypes
from funcgrad._errors import broadcast_shapes, wrap_dim
from funcgrad.ops._bounds import Check, Count, NonZero
from funcgrad.ops._layout import takes_operand
from funcgrad.ops.label_bounds import LABEL_BOUNDS
from funcgrad.ops.number_bounds import NUMBER_BOUNDS, holds


def _size(shape, dim: int) -> tuple[int, int]:
    dim = wrap_dim(dim, len(shape))
    return dim, shape[dim] if shape else 1


def _by_dimension(kind: type[Exception], prefix: str = "", negative: bool = False):
    """For ``f(input, dim, index, ...)``, in the words of most functions."""

    def rule(input, dim, index, *args, **kwargs) -> list[Check]:
        dim, n = _size(input.shape, dim)
        text = f"{prefix}index {{}} is out of bounds for dimension {dim} with size {n}"
        return [Check(index, -n if negative else 0, n, lambda value: kind(text.format(value)))]

    return rule


def _index_select(input, dim, index) -> list[Check]:
    dim, n = _size(input.shape, dim)

    def error(value: int) -> Exception:
        if dim:  # PyTorch has a function of its own for these
            return RuntimeError(f"INDICES element is out of DATA bounds, id={value} axis_dim={n}")
        return IndexError("index out of range in self")

    return [Check(index, 0, n, error)]


def _index_reduce(input, dim, index, *args, **kwargs) -> list[Check]:
    return [Check(index, 0, _size(input.shape, dim)[1], lambda value: IndexError("index out of range in self"))]


def _flat(input, index, *args, **kwargs) -> list[Check]:
    n = math.prod(input.shape)
    text = "out of range: tried to access index {} on a tensor of {} elements."
    return [Check(index, -n, n, lambda value: IndexError(text.format(value, n)))]


def _position_error(at: int, n: int) -> Callable[[int], Exception]:
    return lambda value: IndexError(f"index {value} is out of bounds for dimension {at} with size {n}")


def _getitem(input, layout, *operands) -> list[Check]:
    checks, values, dim, arrays = [], iter(operands), 0, 0
    empty = any(item.__class__ is tuple and item[0] == "s" and not item[1] for item in layout)
    for number, item in enumerate(layout):
        value = next(values) if takes_operand(item) else None
        if item in ("n", "u") or item is True or item is False:
            continue
        n = input.shape[dim]
        if (item == "a" and not empty) or (item == "i" and hasattr(value, "shape")):
            checks.append(Check(value, -n, n, _position_error(arrays if item == "a" else number, n)))
        arrays += item[1] if item.__class__ is tuple and item[0] == "m" else item == "a"
        dim += item[1] if item.__class__ is tuple and item[0] == "m" else 1
    return checks


def _setitem(input, value, layout, *operands) -> list[Check]:
    checks = _getitem(input, layout, *operands)
    # Halves are written as doubles first, which hold any number.
    return (
        checks
        if _dtypes.to_dtype(input.dtype).itemsize == 2 and not _is_whole(input)
        else checks + holds(value, input.dtype)
    )


def _index_fill(input, dim, index, value) -> list[Check]:
    return _by_dimension(IndexError, negative=True)(input, dim, index) + holds(value, input.dtype)


def _index_put(input, indices, *args, **kwargs) -> list[Check]:
    checks, dim = [], 0
    for at, index in enumerate(indices):
        if index is not None and _dtypes.to_dtype(index.dtype) in (_dtypes.bool_, _dtypes.uint8):
            dim += len(index.shape)
            continue
        if index is not None:
            n = input.shape[dim]
            checks.append(Check(index, -n, n, _position_error(at, n)))
        dim += 1
    return checks


def _select(input, dim, index) -> list[Check]:
    dim, n = _size(input.shape, dim)
    where = f"for tensor of size {list(input.shape)} at dimension {dim}"
    return [Check(index, -n, n, lambda value: IndexError(f"select(): index {value} out of range {where}"))]


def _narrow(input, dim, start, length) -> list[Check]:
    _, n = _size(input.shape, dim)

    def beyond(value: int) -> Exception:
        value = value + n if value < 0 else value
        return RuntimeError(f"start ({value}) + length ({length}) exceeds dimension size ({n}).")

    text = f"start out of range (expected to be in range of [{-n}, {n}], but got {{}})"
    checks = [Check(start, -n, n, lambda value: IndexError(text.format(value)), closed=True)]
    if length and length <= n:
        # Negative positions count from the end: they fit from -n to -length.
        checks += [Check(start, -n, n - length, beyond, closed=True), _Fits(start, -length, n, beyond)]
    return checks


class _Fits(Check):
    """A check that negative elements are no larger than `low`."""

    def bad(self, values):
        return (values < 0) & (values > self.low)


def _is_whole(x) -> bool:
    """Whether a divisor or dividend is a bool or an integer, or an array of them."""
    d = getattr(x, "dtype", None)
    return isinstance(x, int) if d is None else _dtypes.to_dtype(d).category <= _dtypes.INTEGER


def _divided(input, other) -> list[Check]:
    if not _is_whole(other) or not _is_whole(input) or 0 in getattr(input, "shape", ()):
        return []
    return [NonZero(other, 0, 0, lambda value: RuntimeError("ZeroDivisionError"))]


def _rounded(input, other, *, rounding_mode=None) -> list[Check]:
    return [] if rounding_mode is None else _divided(input, other)


def _masked_scatter(input, mask, source) -> list[Check]:
    repeats = math.prod(broadcast_shapes(mask.shape, input.shape)) // max(math.prod(mask.shape), 1)
    text = "Number of elements of source < number of ones in mask"
    return [Count(mask, 0, math.prod(source.shape) / max(repeats, 1), lambda value: RuntimeError(text))]


def _index_add(input, dim, index, *args, **kwargs) -> list[Check]:
    if len(input.shape) < 2:
        return [Check(index, 0, _size(input.shape, dim)[1], lambda value: IndexError("index out of range in self"))]
    return _by_dimension(RuntimeError)(input, dim, index)


INDEX_BOUNDS: dict[str, Callable[..., list[Check]]] = {
    **dict.fromkeys(("gather", "scatter", "scatter_add", "scatter_reduce"), _by_dimension(RuntimeError)),
    "index_add": _index_add,
    "masked_scatter": _masked_scatter,
    "index_copy": _by_dimension(IndexError, "index_copy_(): "),
    "index_fill": _index_fill,
    "index_select": _index_select,
    "index_reduce": _index_reduce,
    "take": _flat,
    "put": _flat,
    "getitem": _getitem,
    "setitem": _setitem,
    "index_put": _index_put,
    "select": _select,
    "select_copy": _select,
    "select_scatter": lambda input, src, dim, index: _select(input, dim, index),
    **dict.fromkeys(("narrow", "narrow_copy"), _narrow),
    **dict.fromkeys(("floor_divide", "remainder", "fmod"), _divided),
    **dict.fromkeys(("div", "divide"), _rounded),
    **LABEL_BOUNDS,
    **NUMBER_BOUNDS,
}
"""Function name to rule; arrays may be anything with a shape and a dtype. `take_along_dim` and `unravel_index` take
positions modulo the size, so have none."""


def raise_out_of_bounds(name: str, *args, **kwargs) -> None:
    """Raise PyTorch's error if an index array of this call, all of them concrete, is out of range.

    Example:
        >>> raise_out_of_bounds("take", np.zeros(3), np.asarray([3]))
        Traceback (most recent call last):
        IndexError: out of range: tried to access index 3 on a tensor of 3 elements.
    """
    for check in INDEX_BOUNDS[name](*args, **kwargs):
        error = check.first_bad(np.asarray(check.indices))
        if error is not None:
            raise error
