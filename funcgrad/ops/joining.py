"""Joining tensors and taking them apart: cat, stack, split, chunk, unbind and their kin.

See https://docs.pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence

import numpy as np
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import wrap_dim
from funcgrad.ops import _marks
from funcgrad.ops._number import Array, promote
from funcgrad.ops._sizes import as_tuple, brackets
from funcgrad.ops.broadcasting import atleast_1d, atleast_2d, atleast_3d

# -- joining ----------------------------------------------------------------------------------------------------------


def _check_list(tensors, name: str) -> list:
    if hasattr(tensors, "shape"):
        raise TypeError(f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor")
    for i, x in enumerate(tensors):
        if not hasattr(x, "shape"):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(x).__name__}")
    return list(tensors)


def cat(tensors: Sequence[Array], dim=0):
    """`tensors` one after the other along `dim`, in their common dtype.

    A tensor of shape ``(0,)`` fits anything, as a leftover of PyTorch's early days.

    Raises:
        ValueError: no tensors.
        RuntimeError: sizes differ in another dimension than `dim`.

    Example:
        >>> torch.cat([torch.zeros(2, 3), torch.ones(1, 3)]).shape
        torch.Size([3, 3])
    """
    tensors = _check_list(tensors, "cat")
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    for i, x in enumerate(tensors):
        if not x.ndim:
            raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    arrays = promote(*tensors)
    kept = [(i, x) for i, x in enumerate(arrays) if x.shape != (0,)]
    if not kept:
        return arrays[0]
    first = kept[0][1]
    dim = wrap_dim(dim, first.ndim)
    for i, x in kept[1:]:
        if x.ndim != first.ndim:
            raise RuntimeError(f"Tensors must have same number of dimensions: got {first.ndim} and {x.ndim}")
        for d in range(x.ndim):
            if d != dim and x.shape[d] != first.shape[d]:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {dim}. Expected size {first.shape[d]} but got "
                    f"size {x.shape[d]} for tensor number {i} in the list."
                )
    return lax.concatenate([x for _, x in kept], dim)


def concat(tensors: Sequence[Array], dim=0):
    """As `cat`."""
    return cat(tensors, dim)


concatenate = concat


def stack(tensors: Sequence[Array], dim=0):
    """`tensors` of one shape along a new dimension `dim`.

    Raises:
        RuntimeError: no tensors, or their shapes differ.

    Example:
        >>> torch.stack([torch.zeros(3), torch.ones(3)], 1).shape
        torch.Size([3, 2])
    """
    tensors = _check_list(tensors, "stack")
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    shape = tensors[0].shape
    dim = wrap_dim(dim, len(shape) + 1)
    for i, x in enumerate(tensors):
        if x.shape != shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {brackets(shape)} at entry 0 and "
                f"{brackets(x.shape)} at entry {i}"
            )
    return lax.concatenate([lax.expand_dims(x, (dim,)) for x in promote(*tensors)], dim)


def _stacked(tensors, name: str, at_least) -> list:
    tensors = _check_list(tensors, name)
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return [at_least(x) for x in tensors]


def hstack(tensors: Sequence[Array]):
    """`tensors` side by side: along dimension 0 if one-dimensional, else 1."""
    tensors = _stacked(tensors, "hstack", atleast_1d)
    return cat(tensors, 0 if tensors[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Array]):
    """`tensors` (at least two-dimensional) above each other."""
    return cat(_stacked(tensors, "vstack", atleast_2d), 0)


def row_stack(tensors: Sequence[Array]):
    """As `vstack`."""
    return cat(_stacked(tensors, "vstack", atleast_2d), 0)


def dstack(tensors: Sequence[Array]):
    """`tensors` (at least three-dimensional) along dimension 2."""
    return cat(_stacked(tensors, "dstack", atleast_3d), 2)


def column_stack(tensors: Sequence[Array]):
    """`tensors` side by side, vectors as columns."""
    return cat(_stacked(tensors, "column_stack", lambda x: x.reshape(-1, 1) if x.ndim < 2 else x), 1)


# -- taking apart: which sizes ----------------------------------------------------------------------------------------


def _split_sizes(shape, dim: int, sizes) -> list[int]:
    """The sections' sizes of ``split(sizes, dim)``; `sizes` an integer or the sizes themselves."""
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    n = shape[dim]
    if not hasattr(sizes, "__iter__"):
        size = operator.index(sizes)
        if size < 0:
            raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
        if not size and n:
            raise RuntimeError(f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}")
        return [min(size, n - i) for i in range(0, n, size)] if n else [0]
    sizes = list(as_tuple(sizes))
    if any(s < 0 for s in sizes):
        raise RuntimeError(
            f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={sizes}"
        )
    if sum(sizes) != n:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {dim}), but "
            f"got split_sizes={sizes}"
        )
    return sizes


def _chunk_sizes(shape, dim: int, chunks) -> list[int]:
    if not shape:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    if not shape[dim]:
        return [0] * chunks
    return _split_sizes(shape, dim, -(-shape[dim] // chunks))


def _tensor_split_bounds(n: int, sections) -> list[tuple[int, int]]:
    """Starts and stops of the sections: `sections` of nearly equal size, or cut at the given indices."""
    if hasattr(sections, "__iter__"):
        cuts = [0, *as_tuple(sections), n]
        clip = [max(0, min(n, c + n if c < 0 else c)) for c in cuts]
        clip[-1] = n
        return [(a, max(a, b)) for a, b in itertools.pairwise(clip)]
    sections = operator.index(sections)
    if sections <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
    sizes = [n // sections + (i < n % sections) for i in range(sections)]
    return _bounds(sizes)


def _bounds(sizes) -> list[tuple[int, int]]:
    stops = np.cumsum(sizes).tolist()
    return [(stop - size, stop) for size, stop in zip(sizes, stops)]


def split_bounds(shape, split_size_or_sections=None, dim=0, *, split_size=None, split_sizes=None):
    """The dimension, and starts and stops along it, of ``split``'s sections."""
    given = next(x for x in (split_size_or_sections, split_size, split_sizes) if x is not None)
    dim = wrap_dim(dim, len(shape))
    return dim, _bounds(_split_sizes(shape, dim, given))


def chunk_bounds(shape, chunks, dim=0):
    """As `split_bounds`, of ``chunk``."""
    dim = wrap_dim(dim, len(shape))
    return dim, _bounds(_chunk_sizes(shape, dim, chunks))


def tensor_split_bounds(shape, indices_or_sections=None, dim=0, *, indices=None, sections=None):
    """As `split_bounds`, of ``tensor_split``."""
    if not shape:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    given = next(x for x in (indices_or_sections, indices, sections) if x is not None)
    dim = wrap_dim(dim, len(shape))
    return dim, _tensor_split_bounds(shape[dim], _host_sections(given) if hasattr(given, "dtype") else given)


def split_along_bounds(letter: str):
    """As `split_bounds`, of ``hsplit``, ``vsplit`` or ``dsplit``."""
    name, least = f"{letter}split", {"h": 1, "v": 2, "d": 3}[letter]

    def bounds(shape, indices_or_sections):
        given, dim = indices_or_sections, {"h": int(len(shape) > 1), "v": 0, "d": 2}[letter]
        if len(shape) < least:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with {len(shape)} "
                "dimensions!"
            )
        if isinstance(given, str):
            raise TypeError(f"{name}() received an invalid combination of arguments - got (Tensor, str)")
        if not hasattr(given, "__iter__") and (not given or shape[dim] % given):
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {shape[dim]} is "
                f"not divisible by the split_size {given}!"
            )
        return tensor_split_bounds(shape, given, dim)

    return bounds


def _pieces(input: Array, dim: int, bounds) -> tuple[Array, ...]:
    if all(a[1] == b[0] for a, b in itertools.pairwise(bounds)):
        # One split, so that its gradient is one concatenation: 256x1024 in halves 0.9 ms, as two slices 6.7.
        return tuple(lax.split(input, [b - a for a, b in bounds], dim))
    return tuple(lax.slice_in_dim(input, a, b, axis=dim) for a, b in bounds)


# -- taking apart -----------------------------------------------------------------------------------------------------


@_marks.view
def split(tensor: Array, split_size_or_sections=None, dim=0, *, split_size=None):
    """Sections along `dim`, of `split_size` each (the last may be smaller) or of the sizes given.

    Raises:
        RuntimeError: the sizes do not add up to the dimension.

    Example:
        >>> torch.split(torch.arange(5), 2)
        (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    return _pieces(tensor, *split_bounds(tensor.shape, split_size_or_sections, dim, split_size=split_size))


@_marks.view
def split_with_sizes(input: Array, split_sizes, dim=0):
    """Sections of `split_sizes` along `dim`."""
    return split(input, as_tuple(split_sizes), dim)


@_marks.view
def chunk(input: Array, chunks, dim=0):
    """At most `chunks` sections along `dim`, all but the last of one size."""
    return _pieces(input, *chunk_bounds(input.shape, chunks, dim))


def _host_sections(sections):
    """The values of an array that says where to cut."""
    name = _dtypes.to_dtype(sections.dtype).scalar_name
    if name != "Long":
        raise RuntimeError(f"tensor_split expected tensor_indices_or_sections to have dtype of long, but got {name}")
    if len(sections.shape) > 1:
        raise RuntimeError(
            "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor, but "
            f"got a tensor with {len(sections.shape)} dims"
        )
    return np.asarray(sections).tolist()


def _rewrite_tensor_split(input, indices_or_sections, dim=0):
    if not hasattr(indices_or_sections, "dtype"):
        return None
    return tensor_split, (input, _host_sections(indices_or_sections), dim), {}


@_marks.depends_on_values("indices_or_sections", rewrite=_rewrite_tensor_split)
@_marks.view
def tensor_split(input: Array, indices_or_sections: int | Array = None, dim=0, *, indices=None, sections=None):
    """`indices_or_sections` sections of nearly equal size along `dim`, or cuts at these indices.

    Example:
        >>> torch.tensor_split(torch.arange(7), 3)
        (tensor([0, 1, 2]), tensor([3, 4]), tensor([5, 6]))
    """
    bounds = tensor_split_bounds(input.shape, indices_or_sections, dim, indices=indices, sections=sections)
    return _pieces(input, *bounds)


@_marks.view
def hsplit(input: Array, indices_or_sections):
    """`tensor_split` along dimension 1 (0 if there is no other)."""
    return _pieces(input, *split_along_bounds("h")(input.shape, indices_or_sections))


@_marks.view
def vsplit(input: Array, indices_or_sections):
    """`tensor_split` along dimension 0."""
    return _pieces(input, *split_along_bounds("v")(input.shape, indices_or_sections))


@_marks.view
def dsplit(input: Array, indices_or_sections):
    """`tensor_split` along dimension 2."""
    return _pieces(input, *split_along_bounds("d")(input.shape, indices_or_sections))


@_marks.view
def unbind(input: Array, dim=0):
    """The slices along `dim`, each without that dimension."""
    if not input.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    dim = wrap_dim(dim, input.ndim)
    pieces = lax.split(input, (1,) * input.shape[dim], dim) if input.shape[dim] else ()
    return tuple(lax.squeeze(x, (dim,)) for x in pieces)
