"""Views and in-place writes, functionally.

A view keeps its parent and how it was derived. Writing to a tensor makes a new value for it; writing to a view also
makes a new value of its base (`ops.views.write_through`), and every other view of that base is derived anew when it is
next read. Recorded values never change, so a gradient always sees the values of its own time, and PyTorch's
version-counter error has no cause.
"""

from __future__ import annotations

import sys
from weakref import ref as weak

from funcgrad.engine import saved
from funcgrad.engine.record import as_leaf, detached, record, restrided
from funcgrad.engine.saved import Write
from funcgrad.engine.state import state
from funcgrad.engine.structure import Op
from funcgrad.engine.values import HANDLES, Handle, LeafValue, Value

_write_ops: dict[str, Op] = {}


class Derivation:
    """How a view comes from its parent: ``op(parent, *args, **kwargs)[index]``."""

    __slots__ = ("args", "grad", "index", "kwargs", "op", "parent")

    def __init__(self, op: Op, parent, args, kwargs, index=None):
        self.op = op
        self.parent = parent
        self.args = args
        self.kwargs = kwargs
        self.index = index
        self.grad = state.grad

    def read(self) -> Value:
        """The view's value, from the parent's present one."""
        grad, state.grad = state.grad, self.grad
        try:
            parent = self.parent if type(self.parent) in HANDLES else self.parent._value or self.parent._refresh()
            out = record(self.op, (parent, *self.args), self.kwargs)
        finally:
            state.grad = grad
        return out if self.index is None else out[0][self.index]

    def write(self, base: Value, new: Value) -> Value:
        """The parent's value with the view's elements replaced."""
        if self.op.name == "detach":
            return detached(new) if new.requires_grad else new  # what was written is on the view's graph only
        op = _write_ops.get(self.op.name)
        if op is None:
            op = _write_ops[self.op.name] = _write_op(self.op.name)
        if self.index is None:
            return record(op, (base, new, *self.args), self.kwargs)
        return record(op, (base, new, *self.args), {**(self.kwargs or {}), "output": self.index})


def _write_op(name: str) -> Op:
    from funcgrad.ops import views

    def function(base, new, *args, **kwargs):
        return views.write_through(name, base, new, *args, **kwargs)

    made = Op("copy_slices", function, grad_name="CopySlices", saves=False)
    read = views.FUNCTIONS.get(name) if hasattr(views, "FUNCTIONS") else None
    if read is not None:
        like = Op(name, read)
        made.kinds = (0, 0, *like.kinds[1:])
        made.keywords = like.keywords
    return made


def attach(view, parent, op: Op, args, kwargs, index=None) -> None:
    """Note that `view` is a view of `parent`."""
    view._made = Derivation(op, parent, args, kwargs, index)
    base = parent._root
    if base is None:
        base = parent
    view._root = base
    views = base._views
    if views is None:
        views = base._views = []
    elif len(views) >= 16 and not len(views) & (len(views) - 1):
        views[:] = [r for r in views if r() is not None]
    views.append(weak(view))
    if base._memory is not None and state.capture is None:  # a captured view is an op on what the array holds then
        view._value, view._seen = None, view._value or view._seen


def write(tensor, value: Value) -> None:
    """Make `tensor` hold `value` (of its own shape, dtype and device) and let its base and views see it."""
    made = tensor._made
    if made is not None and made.op.name == "detach" and _is_abandoned(tensor, made):
        tensor._writes = made.parent._writes
        made = tensor._made = tensor._root = None
    if made is None:
        if tensor._memory is not None:
            tensor._value = tensor._refresh()  # what it holds until now
        _replace(tensor, value)
        if tensor._views:
            _outdate(tensor, None)
        return
    new = value
    holder = tensor
    while holder._made is not None:
        made = holder._made
        parent = made.parent
        old = parent._value if parent._value is not None else parent._refresh()
        new = made.write(old, new)
        if made.op.name == "detach" and old.requires_grad and parent._leaf is None:
            new = record(_GRAFT, (old, new))
        holder = parent
    if holder._memory is not None:
        holder._value = holder._refresh()
    _replace(holder, new)
    _outdate(holder, tensor)
    if holder._memory is not None or value.aval.strides is not None:  # it may show the new elements more than once
        tensor._value = None
    else:
        leaf = tensor._leaf
        tensor._value = value if leaf is None else as_leaf(value, leaf)


def _is_abandoned(tensor, made: Derivation) -> bool:
    """Whether nobody but this view of all of a tensor (what ``Parameter(data)`` is) refers to that tensor any more."""
    parent = made.parent
    if parent._made is not None or parent._memory is not None or sys.getrefcount(parent) > _VIEWED_ONLY:
        return False
    return all(r() is None or r() is tensor for r in parent._views)


_VIEWED_ONLY = 4  # its view's `_root` and derivation, the name above, and getrefcount's own argument


def _replace(tensor, value: Value) -> None:
    """Rebind a tensor that is nobody's view, remembering how to undo it."""
    old = tensor._value
    leaf = tensor._leaf
    if old.requires_grad and not value.requires_grad:
        value = as_leaf(value, leaf) if leaf is not None else _on_graph_of(old, value)
    elif leaf is not None and old.requires_grad:
        value = as_leaf(value, leaf)
    program = state.program
    if old.array is not None or old.__class__ is LeafValue:
        if old.program is program and old.ref is not None:
            program.journal.append(_Restore(weak(tensor), None, old.ref.index, old.aval, old.requires_grad))
        else:
            program.journal.append(_Restore(weak(tensor), old, 0, None, False))
    elif program.nested is not None and not program.nested.owns(old):
        program.journal.append(_Restore(weak(tensor), old, 0, None, False))
    tensor._value = value


class _Restore:
    """Give a tensor back the value it held before a program that failed."""

    __slots__ = ("aval", "requires_grad", "slot", "tensor", "value")

    def __init__(self, tensor, value, slot, aval, requires_grad):
        self.tensor = tensor
        self.value = value  # None if it is an input of the program: holding it would forbid its donation
        self.slot = slot
        self.aval = aval
        self.requires_grad = requires_grad

    def written(self) -> list:
        """The tensors it is about."""
        tensor = self.tensor()
        return [] if tensor is None else [tensor]

    def moved(self, nested, captured: dict) -> _Restore:
        """The same for the program around `nested`, where `captured[slot]` has a slot of its own."""
        old = captured.get(self.slot) if self.value is None else None
        if old is None:
            return self
        if old.array is not None and old.program is state.program:
            return _Restore(self.tensor, None, old.ref.index, self.aval, self.requires_grad)
        return _Restore(self.tensor, old, 0, None, False)

    def __call__(self, program) -> None:
        tensor = self.tensor()
        if tensor is None:
            return
        if self.value is None:
            array = program.arrays[program.inputs.index(self.slot)]
            origin = program.edges.get(self.slot)
            self.value = Value(array, self.aval, None, None, self.requires_grad, origin)
        tensor._value = self.value
        if tensor._views:
            _outdate(tensor, None)


def _outdate(base, writer) -> None:
    """Every view of `base` but the one written through is derived anew when next read."""
    alive = []
    for r in base._views:
        view = r()
        if view is not None:
            alive.append(r)
            if view is not writer:
                view._value = None
    base._views[:] = alive


def _graft(old, data):
    """`data` with the gradient of `old`: what PyTorch has after writing through ``x.detach()``."""
    return _grafted(old, data)


def _make_grafted(passes: bool):
    import jax

    @jax.custom_jvp
    def grafted(old, data):
        return data

    @grafted.defjvp
    def _(primals, tangents):
        return primals[1], tangents[0] if passes else jax.numpy.zeros_like(tangents[0])

    return grafted


_grafted, _overwritten = _make_grafted(True), _make_grafted(False)
_GRAFT = Op("alias", _graft, saves=False)
_OVERWRITE = Op("copy", lambda old, data: _overwritten(old, data), grad_name="CopyBackwards", saves=False)


def _on_graph_of(old: Value, value: Value) -> Value:
    """What a tensor on the graph holds after a write that records no gradient.

    With gradients switched off the graph stays as it was, as if nothing had been written; else the written value is a
    constant, and no gradient goes on to what was there before.
    """
    grad, state.grad = state.grad, True
    try:
        return record(_OVERWRITE if grad else _GRAFT, (old, value))
    finally:
        state.grad = grad


def count_write(tensor, old: Value, limit: int) -> None:
    """Count a write to `tensor`, which held `old`, and note for a later backward() what it made outdated.

    Args:
        limit: the first slot of the program made for the new value.
    """
    holder = tensor if tensor._made is None else _counted_by(tensor)
    version = holder._writes
    holder._writes = version + 1
    saved.note(old, limit, holder, version)
    if holder is not tensor and holder._value is not None:
        saved.note(holder._value, limit, holder, version)
    for r in holder._views or ():
        view = r()
        if isinstance(view, Handle) and view is not tensor and view._value is not None:
            if not _stands_apart(view, holder):
                saved.note(view._value, limit, holder, version)


def _stands_apart(view, holder) -> bool:
    """Whether a view of `holder` counts its writes by itself, as ``holder.data`` does."""
    while view is not holder:
        if view._apart:
            return True
        view = view._made.parent
    return False


def version_of(tensor) -> int:
    """How often the memory that `tensor` looks at was written."""
    return _counted_by(tensor)._writes


def _counted_by(tensor):
    """The tensor that counts the writes to this one."""
    while tensor._made is not None and not tensor._apart:
        tensor = tensor._made.parent
    return tensor


def replace_all(tensors: list, values: list[Value], positions: list[int] | None = None) -> None:
    """Make many tensors hold new values at once, as an optimizer does: one note of how to undo it all.

    Args:
        positions: where among the program's inputs each tensor's present value stands, if all of them do.
    """
    program = state.program
    note = _RestoreAll(tensors, program) if positions is None else _RestoreInputs(tensors, positions, program)
    program.journal.append(note)
    program.writes.append(note)
    if state.retained:
        for tensor in tensors:
            saved.note(tensor._value or tensor._refresh(), 1 << 60, tensor, tensor._version)
    for tensor, value in zip(tensors, values):
        have = tensor._value
        if have is None or value.aval is not have.aval:
            value = restrided(value, (have or tensor._refresh()).aval)
        if tensor._made is not None or tensor._views:
            write(tensor, value)
            holder = tensor if tensor._made is None else _counted_by(tensor)
            holder._writes += 1
        else:
            leaf = tensor._leaf
            tensor._value = value if leaf is None or not tensor._value.requires_grad else LeafValue(value, leaf)
            tensor._writes += 1


class _Within:
    """A note that speaks of the slots of a nested program, in the journal of the program around it."""

    __slots__ = ("nested", "note")

    def __init__(self, note, nested):
        self.note = note
        self.nested = nested

    def written(self) -> list:
        """The tensors it is about."""
        return self.note.written()

    def moved(self, nested, captured: dict) -> _Within:
        return self

    def __call__(self, program) -> None:
        self.note(self.nested)


class _RestoreInputs:
    """As `_Restore`, for tensors that live on in any case and whose values were inputs of the program."""

    __slots__ = ("positions", "program", "tensors")

    def __init__(self, tensors: list, positions: list[int], program):
        self.tensors = tensors
        self.positions = positions
        self.program = weak(program)

    def writes(self) -> list:
        """As notes of single writes."""
        inputs = self.program().inputs
        return [Write(inputs[p], 1 << 60, weak(t), t._version - 1) for t, p in zip(self.tensors, self.positions)]

    def written(self) -> list:
        """The tensors it is about."""
        return self.tensors

    def moved(self, nested, captured: dict) -> _Within:
        return _Within(self, nested)

    def __call__(self, program) -> None:
        for tensor, position in zip(self.tensors, self.positions):
            now = tensor._value
            origin = program.edges.get(program.inputs[position])
            tensor._value = Value(program.arrays[position], now.aval, None, None, now.requires_grad, origin)
            if tensor._views:
                _outdate(tensor, None)


class _RestoreAll:
    """As `_Restore`, for tensors that live on in any case."""

    __slots__ = ("olds", "program", "tensors")

    def writes(self) -> list:
        """As notes of single writes."""
        found, program = [], self.program()
        for t, old in zip(self.tensors, self.olds):
            slot = old if isinstance(old, int) else old.ref.index if old.program is program and old.ref else None
            if slot is not None:
                found.append(Write(slot, 1 << 60, weak(t), t._version - 1))
        return found

    def __init__(self, tensors, program):
        self.tensors = tensors
        self.program = weak(program)
        self.olds = []
        for t in tensors:
            old = t._value if t._value is not None else t._refresh()
            held = old.program is program and old.ref is not None and old.array is not None
            self.olds.append(old.ref.index if held else old)

    def written(self) -> list:
        """The tensors it is about."""
        return self.tensors

    def moved(self, nested, captured: dict) -> _Within:
        return _Within(self, nested)

    def __call__(self, program) -> None:
        for tensor, old in zip(self.tensors, self.olds):
            if isinstance(old, int):
                _Restore(lambda t=tensor: t, None, old, tensor._value.aval, tensor._value.requires_grad)(program)
            else:
                tensor._value = old
