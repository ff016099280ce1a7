"""Memory that tensors and NumPy arrays share: ``from_numpy``, ``Tensor.numpy()``, the buffer protocol, DLPack.

NOTE: [Sharing memory with NumPy]
    In PyTorch a tensor and the array it was made of (or gave away) are one piece of memory. Here arrays on the device
    never change, and an op runs later than its line; so while NumPy can see a tensor's memory, that memory lies on the
    host and is the truth:

    * whenever the tensor (or a view of it) is used, what the memory holds at that moment is used; a copy of it is kept, so
      that nothing moves as long as nothing changed. A slice of a shared tensor reads only that slice;
    * whenever the tensor (or a view of it) is written, the value is computed and stored in the memory at once;
    * as soon as nobody but the tensor refers to the array any more (by its reference count) it is an ordinary tensor.

    So filling one array again and again for `from_numpy`, ``t.numpy()[...] = v``, and tensors that follow an array or the
    other way round all work as in PyTorch. What differs: ``nn.Parameter(t)`` and ``Tensor.data = t`` begin sharing with
    `t`'s array only as far as PyTorch code can tell from tensors, not from arrays; inside `compile` an array is read when
    the function is called, and tensors that the function writes are not stored in arrays, so writing one there ends the
    sharing, with a warning; arrays of dtypes that NumPy lacks (bfloat16) are never shared.
"""

from __future__ import annotations

import math
import sys
import warnings
from weakref import ref as weak

import numpy as np

from funcgrad import _device, _dtypes
from funcgrad._facade import _views
from funcgrad._facade._geometry import geometry, root_of, shows_memory, whole
from funcgrad._tensor import Tensor, wrap
from funcgrad.engine.launch import read, settle
from funcgrad.engine.record import as_leaf, record
from funcgrad.engine.state import state
from funcgrad.engine.values import Value, aval_of, laid_out
from funcgrad.ops import strides
from funcgrad.ops.strides import Geometry, contiguous_strides


class HostMemory:
    """One tensor's memory while arrays outside look at it.

    It stands among the tensor's views, which are told of writes by setting their `_value`.

    Attributes:
        array: the tensor's elements where they lie; `owner`: the array whose memory that is.
        root: the tensor, weakly.
    """

    __slots__ = ("__weakref__", "array", "owner", "root")

    def __init__(self, array: np.ndarray, tensor: Tensor):
        self.array = array
        owner = array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        self.owner = owner if owner is not array else None
        self.root = weak(tensor)

    def __call__(self) -> HostMemory | None:
        return None if self.root is None else self

    def is_shared(self) -> bool:
        """Whether anybody else can see this memory."""
        if (self.array if self.owner is None else self.owner).base is not None:  # it is not NumPy's own: nobody knows
            return True
        return self._counts() != _ALONE[self.owner is not None]

    def _counts(self) -> tuple[int, int]:
        return sys.getrefcount(self.array), 0 if self.owner is None else sys.getrefcount(self.owner)

    def window(self, place: Geometry) -> np.ndarray:
        """The part of the memory where a view lies, as an array of its own."""
        width = self.array.itemsize
        if not math.prod(place.sizes):
            return np.empty(place.sizes, self.array.dtype)
        reach = 1 + sum((n - 1) * s // width for n, s in zip(self.array.shape, self.array.strides))
        line = np.lib.stride_tricks.as_strided(self.array, (reach,), (width,))
        return np.lib.stride_tricks.as_strided(line[place.offset :], place.sizes, [s * width for s in place.strides])

    # -- memory to tensor ---------------------------------------------------------------------------------------------

    def value_of(self, tensor: Tensor) -> Value:
        """What `tensor`, which looks at this memory, holds at this moment."""
        root = self.root()
        if not self.is_shared():
            self.end(root)
            return tensor._value or tensor._refresh()
        if tensor is root:
            return self._now(root, self.array)
        if tensor._seen is not None and not root._seen.requires_grad and shows_memory(tensor):
            return self._now(tensor, self.window(geometry(tensor)))
        above = root._refresh()
        if tensor._seen is None or tensor._seen_of is not above:
            tensor._seen, tensor._seen_of = tensor._derived(), above
        return tensor._seen

    def _now(self, tensor: Tensor, here: np.ndarray) -> Value:
        seen = tensor._seen
        if seen.array is not None and _equal(here, np.asarray(seen.array)):
            return seen
        value = Value(np.array(here, order="C"), seen.aval)
        if tensor._leaf is not None and seen.requires_grad:
            value = as_leaf(value, tensor._leaf)
        elif seen.requires_grad:
            value = record(_views._GRAFT, (seen, value))
            settle(value)
        tensor._seen = value
        return value

    def end(self, root: Tensor) -> None:
        """Make `root` an ordinary tensor again."""
        seen = root._seen
        if seen.array is None or not _equal(self.array, np.asarray(seen.array)):
            seen = Value(self.array, seen.aval, None, None, False)
            seen = as_leaf(seen, root._leaf) if root._leaf is not None and root._seen.requires_grad else seen
        root._memory = root._seen = self.root = None
        root._value = seen

    # -- tensor to memory ---------------------------------------------------------------------------------------------

    def _store(self, _) -> None:
        """The root was written: store its value, which is then read from here again."""
        root = self.root()
        value = root._value
        if value is None:
            return
        if state.capture is not None or state.program.traced:
            self.forget(root)
            return
        settle(value)
        np.copyto(self.array, np.asarray(value.array))
        root._seen, root._value = value, None

    def forget(self, root: Tensor) -> None:
        """Stop sharing although somebody else looks at the array."""
        warnings.warn(
            "a compiled function writes a tensor whose memory a NumPy array shares; from now on it does not",
            stacklevel=2,
        )
        root._memory = root._seen = self.root = None

    _value = property(None, _store)


_SMALL = 4096
"""Bytes up to which copying both is faster than NumPy's comparison."""


def _equal(here: np.ndarray, there: np.ndarray) -> bool:
    """Whether two arrays are the same bit by bit (for wide dtypes: provably)."""
    if here.nbytes <= _SMALL:
        return here.tobytes() == there.tobytes()
    if here.itemsize <= 8:
        as_bits = f"u{here.itemsize}"
        here, there = here.view(as_bits), there.view(as_bits)
    return bool(np.array_equal(here, there))


_ALONE = {False: HostMemory(np.zeros(1), wrap(None))._counts(), True: HostMemory(np.zeros(1)[:], wrap(None))._counts()}
"""The reference counts of an array that only a `HostMemory` holds, without and with an owner besides it."""


def share(tensor: Tensor, array: np.ndarray, seen: Value) -> None:
    """Let `tensor`, which is its own root, look at `array` from now on; `seen` is what it last held."""
    if tensor._views is None:
        tensor._views = []
    views = [(v, v._known()) for v in (r() for r in tensor._views) if v is not None]  # before there is memory to ask
    memory = tensor._memory = HostMemory(array, tensor)
    for view, known in views:
        view._seen, view._seen_of, view._value = known, None, None
    tensor._views.append(memory)
    tensor._seen, tensor._value = seen, None


def view(tensor: Tensor, op, args: tuple) -> Tensor:
    """``op(tensor, *args)``, a view of memory that NumPy shares: nothing is read."""
    place = strides.derive(op.name, whole(tensor), *args)
    known = tensor._known()
    aval = laid_out(aval_of(place.sizes, known.aval.dtype.numpy, known.aval.device), place.strides)
    made = wrap(None)
    made._seen = Value(None, aval)
    _views.attach(made, tensor, op, args, None)
    return made


def rows(tensor: Tensor, index) -> Tensor | None:
    """``tensor[index]`` for one array of positions, read from the memory directly; None if that is impossible."""
    memory = root_of(tensor)._memory
    if isinstance(index, Tensor):
        known = index._known()
        if known.array is None or known.aval.dtype.category != _dtypes.INTEGER or known.aval.dtype is _dtypes.uint8:
            return None
        index = np.asarray(known.array)
    elif index.dtype.kind != "i":
        return None
    if not memory.is_shared() or tensor.requires_grad or not shows_memory(tensor) or not index.ndim or not index.size:
        return None
    here = memory.window(geometry(tensor))
    if not here.ndim or index.min() < -here.shape[0] or index.max() >= here.shape[0]:
        return None
    from funcgrad._facade._creation import from_array

    return from_array(here[index])


# -- from and to NumPy ------------------------------------------------------------------------------------------------


def from_numpy(ndarray: np.ndarray) -> Tensor:
    """A tensor that shares the array's memory: changes of either are seen by both.

    Raises:
        TypeError: not an array, or of a dtype that PyTorch lacks.
        ValueError: the array has negative strides or another byte order.

    Example:
        >>> import funcgrad as torch, numpy as np
        >>> a = np.zeros(2)
        >>> t = torch.from_numpy(a)
        >>> a[0] = 1
        >>> t
        tensor([1., 0.], dtype=torch.float64)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    flags = ndarray.flags
    if (
        flags.c_contiguous
        and flags.writeable
        and ndarray.size
        and state.capture is None
        and ndarray.dtype in _dtypes._BY_NUMPY
    ):
        tensor = wrap(None)
        share(tensor, ndarray, Value(None, aval_of(ndarray.shape, ndarray.dtype, _device.CPU)))
        return tensor
    from funcgrad._facade._creation import from_array

    if not ndarray.dtype.isnative:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. Conversion between byte orders is "
            "currently not supported."
        )
    if any(s < 0 for s in ndarray.strides) and ndarray.size:
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not currently "
            "supported. (You can probably work around this by making a copy of your array  with array.copy().) "
        )
    plain = ndarray.dtype in _dtypes._BY_NUMPY and all(s % ndarray.itemsize == 0 for s in ndarray.strides)
    if not plain or state.capture is not None or not ndarray.flags.writeable or not ndarray.size:
        if not ndarray.flags.writeable:
            warnings.warn(_NOT_WRITABLE, UserWarning, stacklevel=2)
        return from_array(np.array(ndarray, order="C"))
    aval = aval_of(ndarray.shape, ndarray.dtype, _device.CPU)
    aval = laid_out(aval, tuple(s // ndarray.itemsize for s in ndarray.strides))
    tensor = wrap(None)
    share(tensor, ndarray, Value(None, aval))
    return tensor


_NOT_WRITABLE = (
    "The given NumPy array is not writable, and PyTorch does not support non-writable tensors. This means writing to this "
    "tensor will result in undefined behavior. You may want to copy the array to protect its data or make it writable "
    "before converting it to a tensor. This type of warning will be suppressed for the rest of this program."
)


def numpy(self: Tensor, *, force: bool = False) -> np.ndarray:
    """The tensor as a NumPy array that shares its memory; with `force`, a copy where sharing is impossible.

    Views of conjugates and negatives give a copy, where PyTorch refuses.

    Raises:
        RuntimeError: the tensor requires grad (use ``detach()``).
        TypeError: it is not on the CPU, or of a dtype that NumPy lacks.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.numpy.html
    """
    if force:
        self = self.detach().cpu()
    elif self.device.type != "cpu":
        raise TypeError(
            f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory "
            "first."
        )
    elif self.requires_grad and state.grad:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    if self.dtype.numpy.kind not in "biufc":
        raise TypeError(f"Got unsupported ScalarType {self.dtype.scalar_name}")
    if not shows_memory(self) or not self.numel() or state.program.traced or state.capture is not None:
        return np.array(self._host())
    root = root_of(self)
    if root._memory is None:
        _expose(root)
    place = geometry(self)
    return root._memory.window(place)


def _expose(root: Tensor) -> None:
    """Put a tensor's elements where NumPy can see them."""
    value = root._read()
    host = np.asarray(read(value))
    steps = value.aval.strides or contiguous_strides(value.aval.shape)
    reach = 1 + sum((n - 1) * s for n, s in zip(value.aval.shape, steps))
    here = np.ndarray(host.shape, host.dtype, np.empty(reach, host.dtype), strides=[s * host.itemsize for s in steps])
    here[...] = host
    share(root, here, value)


def __array__(self: Tensor, dtype=None, copy=None) -> np.ndarray:
    """What ``np.asarray(tensor)`` calls."""
    array = numpy(self)
    if copy:
        return np.array(array, dtype)
    return array if dtype is None else array.astype(dtype, copy=False)


def __array_wrap__(self: Tensor, array, context=None, return_scalar=False) -> Tensor:
    """What NumPy's functions of tensors return."""
    if array.dtype == bool:
        array = array.astype("uint8")
    return from_numpy(np.asarray(array))


def install() -> None:
    Tensor.numpy = numpy
    Tensor.__array__ = __array__
    Tensor.__array_wrap__ = __array_wrap__
