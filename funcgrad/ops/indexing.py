"""Reading and writing ``x[index]``, with an index that `parse_index` took apart.

See https://docs.pytorch.org/docs/stable/tensor_indexing_api.html.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import broadcast_shapes
from funcgrad.ops import _marks
from funcgrad.ops._layout import mask_operands, nonzero_indices, parse_index, splice_masks, takes_operand
from funcgrad.ops._number import Array, Number, Scalar, as_array, is_number
from funcgrad.ops._positions import check_value
from funcgrad.ops._sizes import brackets, expand_size
from funcgrad.ops.scatter_reductions import add_at

__all__ = [
    "getitem",
    "index_put",
    "mask_operands",
    "nonzero_indices",
    "parse_index",
    "scatter_at",
    "setitem",
    "splice_masks",
    "writes_masked",
]

# -- the basic part: slices, positions and new dimensions -------------------------------------------------------------


class _Basic:
    """The basic part of a layout for a tensor of `shape`: one window of the tensor, and the window's own shape.

    Attributes:
        starts, sizes: the window; `steps`: which of its elements count.
        shape: the result's shape before index arrays act.
        arrays: (dimension of the result, operand) for each index array.
        masks: (dimension of the result, ndim, operand).
    """

    def __init__(self, shape: tuple[int, ...], layout: tuple, operands: tuple):
        self.starts, self.sizes, self.steps = [np.int32(0)] * len(shape), list(shape), [1] * len(shape)
        self.shape, self.arrays, self.masks = [], [], []
        values, dim = iter(operands), 0
        for item in layout:
            value = next(values) if takes_operand(item) else None
            if item == ":" or item == "a":
                if item == "a":
                    self.arrays.append((len(self.shape), value))
                self.shape.append(shape[dim])
            elif item == "i":
                self.starts[dim], self.sizes[dim] = _position(value, shape[dim]), 1
            elif item.__class__ is tuple and item[0] == "s":
                self._slice(dim, shape[dim], value, *item[1:])
            elif item.__class__ is tuple:
                self.masks.append((len(self.shape), item[1], value))
                self.shape.extend(shape[dim : dim + item[1]] if item[1] else (1,))
                dim += item[1]
                continue
            else:  # a new dimension
                if item != "n":
                    self.arrays.append((len(self.shape), np.zeros(int(item), np.int32) if value is None else value))
                self.shape.append(1)
                continue
            dim += 1
        self.shape.extend(shape[dim:])
        self.whole = tuple(self.sizes) == tuple(shape) and math.prod(self.steps) == 1
        self.strided = math.prod(self.steps) > 1

    def _slice(self, dim: int, n: int, start, length: int, step: int) -> None:
        self.starts[dim], self.steps[dim] = _position(start, n), step if length > 1 else 1
        self.sizes[dim] = (length - 1) * step + 1 if length else 0
        self.shape.append(length)

    def read(self, x: Array) -> Array:
        """The window of `x`, in the result's shape."""
        if not self.whole:
            # With starts given at run time the gradient is one dynamic_update_slice: 256x1024 in halves 1.7 ms. A
            # static slice's gradient pads, which XLA fuses into what follows and computes over and over: 6.4 ms.
            x = lax.dynamic_slice(x, self.starts, self.sizes, allow_negative_indices=False)
        if self.strided:
            x = lax.slice(x, (0,) * x.ndim, x.shape, self.steps)
        return x.reshape(self.shape)

    def write(self, x: Array, new: Array) -> Array:
        """`x` with the window replaced by `new`, which has the result's shape."""
        if self.whole:
            return new.reshape(x.shape)
        kept = [-(-n // step) for n, step in zip(self.sizes, self.steps)]
        new = new.reshape(kept)
        if self.strided and new.size:
            new = self._spread(x, new)
        return lax.dynamic_update_slice(x, new, self.starts, allow_negative_indices=False)

    def _spread(self, x: Array, new: Array) -> Array:
        """The strided elements `new` among the window's others: padding and a select, where a scatter is a loop."""
        old = lax.dynamic_slice(x, self.starts, self.sizes, allow_negative_indices=False)
        new = lax.pad(new, jnp.zeros((), new.dtype), [(0, 0, step - 1) for step in self.steps])
        chosen = np.ones((1,) * x.ndim, bool)
        for d, (n, step) in enumerate(zip(self.sizes, self.steps)):
            chosen = chosen & (np.arange(n) % step == 0).reshape([-1 if i == d else 1 for i in range(x.ndim)])
        return jnp.where(_small_mask(chosen, self.sizes, self.steps), new, old)


def _small_mask(chosen: np.ndarray, sizes, steps):
    """Which elements of a window its steps hit, computed in the program: a large constant would slow compiling."""
    if chosen.size <= 4096:
        return chosen
    hit = None
    for d, step in enumerate(steps):
        if step > 1:
            part = lax.broadcasted_iota(jnp.int32, tuple(sizes), d) % step == 0
            hit = part if hit is None else hit & part
    return hit


def _position(value, size: int):
    """A start for `dynamic_slice`; those given as arrays may be negative."""
    if isinstance(value, Number):
        return value.value.astype(jnp.int32)
    if is_number(value):
        return np.int32(value)
    value = jnp.asarray(value).astype(jnp.int32).reshape(())
    return jnp.where(value < 0, value + size, value)


# -- index arrays -----------------------------------------------------------------------------------------------------


def _index_arrays(arrays, shape) -> tuple:
    """The index arrays as a NumPy-style index: non-negative, 32 bits wide, slices between them."""
    if not arrays:
        return ()
    try:
        broadcast_shapes(*[np.shape(a) for _, a in arrays])
    except RuntimeError:
        shapes = ", ".join(brackets(np.shape(a)) for _, a in arrays)
        message = f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
        raise IndexError(message) from None
    index = [slice(None)] * (arrays[-1][0] + 1)
    narrow = max(shape, default=0) < 2**31
    for dim, array in arrays:
        array = jnp.asarray(array)
        array = jnp.where(array < 0, array + shape[dim], array)
        index[dim] = array.astype(jnp.int32) if narrow else array
    return tuple(index)


def _check_nonempty(arrays, shape) -> None:
    for dim, array in arrays:
        if not shape[dim] and math.prod(np.shape(array)):
            raise IndexError("index is out of bounds for dimension with size 0")


def _spliced(layout: tuple, operands: tuple) -> tuple[tuple, tuple]:
    """Masks replaced by index arrays, which needs their values."""
    at = mask_operands(layout)
    if not at:
        return layout, operands
    for k in at:
        if isinstance(operands[k], jax.core.Tracer):
            raise RuntimeError("a boolean mask decides a shape: its values must be known before the program is built")
    return splice_masks(layout, operands, [nonzero_indices(operands[k]) for k in at])


def getitem(input: Array, layout, *operands: Array | Scalar):
    """``input[index]`` for the `layout` and `operands` that `parse_index` made of `index`.

    Basic indexing is a dynamic slice; index arrays gather, in PyTorch's order of dimensions: where all of them are
    neighbours their dimensions take the place of the first, else they come first.

    Example:
        >>> layout, operands = parse_index((3, 4), (1, slice(1, 3)))
        >>> getitem(jnp.arange(12).reshape(3, 4), layout, *operands).tolist()
        [5, 6]
    """
    layout, operands = _spliced(layout, operands)
    basic = _Basic(input.shape, layout, operands)
    x = basic.read(input)
    if not basic.arrays:
        return x
    _check_nonempty(basic.arrays, x.shape)
    index = _index_arrays(basic.arrays, x.shape)
    return x.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


def writes_masked(ndim: int, layout: tuple, value_shape: tuple[int, ...]) -> bool:
    """Whether ``x[index] = value`` on `ndim` dimensions needs no values of its mask.

    That is so where one mask is the only index array and `value` is the same for all of the mask's positions: what
    people write most, ``x[mask] = 0``, is then a select.
    """
    if sum(item.__class__ is tuple and item[0] == "m" and item[1] > 0 for item in layout) != 1:
        return False
    if any(item in ("a", "u") or item is True or item is False or item == ("m", 0) for item in layout):
        return False
    rest = _after_mask(ndim, layout)
    return len(value_shape) <= rest or value_shape[-rest - 1] == 1


def _after_mask(ndim: int, layout: tuple) -> int:
    """How many dimensions of ``x[index]`` follow the one that counts the mask's positions."""
    used = sum(item[1] if item.__class__ is tuple and item[0] == "m" else item != "n" for item in layout)
    last = next(k for k, item in enumerate(layout) if item.__class__ is tuple and item[0] == "m")
    return sum(item != "i" for item in layout[last + 1 :]) + ndim - used


def setitem(input: Array, value: Array | Scalar, layout, *operands: Array | Scalar):
    """`input` after ``input[index] = value``; `value` is broadcast and converted to the dtype of `input`.

    Raises:
        RuntimeError: `value` does not broadcast to the indexed shape, or has another dtype where arrays index.
    """
    if is_number(value):
        check_value(value, input)
    if layout == (False,):
        return input
    shape = () if is_number(value) else value.shape
    masked = mask_operands(layout) and writes_masked(input.ndim, layout, shape)
    if not masked:
        layout, operands = _spliced(layout, operands)
    basic = _Basic(input.shape, layout, operands)
    if layout == (True,) or not (basic.arrays or masked):
        return basic.write(input, _copied(value, tuple(basic.shape), input))
    if not is_number(value):
        if value.dtype != input.dtype and not (masked and not value.ndim):
            _check_spread(basic, value)
            raise _dtype_mismatch(input, value)
        value = _without_leading_ones(value)
    value, x = as_array(value, input.dtype), basic.read(input)
    if masked:
        return basic.write(input, _where_masked(x, value, basic.masks[0], _after_mask(input.ndim, layout)))
    _check_nonempty(basic.arrays, basic.shape)
    return basic.write(input, scatter_at(x, _index_arrays(basic.arrays, x.shape), value))


def _check_spread(basic: _Basic, value: Array) -> None:
    """The error for a value of a wrong shape, which comes before that for its dtype."""
    if not basic.arrays:
        return
    sizes = jax.eval_shape(lambda x: x[_index_arrays(basic.arrays, x.shape)], jnp.zeros(basic.shape, bool)).shape
    shape = _without_leading_ones(value).shape
    if len(shape) > len(sizes) or not _fits(shape, sizes):
        raise _misfit(value, sizes)


def _misfit(value: Array, sizes) -> RuntimeError:
    return RuntimeError(
        f"shape mismatch: value tensor of shape {brackets(value.shape)} cannot be broadcast to indexing result of "
        f"shape {brackets(sizes)}"
    )


def _where_masked(x: Array, value: Array, where: tuple, rest: int) -> Array:
    """`x` with `value` wherever the mask holds; `rest` dimensions follow the mask's."""
    dim, ndim, mask = where
    if value.ndim > rest:
        value = value.reshape(value.shape[: value.ndim - rest - 1] + (1,) * ndim + value.shape[value.ndim - rest :])
    if value.ndim > x.ndim or not _fits(value.shape, x.shape):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {brackets(value.shape)} cannot be broadcast to indexing result"
        )
    mask = lax.broadcast_in_dim(jnp.asarray(mask) != 0, x.shape, tuple(range(dim, dim + ndim)))
    return jnp.where(mask, value, x)


def _without_leading_ones(value: Array) -> Array:
    """PyTorch drops a value's leading dimensions of size 1 before it broadcasts."""
    extra = next((i for i, n in enumerate(value.shape) if n != 1), value.ndim)
    return value.reshape(value.shape[extra:])


def _copied(value, shape: tuple[int, ...], like: Array) -> Array:
    """`value` in the shape and dtype it has after ``view.copy_(value)``."""
    value = as_array(value, like.dtype)
    if value.ndim > len(shape):
        value = _without_leading_ones(value)
    return jnp.broadcast_to(value, expand_size(value.shape, shape, _dtypes.to_dtype(like.dtype).scalar_name))


def _dtype_mismatch(input: Array, value: Array) -> RuntimeError:
    to, of = (_dtypes.to_dtype(x.dtype).scalar_name for x in (input, value))
    return RuntimeError(
        f"Index put requires the source and destination dtypes match, got {to} for the destination and {of} for the "
        "source."
    )


def scatter_at(x: Array, index: tuple, value: Array, accumulate: bool = False) -> Array:
    """`x` with `value` (broadcast) stored, or added, at ``x[index]``; `index` is non-negative.

    Where positions repeat, one of the values stays, and all of them get its gradient, as PyTorch has it: that is what
    `unique_indices` makes of JAX's derivative.
    """
    shape = jax.eval_shape(lambda x: x[index], x).shape
    if value.ndim > len(shape) or not _fits(value.shape, shape):
        raise _misfit(value, shape)
    if not math.prod(shape):
        return x
    value = jnp.broadcast_to(value, shape)
    if accumulate:
        return add_at(x, index, value)
    return x.at[index].set(value, mode="promise_in_bounds", unique_indices=True, wrap_negative_indices=False)


def _fits(shape, target) -> bool:
    return all(n in (1, m) for n, m in zip(reversed(shape), reversed(target)))


# -- index_put --------------------------------------------------------------------------------------------------------


def _rewrite_index_put(input, indices, values, accumulate=False):
    layout, operands, dim, shape = [], [], 0, tuple(input.shape)
    spoken = sum(1 if i is None or not _is_mask(i) else len(i.shape) for i in indices)
    if spoken > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)} (got {spoken})")
    for index in indices:
        if index is None:
            layout.append(":")
        elif _is_mask(index):
            parse_index(shape[dim:], index)  # checks its shape
            layout.extend("a" * len(index.shape) or "u")
            operands.extend(nonzero_indices(index))
        elif _dtypes.to_dtype(index.dtype) not in (_dtypes.int32, _dtypes.int64):
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        else:
            layout.append("a")
            operands.append(index)
        dim += len(index.shape) if index is not None and _is_mask(index) else 1
    return _put_at, (input, values, accumulate, tuple(layout), *operands), {}


def _is_mask(index) -> bool:
    return index is not None and _dtypes.to_dtype(index.dtype) in (_dtypes.bool_, _dtypes.uint8)


def _put_at(input: Array, values: Array, accumulate, layout, *operands: Array | Scalar) -> Array:
    if values.dtype != input.dtype:
        raise _dtype_mismatch(input, values)
    basic = _Basic(input.shape, layout, operands)
    _check_nonempty(basic.arrays, basic.shape)
    return scatter_at(input, _index_arrays(basic.arrays, input.shape), values, accumulate)


@_marks.depends_on_values(rewrite=_rewrite_index_put)
def index_put(input: Array, indices: Sequence[Array | None], values: Array, accumulate=False):
    """`input` with `values` stored at ``input[indices]``, or added there if `accumulate`.

    Raises:
        RuntimeError: `values` has another dtype, or does not broadcast.
    """
    function, args, _ = _rewrite_index_put(input, indices, values, accumulate)
    return function(*args)
