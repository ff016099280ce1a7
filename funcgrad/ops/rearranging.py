"""Elements in another order or repeated: flip, roll, rot90, repeat, tile, repeat_interleave, unfold, as_strided.

See https://docs.pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops.
"""

from __future__ import annotations

import itertools
import math
import operator

import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import wrap_dim, wrap_dims
from funcgrad._warnings import warn_once
from funcgrad.ops import _marks
from funcgrad.ops._number import Array
from funcgrad.ops._sizes import as_tuple, brackets, check_size, sizes_from
from funcgrad.ops.broadcasting import unpacked

# -- reversing and shifting -------------------------------------------------------------------------------------------


def flip(input: Array, *dims, **keyword):
    """`input` in reverse order along each of `dims`.

    Example:
        >>> torch.flip(torch.arange(3), (0,))
        tensor([2, 1, 0])
    """
    if not dims and "dims" not in keyword:
        raise TypeError('flip() missing 1 required positional arguments: "dims"')
    return lax.rev(input, _flipped(input, sizes_from(dims or (keyword["dims"],), "flip", "dims")))


def _flipped(input: Array, dims) -> tuple[int, ...]:
    dims = wrap_dims(dims, input.ndim)
    return dims if input.ndim else ()


def fliplr(input: Array):
    """Columns (dimension 1) in reverse order."""
    if input.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return lax.rev(input, (1,))


def flipud(input: Array):
    """Rows (dimension 0) in reverse order."""
    if input.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return lax.rev(input, (0,))


def rot90(input: Array, k=1, dims=(0, 1)):
    """`k` quarter turns in the plane of `dims`, from the first towards the second.

    Raises:
        RuntimeError: `dims` are not two different dimensions.
    """
    dims = as_tuple(dims)
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    a, b = wrap_dim(dims[0], input.ndim), wrap_dim(dims[1], input.ndim)
    if a == b:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    k %= 4
    if k in (0, 2):
        return lax.rev(input, (a, b)) if k else input
    return jnp.swapaxes(lax.rev(input, (b if k == 1 else a,)), a, b)


def _roll(x: Array, shift: int, dim: int) -> Array:
    n = x.shape[dim]
    shift = shift % n if n else 0
    if not shift:
        return x
    first, last = lax.split(x, (n - shift, shift), dim)
    return lax.concatenate([last, first], dim)


def roll(input: Array, shifts, dims=()):
    """Elements moved by `shifts` along `dims`, those pushed out coming back in; without `dims`, of the flat tensor.

    Raises:
        RuntimeError: not as many shifts as dims.
    """
    shifts, dims = as_tuple(shifts), () if dims is None else as_tuple(dims)
    if not shifts:
        raise RuntimeError("`shifts` required")
    if not dims and len(shifts) == 1:
        return _roll(input.reshape(-1), shifts[0], 0).reshape(input.shape)
    if len(shifts) != len(dims):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}")
    if not input.ndim:
        raise IndexError(f"Dimension specified as {dims[0]} but tensor has no dimensions")
    for shift, dim in zip(shifts, dims):
        input = _roll(input, shift, wrap_dim(dim, input.ndim))
    return input


def channel_shuffle(input: Array, groups):
    """Channels (dimension 1) of `groups` groups dealt out in turn: ``(g, c)`` becomes ``(c, g)``.

    Raises:
        RuntimeError: `groups` does not divide the channels.
    """
    if input.ndim <= 2:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {brackets(input.shape)}"
        )
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    n, c, *rest = input.shape
    if c % groups:
        raise RuntimeError(f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups.")
    return jnp.swapaxes(input.reshape(n, groups, c // groups, *rest), 1, 2).reshape(input.shape)


native_channel_shuffle = channel_shuffle

# -- repeating --------------------------------------------------------------------------------------------------------


def _repeat(input: Array, times: tuple[int, ...]) -> Array:
    shape = (1,) * (len(times) - input.ndim) + input.shape
    full = check_size(n * k for n, k in zip(shape, times))
    pairs = [m for n, k in zip(shape, times) for m in (k, n)]
    return jnp.broadcast_to(input.reshape([m for n in shape for m in (1, n)]), pairs).reshape(full)


def repeat(input: Array, *repeats, **keyword):
    """`input` repeated along each dimension, new ones in front.

    Raises:
        RuntimeError: fewer repeats than dimensions.

    Example:
        >>> torch.zeros(2, 3).repeat(4, 1, 2).shape
        torch.Size([4, 2, 6])
    """
    times = sizes_from(repeats or (keyword["repeats"],), "repeat", "repeats")
    if len(times) < input.ndim:
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    return _repeat(input, times)


def tile(input: Array, *dims, **keyword):
    """As `repeat`, with missing repeats taken as 1."""
    times = sizes_from(dims or (keyword["dims"],), "tile", "dims")
    return _repeat(input, (1,) * (input.ndim - len(times)) + times)


def _check_repeats(repeats, length: int | None) -> None:
    d = _dtypes.to_dtype(repeats.dtype)
    if len(repeats.shape) > 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    if d not in (_dtypes.int32, _dtypes.int64):
        raise NotImplementedError(f"\"repeat_interleave_cpu\" not implemented for '{d.scalar_name}'")
    n = math.prod(repeats.shape)
    if length is not None and n not in (1, length):
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got "
            f"repeats.size(0) = {n} and input.size(0) = {length}"
        )


def _host_repeats(repeats, length: int | None, output_size=None) -> np.ndarray:
    """The index array that repeats item i ``repeats[i]`` times; `repeats` is concrete."""
    _check_repeats(repeats, length)
    counts = np.asarray(repeats).reshape(-1)
    counts = counts if length is None else np.broadcast_to(counts, (length,))
    if (counts < 0).any():
        raise RuntimeError("repeats can not be negative")
    if output_size is not None and output_size != counts.sum():
        raise RuntimeError("allocated size does not match required size")
    return np.repeat(np.arange(len(counts)), counts)


def _rewrite_repeat_interleave(input, repeats=None, dim=None, output_size=None):
    if repeats is None:
        return _values, (_host_repeats(input, None).astype(_dtypes.to_numpy(input.dtype)),), {}
    if not hasattr(repeats, "dtype"):
        return None
    length = math.prod(input.shape) if dim is None else (input.shape or (1,))[wrap_dim(dim, len(input.shape))]
    return _take_items, (input, _host_repeats(repeats, length, output_size), dim), {}


def _values(indices: Array) -> Array:
    return indices


def _take_items(input: Array, indices: Array, dim=None) -> Array:
    """The items at `indices` (all valid) along `dim`, or of the flat tensor."""
    x = input.reshape(-1) if dim is None or not input.ndim else input
    return jnp.take(x, indices, axis=0 if dim is None else dim, mode="clip")


@_marks.depends_on_values("repeats", rewrite=_rewrite_repeat_interleave)
def repeat_interleave(input: Array, repeats: int | Array = None, dim=None, *, output_size=None):
    """Each item along `dim` (or of the flat tensor) repeated `repeats` times before the next.

    With only one argument, that is the repeats, and the result holds the items' numbers.

    Example:
        >>> torch.repeat_interleave(torch.tensor([5, 6]), 2)
        tensor([5, 5, 6, 6])
    """
    if repeats is None or hasattr(repeats, "dtype"):
        function, args, _ = _rewrite_repeat_interleave(input, repeats, dim, output_size)
        return function(*map(jnp.asarray, args[:-1]), args[-1]) if len(args) > 1 else jnp.asarray(args[0])
    k = operator.index(repeats)
    if dim is not None and not input.ndim:
        wrap_dim(wrap_dim(dim, 0) + 1, 0)  # PyTorch looks for a dimension after the one that is not there
    if k < 0:
        raise RuntimeError("Repeats must be non-negative")
    x = input.reshape(-1) if dim is None or not input.ndim else input
    axis = 0 if dim is None else wrap_dim(dim, x.ndim)
    size = x.shape[axis] * k
    if output_size is not None and output_size != size:
        raise RuntimeError(f"repeat_interleave: Invalid output_size, expected {size} but got {output_size}")
    return _repeat(lax.expand_dims(x, (axis + 1,)), (1,) * (axis + 1) + (k,) + (1,) * (x.ndim - axis - 1)).reshape(
        *x.shape[:axis], size, *x.shape[axis + 1 :]
    )


# -- every combination ------------------------------------------------------------------------------------------------


def meshgrid(*tensors: Array, indexing=None):
    """Coordinate grids: output i varies along dimension i ("ij"), or with the first two exchanged ("xy").

    Raises:
        RuntimeError: a tensor of several dimensions, or differing dtypes.
    """
    tensors = unpacked(tensors)
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if any(x.dtype != tensors[0].dtype for x in tensors):
        raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    for x in tensors:
        if x.ndim > 1:
            raise RuntimeError(f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {x.shape}")
    if indexing is None:
        warn_once("torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    order = list(range(len(tensors)))
    if indexing == "xy" and len(tensors) > 1:
        order[:2] = [1, 0]
    shape = [tensors[k].size for k in order]
    return tuple(lax.broadcast_in_dim(x.reshape(-1), shape, (order.index(k),)) for k, x in enumerate(tensors))


def _check_vectors(tensors) -> None:
    for x in tensors:
        if x.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {brackets(x.shape)}")


def cartesian_prod(*tensors: Array):
    """Every combination of one element of each vector, as rows; a single vector as it is."""
    tensors = unpacked(tensors)
    _check_vectors(tensors)
    if len(tensors) == 1:
        return tensors[0]
    return jnp.stack([x.reshape(-1) for x in meshgrid(*tensors, indexing="ij")], 1)


def combinations(input: Array, r=2, with_replacement=False):
    """Every combination of `r` elements, as rows, as ``itertools`` orders them."""
    _check_vectors([input])
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if not r:
        return jnp.zeros((0,), input.dtype)
    pick = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.asarray(list(pick(range(input.size), r)), np.int32).reshape(-1, r)
    return jnp.take(input, rows, axis=0, mode="clip") if rows.size else jnp.zeros(rows.shape, input.dtype)
