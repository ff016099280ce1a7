"""Saved tensors, as PyTorch shows them: ``grad_fn._saved_self``, and hooks that pack and unpack them.

What XLA keeps for a gradient is its own business; `engine.saved` knows what PyTorch would keep. With hooks, an op's
gradient is computed in backward() from what the hooks return: there the op is a seam, recorded again from its operands.

Source: https://docs.pytorch.org/docs/stable/notes/autograd.html#hooks-for-saved-tensors
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable

from funcgrad import _operators
from funcgrad._facade import _autocast, _views
from funcgrad._tensor import Tensor, wrap
from funcgrad.engine import saved
from funcgrad.engine.backward import SECOND_TIME, Seam, rerecord
from funcgrad.engine.nested import python_takes_part
from funcgrad.engine.record import as_leaf, detached, record
from funcgrad.engine.state import Program, state
from funcgrad.engine.structure import Entry, Scalar, position
from funcgrad.engine.values import Leaf, Ref, Value

_FROM_RESULT = {
    "exp": lambda g, y: g * y,
    "tanh": lambda g, y: g * (1 - y * y),
    "sigmoid": lambda g, y: g * (y * (1 - y)),
    "sqrt": lambda g, y: g / (2 * y),
    "rsqrt": lambda g, y: -0.5 * g * y**3,
    "reciprocal": lambda g, y: -g * (y * y),
    "relu": lambda g, y: g * (y > 0).to(g.dtype),
}
"""The gradients of ops that keep their result instead of their operand, from what an unpack hook made of it."""


class SavedTensor:
    """One tensor that an op saved. `register_hooks` lets functions pack it now and unpack it in backward()."""

    def __init__(self, *args):
        raise RuntimeError("Trying to create a SavedTensor object from Python is forbidden.")

    def register_hooks(self, pack_hook: Callable, unpack_hook: Callable) -> None:
        """Keep ``pack_hook(tensor)``; ``unpack_hook`` gives the tensor back.

        Raises:
            RuntimeError: the op saved nothing here, its graph was freed, or hooks were registered before.
        """
        program, entry, name = self._of
        slot = saved.saved(entry).get(name)
        if slot is None:
            raise RuntimeError("Calling register_hooks on a saved tensor with value None is forbidden")
        packed = _packed_of(program, entry)
        if _is_freed(program, entry) or (packed is not None and packed.freed):
            raise RuntimeError("Calling register_hooks on a saved tensor after it has been freed.")
        if packed is None:
            packed = _Packed(program, entry)
        if name in packed.kept:
            raise RuntimeError("Calling register_hooks on a saved tensor whose hooks have already been set.")
        packed.pack(name, pack_hook, unpack_hook)


class _Packed:
    """The saved tensors of one call, packed; in backward() the seam at the call computes its gradient from them."""

    def __init__(self, program: Program, entry: Entry):
        self.entry = entry
        self.saved = saved.operand_numbers(entry)
        self.kept: dict = {}  # by PyTorch's name: what the pack hook returned, and the unpack hook
        self.freed = False
        self.numbers = {float: program.floats, int: program.ints, complex: program.complexes}
        self.numbers = {kind: list(pool) for kind, pool in self.numbers.items()}
        with python_takes_part():
            self.values = [value_at(program, slot) for slot in saved.operands(entry)]
            results = {name: -1 - k for name, k in self.saved.items() if k is not None and k < 0}
            self.result = {name: value_at(program, entry.first + k) for name, k in results.items()}
            seam = Seam(
                position(program.node.path(), entry.first), entry.first, len(entry.outs), function=self.backward
            )
            seam.packed = self
            program.seams.append(seam)

    def pack(self, name: str, pack_hook: Callable, unpack_hook: Callable) -> None:
        """Let the hook have a saved tensor."""
        given = _tensor_of(self.result[name] if name in self.result else self.values[self.saved[name]])
        version = given._version
        with _Untracked():
            kept = pack_hook(given)
        if given._version != version:
            raise RuntimeError(
                "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook can not be "
                "modified by in-place operations as this can lead to unexpected side-effects. Please open an issue if you "
                "need to perform in-place operations on the input to a pack hook."
            )
        self.kept[name] = (kept, unpack_hook)
        self.result.pop(name, None)

    def unpacked(self, name: str) -> Tensor:
        """What the unpack hook makes of a packed tensor."""
        kept, unpack_hook = self.kept[name]
        with _Untracked():
            tensor = unpack_hook(kept)
        if not isinstance(tensor, Tensor):
            raise TypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
                f"{type(tensor).__name__}"
            )
        return tensor

    def shown(self, name: str) -> Tensor:
        """As `unpacked`, on the graph of the tensor that was packed."""
        tensor, place = self.unpacked(name), self.saved[name]
        value = self.values[place] if place >= 0 else None
        if value is None or not value.requires_grad or tensor.requires_grad:
            return tensor
        if not isinstance(value.origin, Leaf):
            return wrap(record(_views._GRAFT, (value, tensor._read())))
        tensor = tensor.detach()
        tensor._leaf = value.origin
        tensor._value = as_leaf(tensor._read(), tensor._leaf)
        return tensor

    def backward(self, arrived: list, create: bool, retain: bool) -> list:
        """The cotangents of the call's operands, by slot."""
        if self.freed:
            raise RuntimeError(SECOND_TIME)
        entry = self.entry
        values, tracked = list(self.values), entry.tracked
        unpacked = {name: self.unpacked(name) for name in self.kept}
        cotangents = [None if v is None else wrap(v) for v in arrived]
        self.freed = not retain
        if not retain:
            self.kept = {}
        formula = _FROM_RESULT.get(entry.op.name)
        if formula is not None and "result" in unpacked and len(tracked) == 1:
            grad, state.grad = state.grad, create
            try:
                result = unpacked["result"]
                if create:
                    result = _operators.apply(entry.op, *self._arguments(values))
                return [(tracked[0], formula(cotangents[0], result)._read())]
            finally:
                state.grad = grad
        for name, tensor in unpacked.items():
            if self.saved[name] >= 0:
                values[self.saved[name]] = tensor.detach()._read()
        return self._differentiated(values, cotangents, create)

    def _differentiated(self, values: list, cotangents: list, create: bool) -> list:
        """Record the call again on `values` and differentiate it."""
        from funcgrad.autograd._backward import grad as gradient

        entry, before = self.entry, state.grad
        state.grad = True
        try:
            slots, starts = [], []
            for k, slot in enumerate(saved.operands(entry)):
                if slot not in entry.tracked:
                    continue
                if create:  # on the graph of the operand itself
                    start = wrap(record(_views._GRAFT, (self.values[k], values[k])))
                else:
                    start = wrap(detached(values[k])).requires_grad_()
                values[k] = start._read()
                slots.append(slot)
                starts.append(start)
            hooks, _hooks.stack = _hooks.stack, []
            try:
                out = record(entry.op, *self._arguments(values))
            finally:
                _hooks.stack = hooks
            results = [out] if isinstance(out, Value) else out[0]
            pairs = [(wrap(v), ct) for v, ct in zip(results, cotangents) if ct is not None and v.requires_grad]
            made = gradient(
                [v for v, _ in pairs],
                starts,
                [ct for _, ct in pairs],
                create_graph=create,
                allow_unused=True,
            )
        finally:
            state.grad = before
        return [(slot, g._read()) for slot, g in zip(slots, made) if g is not None]

    def _arguments(self, values: list) -> tuple:
        following = iter(values)

        def fill(a):
            if isinstance(a, Ref):
                return next(following)
            if isinstance(a, Scalar):
                return self.numbers[a.kind][a.index]
            if isinstance(a, tuple):
                made = [fill(x) for x in a]
                return type(a)(*made) if hasattr(a, "_fields") else tuple(made)
            return {k: fill(x) for k, x in a.items()} if isinstance(a, dict) else a

        return [fill(a) for a in self.entry.args], {k: fill(a) for k, a in (self.entry.kwargs or {}).items()}


class _Untracked:
    """Hooks run without recording gradients, and without hooks."""

    def __enter__(self) -> None:
        self.before, state.grad = (state.grad, _hooks.stack), False
        _hooks.stack = []

    def __exit__(self, *exc) -> None:
        state.grad, _hooks.stack = self.before


def value_at(program: Program, slot: int) -> Value:
    """The value in a slot of a pending or retained program."""
    slots = program.slots if program.seen is None else program.seen
    value = slots[slot]() if slots is not None else None
    if value is not None:
        return value
    if program is state.program:
        from weakref import ref as weak

        from funcgrad.engine.structure import maker
        from funcgrad.engine.values import REFS

        made = maker(program.node.path(), slot)
        value = Value(None, made.outs[slot - made.first][0], program, REFS[slot], made.outs[slot - made.first][1])
        program.slots[slot] = weak(value)
        return value
    if program.arrays is None:
        raise RuntimeError(SECOND_TIME)
    return rerecord(program)[slot]


def _packed_of(program: Program, entry: Entry) -> _Packed | None:
    return next((s.packed for s in program.seams if s.packed is not None and s.first == entry.first), None)


def _is_freed(program: Program, entry: Entry) -> bool:
    if program.slots is None and program.executable is None:
        return True
    freed = program.freed | program.node.freed
    return bool(freed) and position(program.node.path(), entry.first) in freed


def attribute(program: Program, entry: Entry, name: str):
    """``grad_fn._saved_x`` and ``grad_fn._raw_saved_x``.

    Raises:
        AttributeError: the node saves nothing of this name.
        RuntimeError: what it saved was freed, or written since.
    """
    raw, what = name.startswith("_raw_"), name.partition("saved_")[2]
    found = saved.saved(entry)
    if what in found:
        if raw:
            made = object.__new__(SavedTensor)
            made._of = (program, entry, what)
            return made
        return _shown(program, entry, what, found[what])
    if not raw and any(parameter[0] == what for parameter in entry.op.parameters):
        signature = inspect.signature(entry.op.function)
        given = signature.bind(*entry.args, **(entry.kwargs or {}))
        given.apply_defaults()
        if not isinstance(given.arguments[what], Ref | Scalar):
            return given.arguments[what]
    if what == "self_sym_sizes" and entry.reads:
        read = saved.operands(entry)[0]
        return tuple(value_at(program, read).aval.shape)
    raise AttributeError(f"'{saved.node_name(entry, entry.first)}' object has no attribute '{name}'")


def _shown(program: Program, entry: Entry, what: str, slot: int | None) -> Tensor | None:
    packed = _packed_of(program, entry)
    if packed is not None and (packed.freed or what in packed.kept):
        if packed.freed:
            raise RuntimeError(SECOND_TIME)
        return packed.shown(what)
    if _is_freed(program, entry):
        raise RuntimeError(SECOND_TIME)
    if slot is None:
        return None
    return _tensor_of(value_at(program, slot))


def _tensor_of(value: Value) -> Tensor:
    """A tensor of this value: the leaf that has it, if it is a leaf's."""
    leaf = value.origin if isinstance(value.origin, Leaf) else None
    owner = leaf.owner() if leaf is not None else None
    return owner if owner is not None and owner._value is value else wrap(value)


# -- hooks on whatever is saved -------------------------------------------------------------------------------------------


class _Hooks(threading.local):
    def __init__(self):
        self.stack: list = []


_hooks = _Hooks()
_lock = threading.Lock()
_inside = [0]


def push(pack_hook: Callable, unpack_hook: Callable) -> None:
    """From now on the hooks see what this thread's ops save."""
    _hooks.stack = [*_hooks.stack, (pack_hook, unpack_hook)]
    _count(1)


def pop() -> None:
    """Undo the last `push`."""
    _hooks.stack = _hooks.stack[:-1]
    _count(-1)


def _count(change: int) -> None:
    """While any thread is inside, ops are recorded by `_recording`."""
    with _lock:
        _inside[0] = max(0, _inside[0] + change)
        plain = _recording if _inside[0] else record
        _autocast.plain_record = _operators.record_as_is = plain
        _operators.record = _autocast._record if _autocast._threads else plain


def _recording(op, args, kwargs=None):
    out = record(op, args, kwargs)
    if _hooks.stack and state.grad:
        program = state.program
        entry = program.node.entry
        if entry.op is op and any(s is not None for s in saved.saved(entry).values()):
            packed = _Packed(program, entry)
            for name, slot in packed.saved.items():
                if slot is not None:
                    packed.pack(name, *_hooks.stack[-1])
    return out


def pack_all(tensors: tuple) -> list | None:
    """What a user's Function saved, packed, if there are hooks."""
    if not _hooks.stack:
        return None
    pack_hook, unpack_hook = _hooks.stack[-1]
    with _Untracked():
        return [None if t is None else (pack_hook(t.detach()), unpack_hook) for t in tensors]


def unpack_all(packed: list) -> tuple:
    """The tensors of `pack_all` again."""
    with _Untracked():
        return tuple(None if p is None else p[1](p[0]) for p in packed)
