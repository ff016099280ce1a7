"""Recording: append one op to the thread's pending program. This is the hot path; see `structure` for the idea."""

from __future__ import annotations

import sys
from weakref import ref as weak

import jax
import numpy as np

from funcgrad import _dtypes
from funcgrad.engine import bounds, numbers
from funcgrad.engine import launch as _launch
from funcgrad.engine.abstract import abstract
from funcgrad.engine.state import CAP, state
from funcgrad.engine.structure import EXPONENT, STATIC, Entry, Node, Op, Scalar, exponent_is_static
from funcgrad.engine.values import HANDLES, REFS, Aval, Handle, LeafValue, Ref, Value, aval_of, laid_out
from funcgrad.ops.layouts import result_strides
from funcgrad.ops.strides import Geometry, contiguous_strides

TRUE, FALSE = object(), object()  # keys: True == 1 == 1.0 in Python, but they are different programs


class Override(Exception):
    """An operand's class overrides ops (``__torch_function__``); the facade hands the call over to it."""


def record(op: Op, args: tuple | list, kwargs: dict | None = None):
    """Append `op(*args, **kwargs)` to the pending program.

    Returns:
        The result's `Value`, or ``(values, pack)`` for an op with several results.

    Raises:
        Whatever the op's array function raises for operands of these shapes and dtypes: bad calls fail here.
    """
    program = state.program
    if program.node.depth >= program.limit:
        program = _at_limit(program, args, kwargs)
    key = [op if state.grad else op.untracked]
    add = key.append
    try:
        for a, kind in zip(args, op.kinds):
            cls = a.__class__
            if cls in HANDLES:
                value = a._value
                if value is None:
                    value = a._refresh()
                add(value.ref if value.program is program else add_input(program, value))
            elif cls is Value or cls is LeafValue:
                add(a.ref if a.program is program else add_input(program, a))
            elif kind and (cls is float or cls is int):
                add(_number(program, a, cls, kind))
            elif cls is int or cls is str or a is None:
                add(a)
            elif cls is list:
                add(_list_key(program, a, kind))
            else:
                add(freeze(program, a, kind))
        if kwargs:
            for name, a in kwargs.items():
                add(name)
                add(freeze(program, a, op.keywords.get(name, STATIC)))
    except BaseException:
        program.trim()
        raise
    if state.program is not program:  # reading an operand launched it: begin again in the new one
        return record(op, args, kwargs)
    key = tuple(key)
    node = program.node.children.get(key)
    if node is None:
        try:
            node = extend(program, key, op, args, kwargs)
        except TypeError as e:
            plain = _renamed(op, args, kwargs) or numbers.with_numbers(op, args, kwargs)
            if plain is None:
                raise numbers.complaint(op, args, kwargs) or numbers.missing(op, e) or e from None
            return record(op, *plain)
    if op.bounds is not None:  # after the op's own errors, about shapes and dtypes
        _check_bounds(program, op, args, kwargs)
    program.node = node
    entry = node.entry
    if entry.pack is None:
        aval, requires_grad = entry.outs[0]
        slots = program.slots
        value = Value(None, aval, program, REFS[len(slots)], requires_grad)
        slots.append(weak(value))
        return value
    return new_values(program, entry), entry.pack


def _renamed(op: Op, args, kwargs):
    made = numbers.in_own_names(op, args, kwargs)
    return made if made is not None and made[1].keys() != kwargs.keys() else None


def _check_bounds(program, op: Op, args, kwargs) -> None:
    try:
        bounds.check_now(op, args, kwargs)
    except Exception:
        program.trim()
        raise


def _at_limit(program, args, kwargs):
    """The program has grown to its cap, or had its backward(): see the note on when to launch in `state`."""
    if state.capture is not None:
        state.capture.see(args)
        state.capture.see((kwargs or {}).values())
        program.limit = 0
        return program
    if program.traced:
        return program
    if program.node.depth >= CAP:
        _launch.launch("the pending program reached its cap")
    elif state.grad and _any_tracked(args):
        _launch.launch("a new forward pass began after backward()")
    return state.program


def _any_tracked(args) -> bool:
    for a in args:
        if isinstance(a, Handle):
            a = a._value if a._value is not None else a._refresh()
        if (isinstance(a, Value) and a.requires_grad) or (isinstance(a, tuple | list) and _any_tracked(a)):
            return True
    return False


def new_values(program, entry: Entry) -> list[Value]:
    """Values for all results of the entry just recorded."""
    slots, values = program.slots, []
    if len(slots) + len(entry.outs) > len(REFS) - 8:
        REFS.grow(2 * (len(slots) + len(entry.outs)) + 8)
    for aval, requires_grad in entry.outs:
        value = Value(None, aval, program, REFS[len(slots)], requires_grad)
        slots.append(weak(value))
        values.append(value)
    return values


def add_input(program, value: Value) -> Ref:
    """Give a computed value a slot in the pending program."""
    if program.nested is not None:
        if not program.nested.owns(value):
            program.nested.capture(value)
        elif not program.nested.split():
            return _start_graph(program, value)
    elif value.array is None:
        if value.__class__ is LeafValue:
            if value.raw.array is None and value.raw.program is program:
                return _start_graph(program, value)
        _launch.settle(value)
    if state.program is not program:
        return REFS[0]  # whoever is recording sees this too, and begins again
    node = program.node
    aval = value.aval
    key = aval.tracked if value.requires_grad else aval
    child = node.children.get(key)
    if child is None:
        child = node.children[key] = Node(
            node, Entry(None, (), None, (), (), node.slots, ((aval, value.requires_grad),))
        )
    program.node = child
    slots = program.slots
    index = len(slots)
    if index > len(REFS) - 8:
        REFS.grow(2 * len(REFS))
    ref = value.ref = REFS[index]
    value.program = program
    slots.append(weak(value))
    program.inputs.append(index)
    array = value.array
    program.arrays.append(array)
    if value.requires_grad:
        program.edges[index] = value.origin
    if isinstance(array, jax.core.Tracer):
        program.traced = True
    return ref


def _list_key(program, items: list, kind: int) -> tuple:
    """The key of a list: what `cat` and an optimizer take, so mostly handles."""
    key = [tuple]
    add = key.append
    for a in items:
        if a.__class__ in HANDLES:
            value = a._value
            if value is None:
                value = a._refresh()
            add(value.ref if value.program is program else add_input(program, value))
        else:
            add(freeze(program, a, kind))
    return tuple(key)


def _number(program, a, cls: type, kind: int):
    """Pack a Python number among the program's inputs; the key holds only its type."""
    if kind == EXPONENT and (cls is int or exponent_is_static(a)):
        return (cls, a)
    if cls is float:
        program.floats.append(a)
    elif cls is int:
        if not -(2**63) <= a < 2**63:
            raise RuntimeError("Overflow when unpacking long long")
        program.ints.append(a)
    else:
        program.complexes.append(a)
    return cls


def freeze(program, a, kind: int):
    """The key of one argument, of any type; values inside sequences become slots."""
    cls = a.__class__
    if cls is bool:
        return TRUE if a else FALSE
    if cls is float or cls is int or cls is complex:
        return _number(program, a, cls, kind) if kind else (cls, repr(a)) if cls is not int else a
    if cls in HANDLES:
        a = a._value if a._value is not None else a._refresh()
        cls = Value
    if cls is Value or cls is LeafValue:
        return a.ref if a.program is program else add_input(program, a)
    if isinstance(a, tuple | list):
        return (tuple, *[freeze(program, x, kind) for x in a])
    if isinstance(a, Handle):
        raise Override
    if isinstance(a, np.generic):
        return freeze(program, a.item(), kind)
    if isinstance(a, float | int):
        return freeze(program, (float if isinstance(a, float) else int)(a), kind)
    if isinstance(a, dict):
        return (dict, *[(k, freeze(program, x, kind)) for k, x in a.items()])
    if isinstance(a, slice):
        return (slice, *[freeze(program, x, kind) for x in (a.start, a.stop, a.step)])
    if hasattr(cls, "__torch_function__") or isinstance(a, np.ndarray | jax.Array):
        raise Override
    return a


# -- the first time a structure is seen -------------------------------------------------------------------------------


class _Template:
    """Turns the arguments of one call into an entry's: `Ref` and `Scalar` in place of values and numbers."""

    def __init__(self, program, op: Op):
        self.program = program
        self.op = op
        self.reads: list[int] = []
        self.avals: list[Aval] = []
        self.tracked: list[int] = []
        self.used = {float: 0, int: 0, complex: 0}

    def build(self, args, kwargs):
        base = {kind: len(pool) for kind, pool in self._pools().items()}
        made = [self.convert(a, kind) for a, kind in zip(args, self.op.kinds)]
        named = {k: self.convert(a, self.op.keywords.get(k, STATIC)) for k, a in (kwargs or {}).items()}
        # The numbers of this call are the last ones packed: count them from the end.
        shift = {kind: base[kind] - self.used[kind] for kind in base}
        return [_shifted(a, shift) for a in made], {k: _shifted(a, shift) for k, a in named.items()}

    def _pools(self):
        return {float: self.program.floats, int: self.program.ints, complex: self.program.complexes}

    def convert(self, a, kind: int):
        if isinstance(a, Handle):
            a = a._value or a._refresh()
        if isinstance(a, Value):
            self.reads.append(a.ref.index)
            self.avals.append(a.aval)
            if a.requires_grad:
                self.tracked.append(a.ref.index)
            return a.ref
        if isinstance(a, np.generic):
            a = a.item()
        if isinstance(a, bool) or a is None or isinstance(a, str):
            return a
        if isinstance(a, float | int | complex):
            return self._scalar(a, kind)
        if isinstance(a, tuple | list):
            made = [self.convert(x, kind) for x in a]
            return type(a)(*made) if hasattr(a, "_fields") else tuple(made)
        if isinstance(a, dict):
            return {k: self.convert(x, kind) for k, x in a.items()}
        return a

    def _scalar(self, a, kind: int):
        cls = float if isinstance(a, float) else int if isinstance(a, int) else complex
        if not kind or (kind == EXPONENT and (cls is int or (cls is float and exponent_is_static(a)))):
            return a
        self.used[cls] += 1
        return Scalar(cls, self.used[cls] - 1)


def _shifted(a, shift: dict):
    if isinstance(a, Scalar):
        return Scalar(a.kind, a.index + shift[a.kind])
    if isinstance(a, tuple):
        made = [_shifted(x, shift) for x in a]
        return type(a)(*made) if hasattr(a, "_fields") else tuple(made)
    return {k: _shifted(x, shift) for k, x in a.items()} if isinstance(a, dict) else a


def extend(program, key: tuple, op: Op, args, kwargs) -> Node:
    """A new edge of the trie: check the call by abstract evaluation and note what it will return."""
    parent = program.node
    template = _Template(program, op)
    targs, tkwargs = template.build(args, kwargs)
    try:
        if len(args) > len(op.kinds):
            raise TypeError(f"{op.name}() takes fewer than {len(args)} positional arguments")
        avals, pack, device, kind = abstract(op, key, targs, tkwargs, template.reads, template.avals)
    except Exception:
        program.trim()
        raise
    tracked = tuple(dict.fromkeys(template.tracked)) if op.differentiable and state.grad else ()
    made = [aval_of(shape, dtype, device) for shape, dtype in avals]
    made, copies = _laid_out(program, op, targs, tkwargs, template, made)
    outs = tuple((a, op.starts or (bool(tracked) and a.dtype.category >= _dtypes.FLOATING)) for a in made)
    if op.grads is not None:
        outs = tuple((a, grad and wanted) for (a, grad), wanted in zip(outs, op.grads))
    entry = Entry(
        op, targs, tkwargs, tuple(template.reads), tracked, parent.slots, outs, pack, site=user_site(), kind=kind
    )
    entry.copies = copies
    entry.stops = not state.grad or op.name == "detach"
    if op.bounds is not None:
        entry.flags = bounds.flags(op, args, kwargs, entry)
    numbers = (len(program.floats), len(program.ints), len(program.complexes))
    node = parent.children[key] = Node(parent, entry, numbers)
    return node


def _laid_out(program, op: Op, args, kwargs, template: _Template, made: list[Aval]) -> tuple[list[Aval], bool]:
    """The results' avals with their strides, and whether an op asked for a view had to copy."""
    by_slot = dict(zip(template.reads, template.avals))

    def shown(a):
        if isinstance(a, Ref):
            return by_slot[a.index]
        if isinstance(a, Scalar):
            return 0  # a position: strides do not depend on it
        return tuple(shown(x) for x in a) if isinstance(a, tuple) else a

    operands = [Geometry(a.shape, a.strides or contiguous_strides(a.shape)) for a in template.avals]
    dtype = template.avals[0].dtype if operands else None
    shapes = [a.shape for a in made]
    is_view = getattr(op.function, "is_view", False)
    named = {k: shown(a) for k, a in kwargs.items()}
    try:
        found, copies = result_strides(op.name, is_view, shown(tuple(args)), named, operands, shapes, dtype)
    except Exception:
        program.trim()
        raise
    return [laid_out(a, strides) for a, strides in zip(made, found)], copies


def restrided(value: Value, aval: Aval) -> Value:
    """The same array with the strides of `aval`."""
    if value.aval.strides == aval.strides:
        return value
    if value.array is not None and value.__class__ is Value:
        made = laid_out(value.aval, aval.strides)
        return Value(value.array, made, None, None, value.requires_grad, value.origin)
    return record(_RESTRIDE, (value, aval.strides or contiguous_strides(aval.shape)))


_RESTRIDE = Op("restride", lambda x, strides: x)


def detached(value: Value) -> Value:
    """The same array, cut off from the graph."""
    if value.__class__ is LeafValue and value.raw is not None:
        return detached(value.raw)
    if value.array is None and value.program is not state.program:
        _launch.settle(value)
    if value.array is None or isinstance(value.array, jax.core.Tracer):
        return record(_DETACH, (value,))
    return Value(value.array, value.aval)


def as_leaf(value: Value, leaf) -> Value:
    """The same array as the start of a graph: its gradient goes to `leaf`."""
    if value.array is None and value.program is not state.program:
        _launch.settle(value)
    if value.array is not None:
        return Value(value.array, value.aval, None, None, True, leaf)
    return LeafValue(value, leaf)


def _start_graph(program, value: LeafValue) -> Ref:
    """Give a leaf that is still pending a slot of its own, where gradients stop."""
    made = record(_LEAF, (value.raw,))
    program.edges[made.ref.index] = value.origin
    program.slots[made.ref.index] = weak(value)
    value.program, value.ref, value.raw = program, made.ref, None
    return value.ref


_DETACH = Op("detach", lambda x: x, differentiable=False)
_LEAF = Op("leaf", lambda x: x, differentiable=False, starts=True)

PACKAGE = __name__.split(".")[0]


def user_site() -> str:
    """``file:line`` of the user's code that is recording: the first frame outside this package."""
    frame = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if (module != PACKAGE and not module.startswith(PACKAGE + ".")) or module.startswith(PACKAGE + ".examples"):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return "?"
