"""Where tensors lie in memory: strides, offsets, addresses and storages, as PyTorch would answer.

NOTE: [Strides without strides]
    Arrays have no strides, so a tensor's place in memory is worked out from how it was made. Strides are part of what is
    known of a value in advance (`engine.values.Aval`): they depend on the structure of a program alone and are noted
    when a structure is first recorded, by the rules of `ops.strides` (views) and `ops.layouts` (everything else).
    Offsets may depend on run-time positions (``x[i]``); they are computed from the chain of views when asked for.
    Addresses are numbers that are equal where PyTorch's would be and as far apart; nothing is stored there. An op whose
    layout rule is not known counts as making a new tensor, row by row.

Source: https://docs.pytorch.org/docs/stable/tensor_view.html and https://docs.pytorch.org/docs/stable/storage.html
"""

from __future__ import annotations

import itertools
import math
import weakref

from funcgrad import _formats, _operators
from funcgrad._facade import _views
from funcgrad._facade._geometry import geometry, is_conj, root_of, shows_memory, whole
from funcgrad._facade._out_dtypes import CPP
from funcgrad._tensor import DETACH, Tensor, wrap
from funcgrad.engine.record import as_leaf, detached, record, restrided
from funcgrad.engine.state import state
from funcgrad.engine.values import Leaf, laid_out
from funcgrad.ops import layouts, strides
from funcgrad.ops.strides import contiguous_strides

COPY = _operators.Op("clone", lambda x, memory_format=None: x, saves=False)
_addresses = itertools.count(1 << 40, 1 << 36)


def flat(tensor: Tensor) -> Tensor:
    """The storage that `tensor` looks at, as a one-dimensional view of its root."""
    root = root_of(tensor)
    if _is_detached(tensor) or root._hidden:
        root = root.detach()
    if root.dim() == 1:
        return root
    order = sorted(range(root.dim()), key=lambda d: -root.stride(d))
    return root.permute(order).view(-1) if root._known().aval.strides is not None else root.view(-1)


def _is_detached(tensor: Tensor) -> bool:
    while tensor._made is not None:
        if tensor._made.op is DETACH:
            return True
        tensor = tensor._made.parent
    return False


# -- questions --------------------------------------------------------------------------------------------------------


def stride(self: Tensor, dim: int | None = None):
    """How far apart in memory neighbours along each dimension are, in elements."""
    steps = whole(self).strides
    return steps if dim is None else steps[self._wrap_dim(dim)]


def is_contiguous(self: Tensor, *, memory_format=_formats.contiguous_format) -> bool:
    """Whether the elements lie one after the other in `memory_format`."""
    if self._known().aval.strides is None and memory_format is _formats.contiguous_format:
        return True
    return strides.is_contiguous(whole(self), memory_format)


def storage_offset(self: Tensor) -> int:
    """Where in its storage the tensor begins, in elements."""
    return geometry(self).offset if self._made is not None else 0


def dim_order(self: Tensor, *, ambiguity_check=False) -> tuple[int, ...]:
    """The dimensions from the one that changes slowest in memory on."""
    steps = self.stride()
    formats = ambiguity_check if isinstance(ambiguity_check, list | tuple) else []
    if ambiguity_check is not False and 1 in self.shape:
        if not any(is_contiguous(self, memory_format=f) for f in formats):
            raise RuntimeError(
                "The tensor does not have unique dim order, or cannot map to exact one of the given memory formats."
            )
    return tuple(sorted(range(self.dim()), key=lambda d: (-steps[d], d)))


def address(root: Tensor) -> int:
    """The address of a root's storage, drawn when first asked for."""
    if root._address is None:
        if root._memory is not None:
            return root._memory.array.ctypes.data
        root._address = next(_addresses)
    return root._address


def data_ptr(self: Tensor) -> int:
    """The address of the first element: equal for tensors that begin at the same place of the same storage."""
    if self.numel() == 0:
        return 0
    return address(root_of(self)) + self.storage_offset() * self.element_size()


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both look at the same storage with the same offset, sizes and strides."""
    return root_of(self) is root_of(tensor) and geometry(self) == geometry(tensor)


def visible_base(self: Tensor) -> Tensor | None:
    """The tensor this one is a view of; what `detach` returns is nobody's view."""
    base, made = None, self._made
    while made is not None and made.op is not DETACH:
        base = base if made.parent._hidden else made.parent
        made = made.parent._made
    return base


def is_view(self: Tensor) -> bool:
    """Whether this tensor is a view of another."""
    return visible_base(self) is not None


# -- copies -----------------------------------------------------------------------------------------------------------


def contiguous(self: Tensor, memory_format=_formats.contiguous_format) -> Tensor:
    """The tensor itself if it is contiguous in `memory_format`, else a copy that is."""
    if self._known().aval.strides is None and memory_format is _formats.contiguous_format:
        return self
    if memory_format is _formats.preserve_format:
        raise RuntimeError("preserve memory format is unsupported by the contiguous operator")
    return self if self.is_contiguous(memory_format=memory_format) else clone(self, memory_format=memory_format)


def clone(input: Tensor, *, memory_format=None) -> Tensor:
    """A copy; gradients flow through it."""
    return wrap(record(COPY, (input,), None if memory_format is None else {"memory_format": memory_format}))


def copy_memory(tensor: Tensor, copy: Tensor, memo: dict) -> None:
    """Let `copy` hold what `tensor` does; copies of tensors that share memory share memory too.

    Args:
        memo: what `copy.deepcopy` keeps while it copies.
    """
    root = root_of(tensor)
    alone = tensor._made is None and not tensor._views
    if alone or state.capture is not None or state.program.traced or not shows_memory(tensor):
        copy._value = detached(tensor._read())
        return
    key, place = ("storage", id(root)), geometry(tensor)
    base = memo.get(key)
    if base is None and place == whole(root):
        memo[key] = copy
        copy._value = detached(tensor._read())
        return
    if base is None:
        base = memo[key] = wrap(detached(root._read()))
        base._hidden = True
    look_at(copy, _line(base), _operators.op("as_strided"), (place.sizes, place.strides, place.offset))


def _line(tensor: Tensor) -> Tensor:
    """The tensor's storage as a vector that nobody sees: what looks at it is no view."""
    line = flat(tensor).detach()
    line._hidden = True
    return line


def suggested_format(tensor: Tensor):
    """The memory format that PyTorch takes a tensor's strides for."""
    place = whole(tensor)
    for form in (_formats.channels_last, _formats.channels_last_3d):
        if len(place.sizes) == len(strides.ORDERS[form.name]) and layouts.suggests(place, form.name):
            return form
    return _formats.contiguous_format


def formatted(tensor: Tensor, memory_format) -> Tensor:
    """A tensor that was just made, laid out in `memory_format`."""
    if memory_format is None or memory_format is _formats.preserve_format:
        return tensor
    value = tensor._read()
    wanted = contiguous_strides(value.aval.shape, memory_format)
    tensor._value = restrided(value, laid_out(value.aval, wanted))
    return tensor


def as_strided(input: Tensor, size, stride, storage_offset=None) -> Tensor:
    """A view of the input's storage with these sizes, strides and offset, whatever its own are."""
    if input._made is None and input._known().aval.strides is None:
        return _AS_STRIDED(input, size, stride, 0 if storage_offset is None else storage_offset)
    offset = geometry(input).offset if storage_offset is None else storage_offset
    view = _AS_STRIDED(flat(input), size, stride, offset)
    return view.conj() if is_conj(input) else view


_AS_STRIDED = _operators.view_form(_operators.op("as_strided"), "as_strided")


# -- tensors that change their place ----------------------------------------------------------------------------------


def step_aside(self: Tensor) -> Tensor:
    """A hidden tensor that takes this one's place in memory and among its views; this one may then look elsewhere."""
    hidden = object.__new__(Tensor)
    hidden._value, hidden._made, hidden._root, hidden._leaf = self._value, self._made, self._root, self._leaf
    hidden._hidden, hidden._address = True, self._address
    hidden._memory, hidden._seen = self._memory, self._seen
    if self._memory is not None:
        self._memory.root = weakref.ref(hidden)
    root = root_of(self)
    for view in [v for v in (r() for r in root._views or ()) if isinstance(v, Tensor)]:
        if view._made.parent is self:
            view._made.parent = hidden
        if root is self:
            view._root = hidden
    if root is self:
        hidden._views, self._views = self._views, None
    else:
        root._views.append(weakref.ref(hidden))  # to be derived anew, as any other view, when the root is written
    self._made = self._root = self._address = self._memory = self._seen = None
    return hidden


def look_at(self: Tensor, parent: Tensor, op, args: tuple) -> Tensor:
    """Make `self` the view ``op(parent, *args)``."""
    value = record(op, (parent, *args))
    _views.attach(self, parent, op, args, None)
    self._value = as_leaf(detached(value), self._leaf) if self._leaf is not None and value.requires_grad else value
    return self


def reshaping(name: str):
    """``Tensor.squeeze_`` and its like: the tensor looks at the same memory in another way."""
    op = _operators.op(name)

    def form(self: Tensor, *args, **kwargs) -> Tensor:
        _operators.check_writable(self)
        if kwargs:
            args += tuple(kwargs.values())
        record(op, (self, *args))  # its errors come before anything has changed
        return look_at(self, step_aside(self), op, args)

    form.__name__ = name + "_"
    form.__doc__ = f"`Tensor.{name}` in place."
    return form


def set_data(self: Tensor, new: Tensor) -> None:
    """``tensor.data = new``: look at `new`'s memory; gradients and hooks stay."""
    if not isinstance(new, Tensor):
        raise TypeError(f"Variable data has to be a tensor, but got {type(new).__name__}")
    requires_grad = self.requires_grad
    if requires_grad and not (new.is_floating_point() or new.is_complex()):
        raise RuntimeError("data set to a tensor that requires gradients must be floating point or complex dtype")
    if root_of(new) is root_of(self) and new.dtype is self.dtype and geometry(new) == geometry(self):
        return
    value = detached(new._read())
    step_aside(self)
    _views.attach(self, new, DETACH, (), None)
    if requires_grad and self._leaf is None:
        self._leaf = Leaf(self)
    self._value = as_leaf(value, self._leaf) if requires_grad else value


def _cpp_name(dtype) -> str:
    return CPP.get(dtype.name, dtype.scalar_name)


def set_(self: Tensor, source=None, storage_offset=0, size=None, stride=None) -> Tensor:
    """Look at another tensor's (or storage's) memory from now on."""
    given = getattr(source, "dtype", self.dtype)  # a storage without one holds bytes
    if given is not self.dtype:
        if isinstance(source, Tensor):
            raise RuntimeError(
                f"Could not set tensor of type {_cpp_name(given)} to a tensor of type {_cpp_name(self.dtype)}"
            )
        raise RuntimeError(
            f"Expected a Storage of type {_cpp_name(self.dtype)} or an UntypedStorage, but got type {given.scalar_name} for "
            f"argument 1 'storage'"
        )
    step_aside(self)
    if source is None:
        self._value = wrap(record(_operators.op("empty"), ((0,),), {"dtype": self.dtype, "device": self.device}))._value
        return self
    if isinstance(source, Tensor) and size is None:
        return look_at(self, source, DETACH, ())
    origin = source if isinstance(source, Tensor) else source._tensor(self.dtype)
    parent = _line(origin)
    size = (parent.numel(),) if size is None else tuple(size)
    steps = contiguous_strides(size) if stride is None else tuple(stride)
    return look_at(self, parent, _operators.op("as_strided"), (size, steps, storage_offset))


def resize_(self: Tensor, *sizes, size=None, memory_format=None) -> Tensor:
    """Give the tensor other sizes; elements keep their places in the storage, which grows if it has to."""
    sizes = sizes if size is None else (size,)
    if self.requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    size = tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
    if any(n < 0 for n in size):
        bad = next(n for n in size if n < 0)
        raise RuntimeError(f"Trying to create tensor with negative dimension {bad}: {list(size)}")
    if size == tuple(self.shape):
        return self
    steps = contiguous_strides(size, memory_format or _formats.contiguous_format)
    if math.prod(size) >= 1 << 63:
        raise RuntimeError("numel: integer multiplication overflow")
    if math.prod(size) * self.element_size() >= 1 << 63:
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(size)}")
    offset = self.storage_offset()
    needed = offset + sum((n - 1) * s for n, s in zip(size, steps)) + 1 if 0 not in size else 0
    grow_storage(self, needed)
    return look_at(self, flat(step_aside(self)), _operators.op("as_strided"), (size, steps, offset))


def resize_as_(self: Tensor, the_template: Tensor, *, memory_format=None) -> Tensor:
    """Give the tensor another one's sizes."""
    if memory_format is _formats.preserve_format:
        memory_format = suggested_format(the_template)
    return resize_(self, tuple(the_template.shape), memory_format=memory_format)


def grow_storage(tensor: Tensor, count: int) -> None:
    """Make the storage hold at least `count` elements; the new ones are zeros."""
    root = root_of(tensor)
    if count <= root.numel():
        return
    places = [(v, geometry(v)) for v in (r() for r in root._views or ()) if isinstance(v, Tensor)]
    longer = _operators.call("cat", [flat(root).detach(), root.new_zeros(count - root.numel())])
    own = whole(root)
    hidden = step_aside(root)
    hidden._value, hidden._memory = longer._read(), None
    for view, place in [(root, own), *places]:
        look_at(view, hidden, _operators.op("as_strided"), (place.sizes, place.strides, place.offset))


def install() -> dict:
    """Put the methods on Tensor; return those that are functions of ``torch`` too."""
    for method in (stride, is_contiguous, storage_offset, dim_order, data_ptr, is_set_to, contiguous, clone, as_strided,
                   set_, resize_, resize_as_):  # fmt: skip
        setattr(Tensor, method.__name__, method)
    Tensor._base = property(visible_base)
    Tensor.data = property(Tensor.data.fget, set_data)
    Tensor._is_view = is_view
    for name in ("squeeze", "unsqueeze", "transpose", "t", "swapaxes", "swapdims"):
        setattr(Tensor, name + "_", reshaping(name))
    Tensor.as_strided_ = reshaping("as_strided")
    return {"clone": clone, "as_strided": as_strided, "resize_as_": resize_as_}
