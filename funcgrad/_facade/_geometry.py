"""Where in its storage a tensor lies, and whether it shows the numbers there as they are.

See the note [Strides without strides] in `_storage`.
"""

from __future__ import annotations

import math

import numpy as np

from funcgrad import _dtypes
from funcgrad._warnings import warn_once
from funcgrad.engine import launch
from funcgrad.engine.state import state
from funcgrad.engine.values import Handle, Value
from funcgrad.ops.strides import Geometry, contiguous_strides, derive, is_dense


def root_of(tensor):
    """The tensor whose memory `tensor` looks at."""
    return tensor if tensor._root is None else tensor._root


def whole(tensor) -> Geometry:
    """The geometry of a tensor as if it began at the start of its storage."""
    aval = tensor._known().aval
    return Geometry(aval.shape, aval.strides or contiguous_strides(aval.shape))


def geometry(tensor) -> Geometry:
    """Where in its root's storage a tensor lies."""
    chain, tensor = _derivations(tensor)
    place = whole(tensor)
    for made in chain:
        place = _derived(made.op.name, place, made.parent.dtype, made.args, made.kwargs)
        place = place if made.index is None else place[made.index]
    return place


def _derivations(tensor) -> tuple[list, object]:
    """How a view came from its root, first things first; and that root."""
    chain = []
    while tensor._made is not None:
        chain.append(tensor._made)
        tensor = tensor._made.parent
    return chain[::-1], tensor


def _derived(name: str, place: Geometry, dtype: _dtypes.dtype, args, kwargs):
    name = "alias" if name == "real" and not dtype.is_complex else name
    source = {"source": dtype} if name == "view" else {}
    return derive(name, place, *map(_plain, args), **(kwargs or {}), **source)


def _plain(argument):
    """A view's argument; a position that is a value of the program as a number (0 where nothing may be read)."""
    if not isinstance(argument, Value):
        return argument
    if state.capture is not None or state.program.traced:
        return 0
    return int(np.asarray(launch.read(argument)))


# -- views of other numbers -------------------------------------------------------------------------------------------

_CONJUGATING = {"conj", "adjoint", "H", "mH"}
CHANGE_NUMBERS = {"view", "view_as_real", "view_as_complex"}
"""Views that may read the memory as another dtype."""


def _flags(tensor) -> tuple[bool, bool]:
    """Whether a view shows the conjugates, and whether the negatives, of what lies in its root's memory."""
    conj = neg = False
    for made in _derivations(tensor)[0]:
        name = made.op.name
        if name in _CONJUGATING:
            conj ^= made.parent.dtype.is_complex
        elif name == "_neg_view":
            neg = not neg
        elif name in ("real", "imag"):
            conj, neg = False, neg ^ (conj and name == "imag")
    return conj, neg


def is_conj(input) -> bool:
    """Whether this is a view of the conjugates of complex numbers."""
    return input._made is not None and _flags(input)[0]


def is_neg(input) -> bool:
    """Whether this is a view of the negatives of numbers, as ``x.conj().imag`` is."""
    return input._made is not None and _flags(input)[1]


_CHANGING = _CONJUGATING | {"_neg_view", "real", "imag", "view_as_real", "view_as_complex"}


def shows_memory(tensor) -> bool:
    """Whether a view shows the elements of its root as they are."""
    while tensor._made is not None:
        made = tensor._made
        if made.op.name in _CHANGING or (made.op.name == "view" and tensor.dtype is not made.parent.dtype):
            return False
        tensor = made.parent
    return True


def check_numbers(name: str, tensor, *args, **kwargs) -> None:
    """PyTorch's errors for a view of `CHANGE_NUMBERS` that `tensor`, which is a view itself, does not allow.

    Raises:
        RuntimeError: `tensor` shows conjugates or negatives, or does not begin where the other dtype's numbers do.
    """
    if tensor._made is None:
        return
    if name == "view":
        target = kwargs.get("dtype", args[0] if len(args) == 1 else None)
        if target.__class__ is not _dtypes.dtype or target is tensor.dtype:
            return
    conj, neg = _flags(tensor)
    if name == "view_as_real" and conj:
        raise RuntimeError(
            "view_as_real doesn't work on unresolved conjugated tensors.  To resolve the conjugate tensor so you can view "
            "it as real, use self.resolve_conj(); however, be warned that the resulting tensor will NOT alias the original."
        )
    if name == "view" and (conj or neg):
        what = "conjugate view tensors" if conj else "tensors with negative bit set"
        raise RuntimeError(f"torch.Tensor.view is not supported for {what} when converting to a different dtype.")
    if name == "view" and target.itemsize > tensor.dtype.itemsize and tensor.dim():
        _derived(name, geometry(tensor), tensor.dtype, args, kwargs)


# -- overlap ----------------------------------------------------------------------------------------------------------


OVERLAP = (
    "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory location. "
    "Please clone() the tensor before performing the operation."
)


def check_overlap(target, operands, wholly: bool = False) -> None:
    """PyTorch's error for an op that writes to `target` while it reads `operands`, which lie partly in the same place.

    Args:
        wholly: whether the very same window is refused too.

    Raises:
        RuntimeError: a tensor among `operands` shares some memory with `target`.
    """
    root = root_of(target)
    here = None
    for other in operands:
        if isinstance(other, tuple | list):
            check_overlap(target, other, wholly)
        if not isinstance(other, Handle) or root_of(other) is not root or (other is target and not wholly):
            continue
        here = here or geometry(target)
        there = geometry(other)
        if _overlaps_partly(here, target.dtype.itemsize, there, other.dtype.itemsize) or (wholly and here == there):
            raise RuntimeError(OVERLAP)


def _overlaps_partly(a: Geometry, a_width: int, b: Geometry, b_width: int) -> bool:
    """As PyTorch decides it: of two dense windows; whoever has gaps is let through."""
    if 0 in a.sizes or 0 in b.sizes or not (is_dense(a) and is_dense(b)):
        return False
    first, last = a.offset * a_width, (a.offset + math.prod(a.sizes)) * a_width
    begin, end = b.offset * b_width, (b.offset + math.prod(b.sizes)) * b_width
    if (first, last) == (begin, end):
        return a.strides != b.strides
    return first < end and begin < last


READS = {"index_fill": 2, "masked_fill": 1, "masked_scatter": 0}
"""How many of an op's arguments must not overlap with what it writes to, if not all."""
PLACES = set("""
    index_add index_copy index_fill index_put index_reduce put scatter scatter_add scatter_reduce
""".split())  # fmt: skip
"""Ops that write element by element where an index says: they may not read what they write to at all."""


def is_expanded(tensor, name: str) -> bool:
    """Whether the tensor repeats elements of its base, which PyTorch only warns of in some ops."""
    steps = tensor._known().aval.strides
    if steps is None or not any(s == 0 and n > 1 for n, s in zip(tensor.shape, steps)):
        return False
    warn_once(
        f"Use of {name}_ on expanded tensors is deprecated. Please clone() the tensor before performing this operation. "
        "This also applies to advanced indexing e.g. tensor[" + _EXPANDED[name]
    )
    return True


_EXPANDED = {
    "index_fill": "mask] = scalar", "masked_fill": "mask] = scalar", "index_put": "indices] = tensor",
}  # fmt: skip
