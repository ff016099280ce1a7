"""Capturing: one recorded run of a function, replayed afterwards by jumping along the trie.

While a capture is under way nothing is launched, so the whole run becomes one path of the trie. What the run read is
noted (handles that existed before, numbers and draws that change from call to call); a replay fills in what these hold
now, and jumps to the path's end.
"""

from __future__ import annotations

from weakref import ref as weak

from funcgrad.engine import launch as _launch
from funcgrad.engine.record import user_site
from funcgrad.engine.state import CAP, Program, state
from funcgrad.engine.values import REFS, Handle, Value


class Refused(RuntimeError):
    """Something in a captured function needs a value before the function has ended."""


class Capture:
    """One captured run.

    Attributes:
        handles: the handle that was read, by the identity of the value it held; `values` keeps those alive.
        fresh: identities of handles made of data during the run: constants of every replay.
        draws: what makes anew the array of an input drawn during the run, by the identity of its value.
        numbers: what recomputes packed numbers on every replay: (kind, first index, function).
        cleared: identities of the leaves whose gradient the run cleared, so that it does not matter what it was before.
        reusable: False when the run made state (an optimizer's first step), which a replay would make anew.
    """

    def __init__(self):
        self.handles: dict[int, Handle] = {}
        self.values: list[Value] = []
        self.fresh: dict[int, Handle] = {}
        self.draws: dict = {}
        self.numbers: list = []
        self.cleared: set[int] = set()
        self.reusable = True

    def see(self, args) -> None:
        """Note the handles among the operands of an op about to be recorded."""
        for a in args:
            if isinstance(a, Handle):
                value = a._value if a._value is not None else a._refresh()
                if id(value) not in self.handles:
                    self.handles[id(value)] = a
                    self.values.append(value)
            elif isinstance(a, tuple | list):
                self.see(a)

    def forget(self) -> None:
        """Let go of what the run read: values held here would be results of its program, and inputs not given away."""
        self.handles, self.values, self.fresh, self.draws = {}, [], {}, {}

    def refuse(self, reason: str) -> None:
        raise Refused(
            f"{reason} inside a compiled function, at {user_site()}: a compiled function cannot look at values; "
            "return the tensor and read it outside"
        )

    def __enter__(self):
        _launch.launch("a compiled function was called")
        state.capture = self
        state.program.limit = 0  # recording asks `_at_limit` before every op, which shows us its operands
        return self

    def __exit__(self, kind, *exc) -> None:
        state.capture = None
        if kind is None:
            state.program.limit = CAP
        else:
            _launch.abandon()


def later(kind: type, count: int, function) -> None:
    """Have `function()` give the last `count` numbers packed whenever the run being captured is replayed."""
    if state.capture is not None:
        pool = state.program.floats if kind is float else state.program.ints
        state.capture.numbers.append((kind, len(pool) - count, function))


class Recording:
    """The program that a captured run recorded, to be entered again."""

    def __init__(self, program: Program):
        self.node = program.node
        self.inputs = list(program.inputs)
        self.floats, self.ints, self.complexes = list(program.floats), list(program.ints), list(program.complexes)
        self.seams = list(program.seams)
        given = set(self.inputs)
        self.edges = {slot: edge for slot, edge in program.edges.items() if slot not in given}
        self.outs = {e.first + i: out for e in self.node.path() for i, out in enumerate(e.outs)}

    def enter(self, values: list[Value], floats: list, ints: list, outputs: list[int]) -> list[Value]:
        """Jump to the end of the program with these inputs; returns the pending values of `outputs`."""
        program = state.program
        program.node = self.node
        program.inputs = self.inputs
        program.arrays = [v.array for v in values]
        program.floats, program.ints, program.complexes = floats, ints, self.complexes
        program.edges = {**self.edges, **{s: v.origin for s, v in zip(self.inputs, values) if v.requires_grad}}
        program.seams = list(self.seams)
        program.slots = slots = [_gone] * self.node.slots
        REFS.grow(len(slots) + 8)
        made = []
        by_slot: dict[int, Value] = {}  # a tensor may be changed and returned
        for slot in outputs:
            if slot not in by_slot:
                aval, requires_grad = self.outs[slot]
                value = by_slot[slot] = Value(None, aval, program, REFS[slot], requires_grad)
                slots[slot] = weak(value)
            made.append(by_slot[slot])
        return made


def _gone() -> None:
    """Stands for the weak reference of a value that nobody holds."""
