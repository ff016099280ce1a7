"""``x[index]`` and ``x[index] = value``."""

from __future__ import annotations

import functools

import jax
import numpy as np

from funcgrad import _dtypes, _operators
from funcgrad._errors import wrap_dim
from funcgrad._facade import _geometry, _host_memory, _views
from funcgrad._facade._creation import as_tensor, from_array
from funcgrad._facade._geometry import root_of, whole
from funcgrad._operators import check_overlap, check_writable, op, write
from funcgrad._size import Size
from funcgrad._tensor import Tensor, wrap
from funcgrad.engine.record import record
from funcgrad.engine.state import state
from funcgrad.engine.structure import Op
from funcgrad.engine.values import HANDLES, Value, aval_of, laid_out
from funcgrad.ops import indexing, joining, strides
from funcgrad.ops.index_bounds import INDEX_BOUNDS

_VIEW = op("getitem")
_GATHER = Op("index", indexing.getitem, grad_name="IndexBackward0", bounds=INDEX_BOUNDS["getitem"])
_SET = Op("setitem", indexing.setitem, grad_name="CopySlices", bounds=INDEX_BOUNDS["setitem"])


def getitem(self: Tensor, index) -> Tensor:
    """``self[index]``: a view for integers, slices, None and Ellipsis; a copy where arrays or masks take part."""
    shared = self._value is None and (self if self._root is None else self._root)._memory is not None
    if shared and state.capture is None:
        found = _shared(self, index)
        if found is not None:
            return found
    layout, operands = indexing.parse_index((self._value or self._known()).aval.shape, index)
    for operand in operands:
        if operand.__class__ is not int:
            layout, operands = _lifted(layout, operands)
            if any(item == "a" or item == "u" for item in layout):
                return wrap(record(_GATHER, (self, layout, *operands)))
            break
    if True in layout or False in layout:
        return wrap(record(_GATHER, (self, layout, *operands)))
    view = wrap(record(_VIEW, (self, layout, *operands)))
    # As they are now: the view stays where it is when its index is written later.
    now = (o if o.__class__ is int else o._value or o._refresh() for o in operands)
    _views.attach(view, self, _VIEW, (layout, *now), None)
    return view


_MANY = 32
"""So many results of one op are no longer worth a program of their own: 1,000 took 5 s to compile."""


def unbind_many(self: Tensor) -> list[Tensor] | None:
    """``self[0], self[1], ...``, computed at once if there are many; None if they are few."""
    known = self._known().aval
    count, *rest = known.shape
    if count <= _MANY:
        return None
    if not _may_compute(self):
        return [getitem(self, i) for i in range(count)]
    layout, _ = indexing.parse_index(known.shape, 0)
    place = strides.derive("getitem", whole(self), layout, 0)
    aval = laid_out(aval_of(tuple(rest), known.dtype.numpy, known.device), place.strides)
    rows, views = np.array(self._host()), []
    for i in range(count):
        view = wrap(Value(rows[i] if rest else np.asarray(rows[i]), aval))
        _views.attach(view, self, _VIEW, (layout, i), None)
        views.append(view)
    return views


def _may_compute(self: Tensor) -> bool:
    """Whether views of a tensor may be made of its computed value, outside any program."""
    if state.capture is not None or (state.grad and self.requires_grad) or self.device.type != "cpu":
        return False
    traced = isinstance(self._read().array, jax.core.Tracer) or state.program.traced  # reading may bring tracers in
    return not traced and state.program.nested is None


def _sections(plain, bounds):
    """``Tensor.split`` and its like, which compute at once if there are many parts."""

    def form(*args, **kwargs) -> tuple[Tensor, ...]:
        input, *given = args if args else (None,)
        simple = not kwargs and input.__class__ in HANDLES and given and given[0].__class__ in (int, tuple, list)
        if not simple or (given[0].__class__ is int and max(input.shape, default=0) <= _MANY):
            return plain(*args, **kwargs)
        try:
            dim, cuts = bounds(tuple(input.shape), *given)
        except (TypeError, ValueError, RuntimeError, IndexError):
            return plain(*args)
        if len(cuts) <= _MANY or not _may_compute(input):
            return plain(*args)
        known, host, views, before = input._known().aval, input._host(), [], (slice(None),) * dim
        for a, b in cuts:
            part = np.array(host[(*before, slice(a, b))], order="C")
            place = strides.derive("narrow", whole(input), dim, a, b - a)
            aval = laid_out(aval_of(part.shape, known.dtype.numpy, known.device), place.strides)
            view = wrap(Value(part, aval))
            _views.attach(view, input, _NARROW, (dim, a, b - a), None)
            views.append(view)
        return tuple(views)

    return functools.wraps(plain)(form)


_NARROW = op("narrow")


def _unbind(plain):
    def unbind(*args, **kwargs) -> tuple[Tensor, ...]:
        input, dim = (*args, *kwargs.values(), 0)[:2] if args else (None, 0)
        if input.__class__ in HANDLES and len(input._known().aval.shape) > 0 and dim.__class__ is int:
            at = wrap_dim(dim, input.dim())
            if input.shape[at] > _MANY:
                return tuple(unbind_many(input if at == 0 else input.movedim(at, 0)))
        return plain(*args, **kwargs)

    return functools.wraps(plain)(unbind)


def _shared(self: Tensor, index) -> Tensor | None:
    """`getitem` where NumPy shares the memory: only the part asked for is read. None if it is no such index."""
    if state.capture is not None:
        return None
    index = tuple(_as_position(i) for i in index) if index.__class__ is tuple else _as_position(index)
    if isinstance(index, Tensor | np.ndarray):
        return _host_memory.rows(self, index) if index.dtype not in (bool, _dtypes.bool_) else None
    layout, operands = indexing.parse_index(self._known().aval.shape, index)
    basic = all(o.__class__ is int for o in operands)
    if basic and not any(item in ("a", "u") or item is True or item is False for item in layout):
        return _host_memory.view(self, _VIEW, (layout, *operands))
    return None


def _as_position(i):
    """A tensor that is one position as its number: where a part of shared memory lies must be known at once."""
    if isinstance(i, Tensor) and not i.dim() and i.dtype.category == _dtypes.INTEGER and i.dtype is not _dtypes.uint8:
        return int(i.item())
    return i


def _lifted(layout: tuple, operands: tuple) -> tuple[tuple, tuple]:
    """Masks as their nonzero indices, arrays as tensors."""
    at = indexing.mask_operands(layout)
    if at:
        found = [indexing.nonzero_indices(_host(operands[k])) for k in at]
        layout, operands = indexing.splice_masks(layout, operands, found)
    return layout, tuple(from_array(np.array(o)) if isinstance(o, np.ndarray) else o for o in operands)


def _host(mask) -> np.ndarray:
    return mask._host() if isinstance(mask, Tensor) else np.asarray(mask)


def setitem(self: Tensor, index, value) -> None:
    """``self[index] = value``; `value` is broadcast and converted to this tensor's dtype."""
    check_writable(self, through_view=True)
    layout, operands = indexing.parse_index((self._value or self._known()).aval.shape, index)
    if not isinstance(value, Tensor | bool | int | float | complex):
        value = _assigned(value, self)
    if isinstance(value, Tensor) and value.device is not self.device and not value.dim():
        value = value.to(self.device)
    shape = tuple(value.shape) if isinstance(value, Tensor) else ()
    if shape and root_of(value) is root_of(self):
        basic = _is_basic(layout)
        _geometry.check_overlap(getitem(self, index) if basic else self, [value], wholly=not basic)
    if indexing.mask_operands(layout) and not indexing.writes_masked(self.dim(), layout, shape):
        layout, operands = _lifted(layout, operands)
    else:
        operands = tuple(from_array(np.array(o)) if isinstance(o, np.ndarray) else o for o in operands)
    if self._known().aval.strides is not None:
        _check_part(self, layout, one_value=not shape)
    write(self, record(_SET, (self, value, layout, *operands)), filling=True)


def _assigned(value, target: Tensor):
    """A value that is neither a tensor nor one of Python's numbers as one of them.

    Raises:
        TypeError: it is a list or an array of NumPy's, which PyTorch refuses too.
    """
    if isinstance(value, jax.Array):
        return as_tensor(value)
    if isinstance(value, np.integer):
        return int(value)
    kind = type(value)
    module = "" if kind.__module__ == "builtins" else "torch." if kind is Size else kind.__module__ + "."
    raise TypeError(f"can't assign a {module}{kind.__name__} to a torch.{target.dtype.scalar_name}Tensor")


def _check_part(self: Tensor, layout: tuple, one_value: bool) -> None:
    """PyTorch's error for writing to a part that repeats elements; its warning where tensors say where a number goes."""
    if one_value and not _is_basic(layout) and _geometry.is_expanded(self, "index_put"):
        return
    place = whole(self)
    if _is_basic(layout):
        place = strides.derive("getitem", place, layout, *[0] * len(layout))
    check_overlap(place.sizes, place.strides)


def _is_basic(layout: tuple) -> bool:
    return all(item in (":", "i", "n") or (item.__class__ is tuple and item[0] == "s") for item in layout)


def install() -> None:
    functions = _operators.NAMESPACES["f"]
    Tensor.unbind = functions["unbind"] = _unbind(Tensor.unbind)
    for name, bounds in (("split", joining.split_bounds), ("chunk", joining.chunk_bounds)):
        form = functions[name] = _sections(getattr(Tensor, name), bounds)
        setattr(Tensor, name, form)
    Tensor.__getitem__ = getitem
    Tensor.__setitem__ = setitem
