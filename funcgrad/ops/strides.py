"""Where PyTorch's tensors lie in memory: sizes, strides and storage offset of views, in plain Python.

Arrays have no strides here, so this is a model (of which `layouts` tells what ops that are no views do): given the
geometry of a tensor and a view op with its arguments,
`derive` gives the geometry of the result, or tells that PyTorch would copy, or raises as PyTorch does where a view is
impossible. See https://docs.pytorch.org/docs/stable/tensor_view.html.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from funcgrad import _dtypes
from funcgrad._errors import wrap_dim
from funcgrad.ops import joining, shape, slicing
from funcgrad.ops._sizes import as_tuple, expand_size, infer_size, sizes_from, sizes_of_view
from funcgrad.ops.broadcasting import squeezed_dims


class Geometry(NamedTuple):
    """Sizes, strides and storage offset, counted in elements."""

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    def without(self, dim: int, skip: int = 0) -> Geometry:
        """With dimension `dim` gone, `skip` elements further on."""
        return Geometry(_drop(self.sizes, dim), _drop(self.strides, dim), self.offset + skip)

    def replaced(self, dim: int, size: int, stride: int, skip: int = 0) -> Geometry:
        """With another size and stride for `dim`."""
        sizes, strides = list(self.sizes), list(self.strides)
        sizes[dim], strides[dim] = size, stride
        return Geometry(tuple(sizes), tuple(strides), self.offset + skip)

    def permuted(self, dims) -> Geometry:
        return Geometry(tuple(self.sizes[d] for d in dims), tuple(self.strides[d] for d in dims), self.offset)


def _drop(values: tuple, at: int) -> tuple:
    return values[:at] + values[at + 1 :]


# -- memory formats ---------------------------------------------------------------------------------------------------

ORDERS = {"channels_last": (1, 3, 2, 0), "channels_last_3d": (1, 4, 3, 2, 0)}
"""The dimensions from the one that changes fastest on."""


def _order(ndim: int, memory_format) -> tuple[int, ...]:
    name = str(memory_format).rpartition(".")[2]
    if name not in ORDERS:
        return tuple(reversed(range(ndim)))
    order = ORDERS[name]
    if ndim != len(order):
        raise RuntimeError(f"required rank {len(order)} tensor to use {name} format")
    return order


def contiguous_strides(sizes, memory_format="contiguous_format") -> tuple[int, ...]:
    """The strides of a freshly made tensor; an empty dimension counts as one element."""
    strides, step = [0] * len(sizes), 1
    for d in _order(len(sizes), memory_format):
        strides[d] = step
        step *= max(sizes[d], 1)
    return tuple(strides)


def is_contiguous(geometry: Geometry, memory_format="contiguous_format") -> bool:
    """Whether the elements lie one after the other in `memory_format`; dimensions of size 1 do not count."""
    sizes, strides, _ = geometry
    name = str(memory_format).rpartition(".")[2]
    if name in ORDERS:
        if len(sizes) != len(ORDERS[name]):
            return False
    elif 0 in sizes:
        return True
    step = 1
    for d in _order(len(sizes), memory_format):
        if sizes[d] != 1 and strides[d] != step:
            return False
        step *= sizes[d] if sizes[d] != 1 else 1
    return True


def is_dense(geometry: Geometry) -> bool:
    """Whether the elements fill their stretch of memory, each place once, in whatever order of dimensions."""
    step = 1
    for stride, n in sorted((s, n) for n, s in zip(geometry.sizes, geometry.strides) if n != 1):
        if stride != step and 0 not in geometry.sizes:
            return False
        step *= n
    return True


def preserved_strides(geometry: Geometry) -> tuple[int, ...]:
    """The strides of ``empty_like`` and ``clone``: the same if dense, else dense in the same order of dimensions."""
    sizes, strides, _ = geometry
    if is_dense(geometry) and 0 not in sizes:
        return strides
    return ordered_strides(sizes, [strides])


def ordered_strides(sizes, operands: list) -> tuple[int, ...]:
    """Dense strides in the order of dimensions that the operands' strides (each as long as `sizes`) have."""
    result, step = [0] * len(sizes), 1
    for d in _fastest_first(sizes, operands):
        result[d] = step
        step *= max(sizes[d], 1)
    return tuple(result)


def _fastest_first(sizes, operands: list) -> list[int]:
    """The dimensions by stride, sorted by insertion; where an operand's is 0, the next operand decides."""
    order = list(reversed(range(len(sizes))))
    for at in range(1, len(order)):
        for other in reversed(range(at)):
            compared = _compared(order[other], order[at], sizes, operands)
            if compared > 0:
                order[other], order[at] = order[at], order[other]
                at = other
            elif compared < 0:
                break
    return order


def _compared(a: int, b: int, sizes, operands: list) -> int:
    """1 if dimension `a` belongs after `b`, -1 if before, 0 if no operand tells."""
    for strides in operands:
        if 0 in (strides[a], strides[b]):
            continue
        if strides[a] != strides[b]:
            return 1 if strides[a] > strides[b] else -1
        if sizes[a] > sizes[b]:
            return 1
    return 0


# -- view and reshape -------------------------------------------------------------------------------------------------


def view_strides(geometry: Geometry, sizes: tuple[int, ...]) -> tuple[int, ...] | None:
    """The strides with which ``view(sizes)`` needs no copy, or None.

    The old dimensions fall into runs that are contiguous in themselves; the new ones must divide each run exactly.
    """
    if 0 in geometry.sizes:
        return geometry.strides if sizes == geometry.sizes else contiguous_strides(sizes)
    if not geometry.sizes:
        return (1,) * len(sizes)
    result, at = [0] * len(sizes), len(sizes) - 1
    run, old, strides = 1, geometry.sizes, geometry.strides
    base = strides[-1]
    for d in reversed(range(len(old))):
        run *= old[d]
        if d and (old[d - 1] == 1 or strides[d - 1] == run * base):
            continue
        filled = 1
        while at >= 0 and (filled < run or sizes[at] == 1):
            result[at] = filled * base
            filled *= sizes[at]
            at -= 1
        if filled != run:
            return None
        if d:
            base, run = strides[d - 1], 1
    return tuple(result) if at == -1 else None


def _view(g: Geometry, *args, source=None, dtype=None, size=None) -> Geometry:
    if dtype is None and len(args) == 1 and isinstance(args[0], _dtypes.dtype):
        dtype = args[0]
    if dtype is not None:
        return _view_dtype(g, source, dtype)
    sizes = infer_size(sizes_of_view(args, size), math.prod(g.sizes))
    strides = view_strides(g, sizes)
    if strides is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            "contiguous subspaces). Use .reshape(...) instead."
        )
    return Geometry(sizes, strides, g.offset)


def _view_dtype(g: Geometry, source: _dtypes.dtype, target: _dtypes.dtype) -> Geometry:
    old, new = source.itemsize, target.itemsize
    if old == new:
        return g
    sizes, strides, offset = g
    how = f"to view {source.scalar_name} as {target.scalar_name} (different element sizes), but got"
    if strides[-1] != 1:
        raise RuntimeError(f"self.stride(-1) must be 1 {how} {strides[-1]}")
    if new < old:
        k = old // new
        return Geometry((*sizes[:-1], sizes[-1] * k), (*[s * k for s in strides[:-1]], 1), offset * k)
    k = new // old
    if sizes[-1] % k:
        raise RuntimeError(f"self.size(-1) must be divisible by {k} {how} {sizes[-1]}")
    if offset % k:
        raise RuntimeError(f"self.storage_offset() must be divisible by {k} {how} {offset}")
    for d, s in enumerate(strides[:-1]):
        if s % k:
            raise RuntimeError(f"self.stride({d}) must be divisible by {k} {how} {s}")
    return Geometry((*sizes[:-1], sizes[-1] // k), (*[s // k for s in strides[:-1]], 1), offset // k)


def _reshape(g: Geometry, *args, shape=None) -> Geometry | None:
    sizes = infer_size(sizes_from(args if shape is None else (shape,), "reshape", "shape"), math.prod(g.sizes))
    strides = view_strides(g, sizes)
    return None if strides is None else Geometry(sizes, strides, g.offset)


def _flatten(g: Geometry, start_dim=0, end_dim=-1) -> Geometry | None:
    a, b = wrap_dim(start_dim, len(g.sizes)), wrap_dim(end_dim, len(g.sizes))
    if not g.sizes:
        return _reshape(g, 1)
    return g if a == b else _reshape(g, (*g.sizes[:a], math.prod(g.sizes[a : b + 1]), *g.sizes[b + 1 :]))


def _unflatten(g: Geometry, dim, sizes) -> Geometry:
    dim = wrap_dim(dim, len(g.sizes))
    return _view(g, (*g.sizes[:dim], *infer_size(as_tuple(sizes), g.sizes[dim]), *g.sizes[dim + 1 :]))


def _contiguous(g: Geometry, memory_format="contiguous_format") -> Geometry | None:
    return g if is_contiguous(g, memory_format) else None


# -- order and number of dimensions -----------------------------------------------------------------------------------


def _permute(g: Geometry, *dims, **keyword) -> Geometry:
    return g.permuted([wrap_dim(d, len(g.sizes)) for d in sizes_from(dims or (keyword["dims"],), "permute", "dims")])


def _transpose(g: Geometry, dim0, dim1) -> Geometry:
    dims = list(range(len(g.sizes)))
    if dims:
        a, b = wrap_dim(dim0, len(dims)), wrap_dim(dim1, len(dims))
        dims[a], dims[b] = dims[b], dims[a]
    return g.permuted(dims)


def _reverse(g: Geometry) -> Geometry:
    return g.permuted(range(len(g.sizes))[::-1])


def _swap_last(g: Geometry) -> Geometry:
    return _transpose(g, -2, -1) if len(g.sizes) > 1 else g


def _squeeze(g: Geometry, dim=None) -> Geometry:
    gone = squeezed_dims(g.sizes, dim)
    return g.permuted([d for d in range(len(g.sizes)) if d not in gone])


def _unsqueeze(g: Geometry, dim) -> Geometry:
    dim = wrap_dim(dim, len(g.sizes) + 1)
    stride = g.sizes[dim] * g.strides[dim] if dim < len(g.sizes) else 1
    return Geometry((*g.sizes[:dim], 1, *g.sizes[dim:]), (*g.strides[:dim], stride, *g.strides[dim:]), g.offset)


def _expand(g: Geometry, *sizes, size=None, implicit=False) -> Geometry:
    sizes = expand_size(g.sizes, sizes_from(sizes if size is None else (size,), "expand"), "Float")
    if not g.sizes:
        return Geometry(sizes, (0,) * len(sizes), g.offset)
    strides, extra = [0] * len(sizes), len(sizes) - len(g.sizes)
    for i in reversed(range(len(sizes))):
        old = g.sizes[i - extra] if i >= extra else 1
        kept = g.strides[i - extra] if i >= extra else sizes[i + 1] * strides[i + 1] if i + 1 < len(sizes) else 1
        strides[i] = kept if old == sizes[i] else 0
    return Geometry(sizes, tuple(strides), g.offset)


# -- parts ------------------------------------------------------------------------------------------------------------


def _known(position) -> int:
    """A position; 0 for one that the program computes, whose offset nobody knows before."""
    return 0 if hasattr(position, "shape") else int(position)


def _getitem(g: Geometry, layout, *operands) -> Geometry:
    values, dim = iter(operands), 0
    for item in layout:
        if item == "i":
            at = _known(next(values))
            g = g.without(dim, (at + g.sizes[dim] if at < 0 else at) * g.strides[dim])
        elif item == "n":
            g = _unsqueeze(g, dim)
            dim += 1
        else:
            if item != ":":
                _, length, step = item
                stride = g.strides[dim]
                g = g.replaced(dim, length, stride * step, _known(next(values)) * stride)
            dim += 1
    return g


def _indexed(parse):
    def derive(g: Geometry, *args, **kwargs) -> Geometry:
        layout, operands = parse(g.sizes, *args, **kwargs)
        return _getitem(g, layout, *operands)

    return derive


def _diagonal(g: Geometry, offset=0, dim1=0, dim2=1) -> Geometry:
    a, b = wrap_dim(dim1, len(g.sizes)), wrap_dim(dim2, len(g.sizes))
    n, m = g.sizes[a], g.sizes[b]
    length = max(0, min(n, m - offset) if offset >= 0 else min(n + offset, m))
    skip = offset * g.strides[b] if offset >= 0 else -offset * g.strides[a]
    rest = g.permuted([d for d in range(len(g.sizes)) if d not in (a, b)])
    sizes, strides = (*rest.sizes, length), (*rest.strides, g.strides[a] + g.strides[b])
    return Geometry(sizes, strides, g.offset + (skip if length else 0))


def _unfold(g: Geometry, dimension, size, step) -> Geometry:
    if not g.sizes:
        return Geometry((size,), (1,), g.offset)
    d = wrap_dim(dimension, len(g.sizes))
    stride = g.strides[d]
    windows = g.replaced(d, (g.sizes[d] - size) // step + 1, stride * step)
    return Geometry((*windows.sizes, size), (*windows.strides, stride), g.offset)


def _as_strided(g: Geometry, size, stride, storage_offset=None) -> Geometry:
    return Geometry(as_tuple(size), as_tuple(stride), g.offset if storage_offset is None else storage_offset)


def _sections(bounds):
    def derive(g: Geometry, *args, **kwargs) -> tuple[Geometry, ...]:
        dim, cuts = bounds(g.sizes, *args, **kwargs)
        return tuple(g.replaced(dim, b - a, g.strides[dim], a * g.strides[dim]) for a, b in cuts)

    return derive


def _unbind(g: Geometry, dim=0) -> tuple[Geometry, ...]:
    dim = wrap_dim(dim, len(g.sizes))
    return tuple(g.without(dim, i * g.strides[dim]) for i in range(g.sizes[dim]))


# -- complex numbers --------------------------------------------------------------------------------------------------


def _view_as_real(g: Geometry) -> Geometry:
    return Geometry((*g.sizes, 2), (*[2 * s for s in g.strides], 1), 2 * g.offset)


def _view_as_complex(g: Geometry) -> Geometry:
    if g.strides[-1] != 1:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    if any(s % 2 for s in g.strides[:-1]):
        raise RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension")
    if g.offset % 2:
        raise RuntimeError("Tensor must have a storage_offset divisible by 2")
    return Geometry(g.sizes[:-1], tuple(s // 2 for s in g.strides[:-1]), g.offset // 2)


def _part(number: int):
    return lambda g: _view_as_real(g).without(len(g.sizes), number)


# -- all of them ------------------------------------------------------------------------------------------------------


def derive(name: str, geometry: Geometry, *args, **kwargs):
    """The geometry of ``name(tensor, *args, **kwargs)``.

    A tuple of them for ops with several results; None where PyTorch returns a copy. `view` of another dtype needs the
    keyword `source`, the tensor's dtype; `real` and `imag` are of complex tensors.

    Raises:
        RuntimeError: the op needs a view that this geometry does not have.

    Example:
        >>> derive("transpose", Geometry((2, 3), (3, 1)), 0, 1)
        Geometry(sizes=(3, 2), strides=(1, 3), offset=0)
    """
    return RULES[name](geometry, *args, **kwargs)


def _like(rule):
    return lambda g, other: rule(g, tuple(other.shape))


def _same(g: Geometry, *leaf) -> Geometry:
    return g


RULES = {
    "view": _view, "view_as": _like(_view), "reshape": _reshape, "reshape_as": _like(_reshape), "flatten": _flatten,
    "ravel": lambda g: _reshape(g, -1) if is_contiguous(g) else None, "unflatten": _unflatten, "contiguous": _contiguous, "permute": _permute,
    "movedim": lambda g, source, destination: g.permuted(shape.moved_dims(len(g.sizes), source, destination)),
    "T": _reverse, "t": _swap_last, "unsqueeze": _unsqueeze, "expand_as": _like(_expand), "diagonal": _diagonal,
    "unfold": _unfold, "as_strided": _as_strided, "getitem": _getitem, "unbind": _unbind,
    "select": _indexed(slicing._select_index), "narrow": _indexed(slicing._narrow_index),
    "slice": _indexed(slicing._slice_index), "view_as_real": _view_as_real, "view_as_complex": _view_as_complex,
    "real": _part(0), "imag": _part(1), "chunk": _sections(joining.chunk_bounds),
    "tensor_split": _sections(joining.tensor_split_bounds),
    **dict.fromkeys(("transpose", "swapdims"), _transpose),
    "swapaxes": lambda g, axis0, axis1: _transpose(g, axis0, axis1),
    **dict.fromkeys(("mT", "mH", "H", "adjoint"), _swap_last),
    **dict.fromkeys(("squeeze",), _squeeze),
    **dict.fromkeys(("expand", "broadcast_to"), _expand),
    **dict.fromkeys(("detach", "alias", "leaf", "conj", "_neg_view", "positive"), _same),
    **dict.fromkeys(("split", "split_with_sizes"), _sections(joining.split_bounds)),
    **{f"{letter}split": _sections(joining.split_along_bounds(letter)) for letter in "hvd"},
}  # fmt: skip
RULES["moveaxis"] = RULES["movedim"]
