"""Python indices taken apart: what is constant of ``x[1:3, None, rows]`` (its layout), and what is a run-time value.

A layout is a tuple with one item per dimension spoken of (trailing full slices are left out):

    ======================  ==================================================  =======
    item                    meaning                                             operand
    ======================  ==================================================  =======
    ``":"``                 the whole dimension
    ``("s", length, step)`` a slice                                             start
    ``"i"``                 one position; the dimension goes                    position
    ``"n"``                 a new dimension of size 1 (``None``)
    ``"a"``                 positions from an integer array                     array
    ``("m", ndim)``         a boolean mask over `ndim` dimensions               mask
    ``"u"``                 an index array into a new dimension of size 1       array
    ``True``, ``False``     as a mask without dimensions, known here
    ======================  ==================================================  =======

Positions and starts are non-negative Python ints, checked here; they become run-time inputs, so ``x[i]`` compiles
once for all i. See https://docs.pytorch.org/docs/stable/tensor_indexing_api.html.
"""

from __future__ import annotations

import operator
import warnings

import numpy as np

from funcgrad import _dtypes
from funcgrad.ops._sizes import brackets

_BYTES = "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead."
_ONE = ("i",)
_INDEX_DTYPES = (_dtypes.int64, _dtypes.int32)
_MASK_DTYPES = (_dtypes.bool_, _dtypes.uint8)


def parse_index(shape: tuple[int, ...], index) -> tuple[tuple, tuple]:
    """The layout and the operands of ``x[index]`` for an `x` of `shape`.

    `index` holds integers, slices, None, Ellipsis, bools, lists, and anything with a shape and a dtype.

    Raises:
        IndexError: too many indices, one out of bounds, a mask of another shape, or an index of a wrong kind.

    Example:
        >>> parse_index((5, 6), (2, slice(1, 4)))
        (('i', ('s', 3, 1)), (2, 1))
    """
    if index.__class__ is int:
        n = _first_size(shape)
        if 0 <= index < n:
            return _ONE, (index,)
        if -n <= index < 0:
            return _ONE, (index + n,)
        raise _out_of_bounds(index, 0, n)
    items = index if index.__class__ is tuple else _as_items(index)
    parser = _Parser(shape, _specified(items))
    for parser.number, item in enumerate(items):  # errors call an index by its place
        parser.take(item)
    if parser.known:
        parser.check_bounds()
    layout = parser.layout
    while layout and layout[-1] == ":":
        layout.pop()
    return tuple(layout), tuple(parser.operands)


def _first_size(shape) -> int:
    if not shape:
        raise IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a "
            "0-dim tensor to a number"
        )
    return shape[0]


def _as_items(index) -> tuple:
    """An index that is no tuple as one: a list that holds more than numbers is a tuple, as NumPy once had it."""
    if isinstance(index, tuple):
        return tuple(index)
    if isinstance(index, list | range) and len(index) < 32:
        for item in index:
            if item is None or item is Ellipsis or isinstance(item, list | tuple | slice | range | str):
                return tuple(index)
            if hasattr(item, "shape") and not isinstance(item, np.generic):
                return tuple(index)
    return (index,)


def _specified(items) -> int:
    """How many dimensions of the tensor the items speak of."""
    count = 0
    for item in items:
        if item.__class__ is int or item.__class__ is slice:
            count += 1
        elif item is None or item is Ellipsis or item is True or item is False:
            continue
        elif hasattr(item, "dtype"):
            count += len(item.shape) if _dtypes.to_dtype(item.dtype) in _MASK_DTYPES else 1
        elif isinstance(item, list | tuple | range):
            array = np.asarray(item)
            count += array.ndim if array.dtype == bool else 1
        else:
            count += 1
    return count


class _Parser:
    """Goes through the items; `dim` is the tensor's next dimension, `at` the result's before index arrays act."""

    def __init__(self, shape, specified: int):
        self.shape = shape
        self.dim = self.at = self.number = 0
        self.layout: list = []
        self.operands: list = []
        self.skip = len(shape) - specified
        self.known: list = []  # index arrays whose values are at hand: (array, size, which of the arrays)
        if self.skip < 0:
            raise IndexError(f"too many indices for tensor of dimension {len(shape)}")

    def take(self, item) -> None:
        if item.__class__ is slice:
            self.slice(item)
        elif item.__class__ is int:
            self.position(item)
        elif item is None:
            self.new("n")
        elif item is Ellipsis:
            self.layout.extend([":"] * self.skip)
            self.dim += self.skip
            self.at += self.skip
            self.skip = 0
        elif item is True or item is False:
            self.new(item)
        elif hasattr(item, "dtype") and hasattr(item, "shape") and not isinstance(item, np.generic):
            self.array(item)
        else:
            self.other(item)

    def new(self, item) -> None:
        self.layout.append(item)
        self.at += 1

    def slice(self, item: slice) -> None:
        n = self.shape[self.dim]
        self.dim += 1
        self.at += 1
        if item.start is None and item.stop is None and item.step is None:
            self.layout.append(":")
            return
        if item.step is not None and operator.index(item.step) < 0:
            raise ValueError("step must be greater than zero")
        start, stop, step = item.indices(n)
        length = max(0, -((start - stop) // step))
        if length == n and step == 1:
            self.layout.append(":")
            return
        self.layout.append(("s", length, step))
        self.operands.append(start if length else 0)

    def position(self, i: int) -> None:
        n = self.shape[self.dim]
        if not -n <= i < n:
            raise _out_of_bounds(i, self.number, n)
        self.dim += 1
        self.layout.append("i")
        self.operands.append(i + n if i < 0 else i)

    def array(self, item) -> None:
        d = _dtypes.to_dtype(item.dtype)
        numpy = isinstance(item, np.ndarray)
        if numpy and d not in _INDEX_DTYPES and d is not _dtypes.bool_:
            item, d = item.astype(np.int64), _dtypes.int64
        ndim = len(item.shape)
        if d in _MASK_DTYPES:
            if ndim and d is _dtypes.uint8:
                warnings.warn(_BYTES, UserWarning, stacklevel=5)
            self.mask(item, ndim)
        elif not ndim and d.category == _dtypes.INTEGER:
            if numpy:
                return self.position(int(item))
            self.dim += 1
            self.layout.append("i")
            self.operands.append(item)
        elif d not in _INDEX_DTYPES:
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        else:
            if numpy:
                at = sum(i[1] if i.__class__ is tuple and i[0] == "m" else i == "a" for i in self.layout)
                self.known.append((item, self.shape[self.dim], at))
            self.dim += 1
            self.at += 1
            self.layout.append("a")
            self.operands.append(item)

    def mask(self, item, ndim: int) -> None:
        for k in range(ndim):
            if item.shape[k] != self.shape[self.dim + k]:
                seen = (*self._result_shape(), *self.shape[self.dim :])
                raise IndexError(
                    f"The shape of the mask {brackets(item.shape)} at index {k} does not match the shape of the "
                    f"indexed tensor {brackets(seen)} at index {self.at + k}"
                )
        self.dim += ndim
        self.at += max(ndim, 1)
        self.layout.append(("m", ndim))
        self.operands.append(item)

    def _result_shape(self) -> list[int]:
        """The dimensions so far of what the index arrays will be applied to."""
        sizes, dim = [], 0
        for item in self.layout:
            if item == "i":
                dim += 1
            elif item in ("n", "u") or item is True or item is False or item == ("m", 0):
                sizes.append(1)
            elif item[0] == "m":
                sizes.extend(self.shape[dim : dim + item[1]])
                dim += item[1]
            else:
                sizes.append(item[1] if item[0] == "s" else self.shape[dim])
                dim += 1
        return sizes

    def check_bounds(self) -> None:
        """Check the arrays that came as lists or from NumPy, unless the result is empty and nothing is read."""
        if any(item.__class__ is tuple and item[0] == "s" and not item[1] for item in self.layout):
            return
        for array, n, at in self.known:
            bad = array[(array < -n) | (array >= n)]
            if bad.size and not n:
                raise IndexError("index is out of bounds for dimension with size 0")
            if bad.size and 0 not in self.shape:
                raise _out_of_bounds(bad[0], at, n)

    def other(self, item) -> None:
        if isinstance(item, list | tuple | range | str):
            self.array(_sequence(item))
            return
        if isinstance(item, np.bool_) or not hasattr(item, "__index__"):
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
                f"(got {_type_name(item)})"
            )
        self.position(operator.index(item))


def _sequence(item) -> np.ndarray:
    """A list of numbers as an index array (or mask)."""
    if isinstance(item, str) or any(isinstance(x, str) for x in item):
        raise TypeError("new(): invalid data type 'str'")
    array = np.asarray(item)
    if array.dtype == object:
        array = np.asarray([operator.index(x) for x in item], np.int64)
    return array if array.dtype == bool else array.astype(np.int64)


def _type_name(x) -> str:
    kind = type(x)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _out_of_bounds(i, dim: int, size: int) -> IndexError:
    return IndexError(f"index {i} is out of bounds for dimension {dim} with size {size}")


# -- masks ------------------------------------------------------------------------------------------------------------


def takes_operand(item) -> bool:
    """Whether a layout's item has a run-time value."""
    return item in ("i", "a", "u") or (item.__class__ is tuple)


def mask_operands(layout: tuple) -> tuple[int, ...]:
    """Which of the operands are boolean masks."""
    items = [item for item in layout if takes_operand(item)]
    return tuple(k for k, item in enumerate(items) if item[0] == "m")


def nonzero_indices(mask: np.ndarray) -> tuple[np.ndarray, ...]:
    """What takes a concrete mask's place: one index array for each of its dimensions (one if it has none)."""
    mask = np.asarray(mask)
    if not mask.ndim:
        return (np.zeros(int(mask != 0), np.int64),)
    return tuple(mask.nonzero())


def splice_masks(layout: tuple, operands: tuple, found: list) -> tuple[tuple, tuple]:
    """Layout and operands with every mask replaced by its `nonzero_indices`, given in order in `found`."""
    new_layout, new_operands = [], []
    values, arrays = iter(operands), iter(found)
    for item in layout:
        if item.__class__ is tuple and item[0] == "m":
            next(values)
            new_layout.extend("a" * item[1] if item[1] else "u")
            new_operands.extend(next(arrays))
            continue
        new_layout.append(item)
        if takes_operand(item):
            new_operands.append(next(values))
    return tuple(new_layout), tuple(new_operands)
