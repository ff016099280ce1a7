"""Recording an op of many operands again: an optimizer's step, which comes back the same every time.

`record` finds its way through the trie operand by operand. Here the way from one node to another is remembered, with
what it needs of each operand; while that holds, all operands get their slots in one go. For 300 parameters under Adam
that takes 0.5 ms instead of 1.9.
"""

from __future__ import annotations

from operator import is_
from weakref import ref as weak

import jax
import numpy as np

from funcgrad.engine.record import record
from funcgrad.engine.state import CAP, state
from funcgrad.engine.structure import Node, Op
from funcgrad.engine.values import REFS, Handle, LeafValue, Value

_MOST_WAYS = 16
_COMPUTED = {np.ndarray}  # classes of arrays that may become inputs without a further look


class Way:
    """From one node to another by one op.

    Attributes:
        wanted: for each operand its slot, or the aval it has as a new input.
        new: which operands become inputs; `tracked`: whether each of these requires grad.
        end: the node reached; `outs`: the results' avals.
        positions: for each operand its place among the program's inputs, None if it is something computed there.
    """

    __slots__ = ("end", "new", "outs", "positions", "tracked", "wanted")

    def __init__(self, wanted: list, tracked: list, end: Node, inputs: list[int]):
        self.wanted = wanted
        self.new = [i for i, w in enumerate(wanted) if w.__class__ is not REFS[0].__class__]
        self.tracked = [tracked[i] for i in self.new]
        self.end = end
        self.outs = [aval for aval, _ in end.entry.outs]
        place = {slot: i for i, slot in enumerate(inputs)}
        fresh = {i: len(inputs) - len(self.new) + k for k, i in enumerate(self.new)}
        self.positions = [fresh[i] if i in fresh else place.get(w.index) for i, w in enumerate(wanted)]


class Repeat:
    """Records one op again and again; gradients do not flow through it."""

    def __init__(self, op: Op):
        self.op = op
        self.ways: dict[Node, Way] = {}

    def record(self, handles: list[Handle], numbers: list[float], args: tuple) -> tuple[list[Value], Way | None]:
        """As ``record(op, args)``, for an op that returns a list; also returns the way, if it is known.

        Args:
            handles: the handles among `args`, in their order.
            numbers: the run-time numbers among them, floats.
        """
        program = state.program
        held = [h._value for h in handles]
        try:
            found = [v.ref if v.program is program else v.aval for v in held]
        except AttributeError:  # a view that must be derived anew
            return record(self.op, args)[0], None
        way = self.ways.get(program.node)
        if way is None or not _open(program) or len(found) != len(way.wanted) or not all(map(is_, found, way.wanted)):
            return self._first(program, held, found, numbers, args)
        new = [held[i] for i in way.new]
        arrays = [v.array if v.array is not None else _settled(v) for v in new]
        if not _COMPUTED.issuperset(map(type, arrays)) or [v.requires_grad for v in new] != way.tracked:
            return self._first(program, held, found, numbers, args)
        return _follow(program, way, new, arrays, numbers), way

    def _first(self, program, held: list[Value], found: list, numbers: list[float], args: tuple):
        """Record step by step, and remember the way if it is one that can be followed again."""
        start, floats = program.node, len(program.floats)
        tracked = [v.requires_grad for v in held]
        computed = all(v.program is program or v.array is not None or _settled(v) is not None for v in held)
        values, _ = record(self.op, args)
        if computed and program is state.program and _open(program) and len(program.floats) == floats + len(numbers):
            way = Way(found, tracked, program.node, program.inputs)
            if program.node.slots - start.slots == len(way.new) + len(way.outs):
                _COMPUTED.update(type(v.array) for v in held if not isinstance(v.array, jax.core.Tracer | None))
                if len(self.ways) >= _MOST_WAYS:
                    self.ways.clear()
                self.ways[start] = way
                return values, way
        return values, None


def _settled(value: Value):
    """The array of a leaf that an earlier launch has computed, None if none has."""
    if value.__class__ is LeafValue and value.raw is not None and value.raw.array is not None:
        value.array, value.raw = value.raw.array, None
    return value.array


def _open(program) -> bool:
    """Whether an op that is not differentiated would be recorded here as it is."""
    return not state.grad and state.capture is None and not program.traced and program.node.depth < CAP


def _follow(program, way: Way, new: list[Value], arrays: list, numbers: list[float]) -> list[Value]:
    slots = program.slots
    first, count = len(slots), len(new)
    last = first + count + len(way.outs)
    if last > len(REFS) - 8:
        REFS.grow(2 * last)
    for value, ref in zip(new, REFS[first : first + count]):
        value.program = program
        value.ref = ref
    slots.extend(map(weak, new))
    program.inputs.extend(range(first, first + count))
    program.arrays.extend(arrays)
    if True in way.tracked:
        program.edges.update({first + k: new[k].origin for k, t in enumerate(way.tracked) if t})
    program.floats.extend(numbers)
    program.node = way.end
    values = [Value(None, aval, program, ref) for aval, ref in zip(way.outs, REFS[first + count : last])]
    slots.extend(map(weak, values))
    return values
