"""Values: arrays that are computed or still to be computed, and what is known of them in advance."""

from __future__ import annotations

import math
import threading
import weakref

from funcgrad import _dtypes
from funcgrad.ops.strides import Geometry, contiguous_strides, preserved_strides


class Ref:
    """The number of a slot in a program: slots hold a program's inputs and its entries' results.

    There is one `Ref` object per number (`REFS`), so that structure keys compare by identity and a slot is never
    mistaken for an integer argument.
    """

    __slots__ = ("index",)

    def __init__(self, index: int):
        self.index = index

    def __repr__(self) -> str:
        return f"%{self.index}"


class _Refs(list):
    """All `Ref` objects so far, grown on demand by `grow`."""

    def grow(self, count: int) -> None:
        with _growing:
            while len(self) < count:
                self.append(Ref(len(self)))


_growing = threading.Lock()
REFS = _Refs()
REFS.grow(4096)


class Aval:
    """Shape, dtype and device of a value; interned, so equal ones are the same object.

    `tracked` is the twin that stands for a value whose gradient is wanted: as an input of a program it is another
    structure. `strides` are those that PyTorch's tensor would have, or None where they are a new tensor's (row by row,
    nearly always); `plain` is the aval without them. Arrays have no strides: see `ops.strides`.
    """

    __slots__ = ("device", "dtype", "numel", "plain", "shape", "size", "strides", "tracked")

    def __init__(self, shape: tuple, dtype: _dtypes.dtype, device, strides=None, plain=None):
        self.strides = strides
        self.plain = plain or self
        self.shape = shape
        self.dtype = dtype
        self.device = device
        self.numel = math.prod(shape)
        self.size = None  # what the facade shows as the shape (torch.Size), made when first asked for
        self.tracked = object()

    def __repr__(self) -> str:
        return f"{self.dtype.name}{list(self.shape)}"


_avals: dict = {}


def aval_of(shape: tuple, numpy_dtype, device) -> Aval:
    key = (shape, numpy_dtype, device)
    found = _avals.get(key)
    if found is None:
        found = _avals[key] = Aval(tuple(int(n) for n in shape), _dtypes.to_dtype(numpy_dtype), device)
    return found


def laid_out(aval: Aval, strides: tuple | None) -> Aval:
    """`aval` with other strides (None: a new tensor's)."""
    aval = aval.plain
    if strides is None or strides == contiguous_strides(aval.shape):
        return aval
    key = (aval, strides)
    found = _avals.get(key)
    if found is None:
        found = _avals[key] = Aval(aval.shape, aval.dtype, aval.device, strides, aval)
    return found


def dense(aval: Aval) -> Aval:
    """`aval` as a new tensor like it has it: without gaps and repetitions, in the same order of dimensions."""
    if aval.strides is None:
        return aval
    return laid_out(aval, preserved_strides(Geometry(aval.shape, aval.strides)))


class Value:
    """One array, immutable once computed.

    Attributes:
        array: the array (`jax.Array`, `numpy.ndarray` not yet moved to the device, or a JAX tracer), or None while
            its program is pending.
        aval: shape, dtype and device, known from the start.
        program, ref: the program in which this value has a slot at present, and that slot.
        requires_grad: whether gradients flow to or through it.
        origin: where its gradient goes: a `Leaf`, or an `Origin` (a launched program and a slot), or `Freed`.
    """

    __slots__ = ("__weakref__", "array", "aval", "origin", "program", "ref", "requires_grad")

    def __init__(self, array, aval, program=None, ref=None, requires_grad=False, origin=None):
        self.array = array
        self.aval = aval
        self.program = program
        self.ref = ref
        self.requires_grad = requires_grad
        self.origin = origin

    def __repr__(self) -> str:
        return f"Value({self.aval}, {'pending' if self.array is None else 'computed'})"


class LeafValue(Value):
    """A pending value made the start of a graph: what an optimizer writes into a parameter.

    It has no slot of its own until it is read before its launch, which is rare; `raw` is the value it stands for.
    """

    __slots__ = ("raw",)

    def __init__(self, raw: Value, leaf):
        self.array = self.program = self.ref = None
        self.aval = raw.aval
        self.requires_grad = True
        self.origin = leaf
        self.raw = raw


class Leaf:
    """Where gradients end: the accumulation into one tensor's ``.grad`` (PyTorch's AccumulateGrad)."""

    __slots__ = ("__weakref__", "owner")

    def __init__(self, owner):
        self.owner = weakref.ref(owner)


class Origin:
    """The slot of a launched program that made a value: gradients continue there."""

    __slots__ = ("program", "slot")

    def __init__(self, program, slot: int):
        self.program = program
        self.slot = slot


class Freed:
    """The origin of a value whose graph was freed by an earlier backward(); `entry` made the value."""

    __slots__ = ("entry",)

    def __init__(self, entry):
        self.entry = entry


class Handle:
    """Something that holds a value and may come to hold another (a Tensor).

    `_value` is None when the handle is a view whose base was written: `_refresh()` then computes it anew.
    """

    __slots__ = ("_value",)


HANDLES: set[type] = set()
"""The handle classes whose instances ops accept as they are; others are asked for an override first."""
