"""Capturing: one recorded run of a function, replayed afterwards by jumping along the trie.

While a capture is under way nothing is launched, so the whole run becomes one path of the trie. What the run read (the
arguments, tensors that existed before, numbers and draws that change from call to call) and what it left behind
(results, tensors that hold new values) are noted; a replay fills in the former, jumps to the path's end, and hands out
the latter.
"""

from __future__ import annotations

from weakref import ref as weak

from funcgrad.engine import launch as _launch
from funcgrad.engine.record import user_site
from funcgrad.engine.state import Program, state
from funcgrad.engine.values import REFS, Value


class Refused(RuntimeError):
    """Something in a captured function needs a value before the function has ended."""


class Capture:
    """One captured run.

    Attributes:
        reusable: False when the run made state (an optimizer's first step), which a replay would make anew.
        numbers: what recomputes packed numbers on every replay: (pool, first index, function).
        draws: what makes anew the array of an input drawn during the run, by the identity of its value.
    """

    def __init__(self):
        self.reusable = True
        self.numbers: list = []
        self.draws: dict = {}
        self.modules: list = []
        self.program: Program | None = None

    def refuse(self, reason: str) -> None:
        raise Refused(
            f"{reason} inside a compiled function, at {user_site()}: a compiled function cannot look at values; "
            "return the tensor and read it outside"
        )

    def __enter__(self):
        if state.capture is not None:
            raise RuntimeError("a compiled function was called while another one is being captured")
        _launch.launch("a compiled function was called")
        state.capture = self
        self.program = state.program
        return self

    def __exit__(self, kind, *exc) -> None:
        state.capture = None


def later(pool: list, first: int, function) -> None:
    """Have `function()` give the numbers packed from `first` on whenever the run being captured is replayed."""
    if state.capture is not None:
        state.capture.numbers.append((pool is state.program.ints, first, function))


def replay(recorded: Program, arrays: list, floats: list, ints: list, edges: dict, outputs: list[int]) -> list[Value]:
    """Jump to the end of a recorded program with new inputs; returns the pending values of `outputs`."""
    program = state.program
    program.node = recorded.node
    program.arrays = arrays
    program.inputs = recorded.inputs
    program.floats, program.ints, program.complexes = floats, ints, recorded.complexes
    program.edges = edges
    program.seams = list(recorded.seams)
    program.slots = slots = [_gone] * recorded.node.slots
    avals = recorded.avals
    values = []
    if len(REFS) < len(slots) + 8:
        REFS.grow(len(slots) + 8)
    for slot in outputs:
        aval, requires_grad = avals[slot]
        value = Value(None, aval, program, REFS[slot], requires_grad)
        slots[slot] = weak(value)
        values.append(value)
    return values


def _gone() -> None:
    """Stands for the weak reference of a value that nobody holds."""
