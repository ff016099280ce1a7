"""Dimensions of size 1, and repeating them without copying: squeeze, unsqueeze, expand, broadcast_tensors.

See https://docs.pytorch.org/docs/stable/notes/broadcasting.html.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes, _errors
from funcgrad._errors import wrap_dim, wrap_dims
from funcgrad.ops import _marks
from funcgrad.ops._number import Array
from funcgrad.ops._sizes import as_tuple, brackets, expand_size, sizes_from


def squeezed_dims(shape, dim=None) -> tuple[int, ...]:
    """The dimensions that ``squeeze(dim)`` drops."""
    dims = range(len(shape)) if dim is None else wrap_dims(as_tuple(dim), len(shape))
    return tuple(d for d in dims if shape and shape[d] == 1)


@_marks.view
def squeeze(input: Array, dim=None):
    """Without the dimensions (all, or `dim`: an integer or several) of size 1; others stay."""
    return lax.squeeze(input, squeezed_dims(input.shape, dim))


@_marks.view
def unsqueeze(input: Array, dim):
    """With a new dimension of size 1 at `dim`."""
    return lax.expand_dims(input, (wrap_dim(dim, input.ndim + 1),))


def _broadcast(input: Array, sizes) -> Array:
    scalar_name = _dtypes.to_dtype(input.dtype).scalar_name
    return jnp.broadcast_to(input, expand_size(input.shape, sizes, scalar_name))


@_marks.view
def expand(input: Array, *sizes, size=None, implicit=False):
    """Dimensions of size 1 repeated to `size`, without copying; -1 keeps a size.

    Raises:
        RuntimeError: a dimension of another size would have to change.

    Example:
        >>> torch.zeros(3, 1).expand(-1, 4).shape
        torch.Size([3, 4])
    """
    return _broadcast(input, sizes_from(sizes if size is None else (size,), "expand"))


@_marks.view
def expand_as(input: Array, other: Array):
    """`input` expanded to the shape of `other`."""
    return _broadcast(input, other.shape)


@_marks.view
def broadcast_to(input: Array, size):
    """`input` broadcast to `size`."""
    return _broadcast(input, as_tuple(size))


def unpacked(tensors: tuple) -> tuple:
    """The tensors of ``f(a, b)`` or ``f([a, b])``."""
    return tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors


def broadcast_tensors(*tensors: Array):
    """All `tensors` broadcast to their common shape.

    Raises:
        RuntimeError: the shapes do not fit.
    """
    tensors = unpacked(tensors)
    shape = _errors.broadcast_shapes(*[x.shape for x in tensors])
    return tuple(jnp.broadcast_to(x, shape) for x in tensors)


def broadcast_shapes(*shapes) -> tuple[int, ...]:
    """The shape that arrays of `shapes` broadcast to (plain Python, no arrays).

    Raises:
        RuntimeError: the shapes do not fit, or a size is negative.
    """
    shapes = [as_tuple(s) if hasattr(s, "__iter__") else (s,) for s in shapes]
    ndim = max(map(len, shapes), default=0)
    result = [1] * ndim
    for k, shape in enumerate(shapes):
        for i in range(-1, -1 - len(shape), -1):
            if shape[i] in (1, result[i]):
                continue
            if result[i] != 1 or shape[i] < 0:
                raise RuntimeError(
                    f"Attempting to broadcast a dimension of length {shape[i]} at {i}! Mismatching argument at index "
                    f"{k} had {shape}; but expected shape should be broadcastable to {result}"
                )
            result[i] = shape[i]
    return tuple(result)


def _at_least(ndim: int, tensors: tuple):
    def grow(x):
        if x.ndim >= ndim:
            return x
        if ndim == 3 and x.ndim:
            return x[None, :, None] if x.ndim == 1 else x[..., None]
        return x.reshape((1,) * (ndim - x.ndim) + x.shape)

    if len(tensors) == 1 and not isinstance(tensors[0], list | tuple):
        return grow(tensors[0])
    return tuple(map(grow, unpacked(tensors)))


def atleast_1d(*tensors: Array):
    """Scalars as one dimension; others as they are."""
    return _at_least(1, tensors)


def atleast_2d(*tensors: Array):
    """With leading dimensions of size 1 up to two."""
    return _at_least(2, tensors)


def atleast_3d(*tensors: Array):
    """With dimensions of size 1 up to three: a vector becomes ``(1, n, 1)``, a matrix ``(n, m, 1)``."""
    return _at_least(3, tensors)


def sum_to_size(input: Array, *sizes, size=None):
    """`input` summed down to `size`, which broadcasts to its shape: the opposite of `expand`.

    Raises:
        RuntimeError: `size` does not broadcast to the shape of `input`.

    Example:
        >>> torch.ones(2, 3).sum_to_size(1, 3)
        tensor([[2., 2., 2.]])
    """
    size, shape = sizes_from(sizes if size is None else (size,), "expand"), input.shape
    extra = len(shape) - len(size)
    if extra < 0 or any(n not in (1, m) for n, m in zip(size, shape[extra:])):
        raise RuntimeError(f"size {{{brackets(size)}}} is not expandable to size {{{brackets(shape)}}}.")
    dims = [d for d, m in enumerate(shape) if d < extra or (size[d - extra] == 1 and m != 1)]
    if not dims and size:
        return input
    exact = _dtypes.to_dtype(input.dtype).category < _dtypes.FLOATING
    return jnp.sum(input, dims, dtype=jnp.int64 if exact else input.dtype).reshape(size)
