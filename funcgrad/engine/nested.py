"""Nested programs: a function recorded into a program of its own, then entered into the one around it as one op.

What the function reads from outside becomes an operand of that op; what is held of it afterwards becomes a result.
`Checkpoint` enters its program under ``jax.checkpoint``, `Batch` under ``jax.vmap``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from weakref import ref as weak

import jax
import jax.numpy as jnp

from funcgrad.engine import launch as _launch
from funcgrad.engine import replay
from funcgrad.engine.record import add_input, record
from funcgrad.engine.state import Program, state
from funcgrad.engine.structure import Node, Op
from funcgrad.engine.values import LeafValue, Value, aval_of
from funcgrad.ops._number import Array, Scalar

_UNBOUNDED = 1 << 60


class Nested:
    """A program being recorded inside another one.

    Attributes:
        program: the nested program; `outer`: the one around it.
        operands: for each input of the nested program, the outer value it stands for.
        captured: by slot, those inputs that *are* outer values: they have their slot here for the time being; `homes`:
            where each of them belongs.
        grad: whether gradients were being recorded when it began.
    """

    name = "nested"
    grad_name = "NestedBackward"

    def __init__(self):
        self.grad = state.grad
        self.begin()

    def begin(self) -> None:
        """Start recording into a new nested program."""
        self.outer = state.program
        self.operands: list[Value] = []
        self.captured: dict[int, tuple] = {}
        self.homes: list[tuple] = []
        self.program = state.program = Program()
        self.program.nested = self
        self.program.traced = True  # nothing in it can be computed by itself
        self.program.limit = 0 if state.capture is not None else _UNBOUNDED

    def capture(self, value: Value) -> None:
        """Note that the outer value is about to become the next input; `record.add_input` gives it its slot."""
        slot = len(self.program.slots)
        self.captured[slot] = value
        self.homes.append((value.program, value.ref))
        self.operands.append(value)

    def split(self) -> bool:
        """Enter what was recorded so far and begin anew, if this kind of program can be cut in two."""
        return False

    def home(self, slot: int):
        """Where the gradient of the input in `slot` goes outside: see `backward.where`."""
        if slot not in self.captured:
            return None
        value = self.captured[slot]
        if value.origin is not None:
            return value.origin
        program, ref = self.homes[list(self.captured).index(slot)]
        return (
            None
            if program is None
            else program.nested.home(ref.index)
            if program.nested is not None and ref.index in program.nested.captured
            else program.edges.get(ref.index, (program, ref.index))
        )

    def owns(self, value: Value) -> bool:
        """Whether the value was made in this program."""
        if value.__class__ is LeafValue and value.raw is not None:
            value = value.raw
        return value.program is self.program and value.ref.index not in self.captured

    @contextlib.contextmanager
    def outside(self):
        """For a while, record in the program around this one."""
        refs = [value.ref for value in self.captured.values()]
        self.leave()
        try:
            yield
        finally:
            self.outer, state.program = state.program, self.program
            self.homes = [(value.program, value.ref) for value in self.captured.values()]
            for value, ref in zip(self.captured.values(), refs):
                value.program, value.ref = self.program, ref

    def leave(self) -> None:
        """Give the captured values their places back, and record outside again."""
        for value, (program, ref) in zip(self.captured.values(), self.homes):
            value.program, value.ref = program, ref
        state.program = self.outer

    def decide(self, value: Value) -> None:
        """Python is about to take a branch by this value."""

    def settle(self, value: Value) -> None:
        """Compute a value that somebody reads while this program is being recorded."""
        if self.owns(value):
            self.compute(value)
        else:
            with self.outside():
                _launch.settle(value)

    def transformed(self, function: Callable, slots: list[int]) -> Callable:
        """The function of arrays that the outer program shall compute, given what this one computes."""
        raise NotImplementedError

    def key(self, slots: list[int]) -> tuple:
        """What `transformed` depends on."""
        return ()

    def enter(self, slots: list[int]) -> list[Value]:
        """Record the program so far as one op of the outer one; returns the outer values of `slots`."""
        program = self.program
        node, path = program.node, program.node.path()
        node.calls = {} if node.calls is None else node.calls
        key = (type(self), tuple(slots), self.key(slots))
        op = node.calls.get(key)
        flags = [flag for e in path for flag in e.flags]
        if op is None:
            grads = {e.first + i: grad for e in path for i, (_, grad) in enumerate(e.outs)}
            function = _operator(self.transformed(_replayed(node, slots, flags), slots))
            function.inner = (path, slots)  # for whoever wants to know what made a result
            wanted = (*[grads[s] for s in slots], *[False] * len(flags))
            op = node.calls[key] = Op(self.name, function, grad_name=self.grad_name, grads=wanted)
        grad, state.grad = state.grad, self.grad
        try:
            values, _ = record(op, (self.operands, program.floats, program.ints, program.complexes))
        finally:
            state.grad = grad
        entry = state.program.node.entry
        if flags and not entry.flags:
            first = entry.first + len(slots)
            entry.flags = tuple(_OuterFlag(first + i, flag) for i, flag in enumerate(flags))
        return values[: len(slots)]

    def hand_over(self, moved: list[tuple[Value, Value]]) -> None:
        """Let values of this program stand for the outer ones that `enter` made of them; leave notes of how to undo."""
        for value, made in moved:
            value.program, value.ref = made.program, made.ref
            made.program.slots[made.ref.index] = weak(value)
        for note in self.program.journal:
            moved = getattr(note, "moved", None)
            state.program.journal.append(moved(self.program, self.captured) if moved else note)


def _replayed(node: Node, slots: list[int], flags: list) -> Callable:
    """The program as a pure function: (arrays, floats, ints, complexes) -> the arrays in `slots`, and the flags."""
    path = node.path()
    inputs = [e.first for e in path if e.op is None]
    differentiated = set().union(*(e.vjp.entries for e in path if e.vjp is not None))
    requires = {e.first + i for e in path for i, (_, grad) in enumerate(e.outs) if grad}
    # Without a tracked input, only JAX can be differentiating this program, and gradients taken inside it are its own.
    outside = any(e.op is None and e.outs[0][1] for e in path)
    stops = frozenset(
        e.first + i
        for e in path
        if e.op is not None and requires.intersection(e.reads) and outside
        for i, (_, grad) in enumerate(e.outs)
        if not grad
    )

    def function(arrays, *numbers):
        env = dict(zip(inputs, arrays))
        replay.run(path, env, replay.Numbers(*numbers), differentiated, stops)
        return [env[s] for s in slots] + [flag.raised(env) for flag in flags]

    return function


def _operator(function: Callable) -> Callable:
    """The array function of an op, from one that takes arrays throughout."""

    def operator(
        arrays: Sequence[Array], floats: Sequence[Scalar], ints: Sequence[Scalar], complexes: Sequence[Scalar]
    ) -> list[Array]:
        return function(list(arrays), *[[n.value for n in numbers] for numbers in (floats, ints, complexes)])

    return operator


class _OuterFlag:
    """A check of the nested program (`bounds.Flag`), which comes out as a result of its op."""

    def __init__(self, slot: int, flag):
        self.slot = slot
        self.flag = flag

    def raised(self, env: dict):
        found = env[self.slot].reshape(-1, 2)
        return found[jnp.argmax(found[:, 0])]

    def error(self, value: float) -> Exception:
        return self.flag.error(value)


class Checkpoint(Nested):
    """A function whose intermediate values are computed again during backward instead of being kept.

    Where Python has to take part (a value is read, a hook is set, a user's Function is called), what was recorded so
    far is entered, and the rest becomes a program of its own.

    Attributes:
        moved: weak references to the values that were held when the program (each part of it) was entered.
        cut: whether Python took part, so that there are several parts.
    """

    grad_name = "CheckpointFunctionBackward"

    def __init__(self, reentrant: bool = False):
        self.moved: list = []
        self.cut = False
        self.name = "reentrant_checkpoint" if reentrant else "checkpoint"
        super().__init__()

    def key(self, slots):
        return (self.name,)

    def transformed(self, function, slots):
        return jax.checkpoint(function)

    def __enter__(self):
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    def close(self) -> None:
        """Enter the program; every value of it that is still held becomes one of the outer program."""
        program, held = self.program, []
        for slot, reference in enumerate(program.slots):
            value = reference()
            if value is not None and value.array is None and self.owns(value):
                held.append((slot, value))
        self.leave()
        if held:
            made = self.enter([slot for slot, _ in held])
            self.hand_over([(value, outer) for (_, value), outer in zip(held, made)])
        self.moved += [weak(value) for _, value in held]

    @contextlib.contextmanager
    def paused(self):
        """For a while, record in the outer program; afterwards a new nested program is begun."""
        self.close()
        self.cut = True
        try:
            yield
        finally:
            self.begin()

    def split(self) -> bool:
        self.close()
        self.begin()
        return True

    def compute(self, value: Value) -> None:
        with self.paused():
            _launch.settle(value)

    def launch(self, reason: str) -> None:
        with self.paused():
            _launch.launch(reason)


@contextlib.contextmanager
def python_takes_part():
    """Inside, what is recorded is no part of a checkpoint: a place where backward will call Python."""
    nested = state.program.nested
    if isinstance(nested, Checkpoint):
        with nested.paused(), python_takes_part():
            yield
    else:
        yield


class _Draws(threading.local):
    forbidden = 0


_draws = _Draws()


@contextlib.contextmanager
def forbidding_draws(wanted: bool = True):
    """Inside, random draws are refused, as under vmap in its randomness error mode."""
    _draws.forbidden += wanted
    try:
        yield
    finally:
        _draws.forbidden -= wanted


def draws_forbidden() -> bool:
    """Whether a random draw is an error just now."""
    return _draws.forbidden > 0


ESCAPED = (
    "a tensor made inside a function under vmap was used after the function had returned: return it from the function"
)
CONTROL_FLOW = (
    "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow. We don't support that "
    "yet, please file an issue at https://github.com/pytorch/pytorch/issues ."
)
READ = (
    "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over calling .item() on a Tensor, "
    "please try to rewrite what you're doing with other operations. If error is occurring somewhere inside PyTorch "
    "internals, please file a bug report."
)
WRITTEN = (
    "vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a Tensor `other` in extra_args "
    "that has more elements than `self`. This happened due to `other` being vmapped over but `self` not being vmapped "
    "over in a vmap. Please try to use out-of-place operators instead of inplace arithmetic. If said operator is being "
    "called inside the PyTorch framework, please file a bug report instead."
)


class Batch(Nested):
    """A function of single examples, entered as a function of a batch of `size` of them.

    Attributes:
        axes: for each input, the axis along which the outer value holds the examples; None for one shared by all.
        level: how many batches deep this one is, from 1.
        randomness: whether random draws are refused ("error"), shared ("same") or made for each example ("different").
    """

    name = "vmap"
    grad_name = "VmapBackward"

    def __init__(self, size: int, randomness: str):
        self.size = size
        self.randomness = randomness
        self.axes: list[int | None] = []
        self.stand_ins: dict[int, tuple] = {}
        enclosing = batch_of(state.program)
        self.level = 1 if enclosing is None else enclosing.level + 1
        self.out_axes: list[int | None] = []
        super().__init__()

    def capture(self, value: Value) -> None:
        outer, axis = self.stand_ins.pop(id(value), (value, None))
        if axis is None:
            super().capture(value)
        else:
            self.operands.append(outer)
        self.axes.append(axis)

    def example(self, value: Value, axis: int) -> Value:
        """One example of an outer value that holds a batch of them along `axis`."""
        shape = value.aval.shape
        aval = aval_of((*shape[:axis], *shape[axis + 1 :]), value.aval.dtype.numpy, value.aval.device)
        made = Value(None, aval, None, None, value.requires_grad)
        self.stand_ins[id(made)] = (value, axis)
        add_input(self.program, made)
        return made

    def varies(self, value: Value) -> bool:
        """Whether a value differs from example to example."""
        if not self.owns(value):
            return False
        if value.__class__ is LeafValue and value.raw is not None:
            value = value.raw
        path = self.program.node.path()
        inputs = [e.first for e in path if e.op is None]
        found = {slot for slot, axis in zip(inputs, self.axes) if axis is not None}
        for e in path:
            if found.intersection(e.reads):
                found.update(range(e.first, e.first + len(e.outs)))
        return value.ref.index in found

    def key(self, slots):
        return (tuple(self.axes), tuple(self.out_axes), self.size)

    def transformed(self, function, slots):
        count = len(slots)

        def parted(*operands):
            results = function(*operands)
            return results[:count], results[count:]

        axes = (list(self.axes), None, None, None)
        batched = jax.vmap(parted, axes, (list(self.out_axes), 0), axis_size=self.size)

        def joined(*operands):
            results, flags = batched(*operands)
            return [*results, *flags]

        return joined

    def outer_values(self, values: list[Value], axes: list[int | None]) -> list[Value]:
        """Outer values that hold the batch of each of `values` along an axis (None for one that does not vary)."""
        program = self.program
        slots = [(v.ref if v.program is program else add_input(program, v)).index for v in values]
        self.out_axes = axes
        with self.outside():
            return self.enter(slots)

    def lowered(self, value: Value) -> tuple[Value, int | None]:
        """The outer value a value stands for at present, and the axis of its batch."""
        if value.array is not None or not self.owns(value):
            return value, None
        axis = 0 if self.varies(value) else None
        return self.outer_values([value], [axis])[0], axis

    def decide(self, value: Value) -> None:
        if self.varies(value):
            raise RuntimeError(CONTROL_FLOW)

    def compute(self, value: Value) -> None:
        if self.varies(value):
            raise RuntimeError(READ)
        made, _ = self.lowered(value)
        with self.outside():
            _launch.settle(made)
        value.array = made.array

    def launch(self, reason: str) -> None:
        raise RuntimeError(READ)

    def abandon(self) -> None:
        """Forget what was recorded: the function raised an error."""
        if self.program.failure is None:
            if state.program is self.program:
                self.leave()
            _launch.undo(self.program, RuntimeError(ESCAPED))

    def close(self, values: list[Value], axes: list[int]) -> list[Value]:
        """The outer values that hold the batches of results; the program ends here."""
        program = self.program
        written = {id(t): t for note in program.journal for t in note.written()}
        kept = [t._value for t in written.values() if t._value is not None and self.owns(t._value)]
        if any(self.varies(v) for v in kept):
            raise RuntimeError(WRITTEN)
        if program.seams and any(v.requires_grad for v in values):
            raise NotImplementedError(
                "a gradient through vmap of a function that itself takes the gradient of an autograd.Function, or sets hooks, "
                "is not supported by funcgrad"
            )
        slots = [(v.ref if v.program is program else add_input(program, v)).index for v in values]
        slots += [v.ref.index for v in kept]
        self.out_axes = [*axes, *[None] * len(kept)]
        self.leave()
        program.failure = RuntimeError(ESCAPED)
        made = self.enter(slots)
        self.hand_over(list(zip(kept, made[len(values) :])))
        return made[: len(values)]


def batch_of(program: Program) -> Batch | None:
    """The innermost batch that a program is recorded for."""
    while program.nested is not None:
        if isinstance(program.nested, Batch):
            return program.nested
        program = program.nested.outer
    return None
