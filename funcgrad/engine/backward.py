"""Backward: record gradients.

Gradients run through programs from the latest to the earliest, and within a program through one region after another,
cut at its seams: tensors with hooks and user-written Functions, where Python takes part. Each region is one recorded
entry. For the pending program that entry is a `Slice`, differentiated when the program is replayed; for a launched one
it is the `pull` of the pullbacks it retained.
"""

from __future__ import annotations

import jax.numpy as jnp

from funcgrad.engine import anomaly, bounds, dependence, saved
from funcgrad.engine.launch import launch
from funcgrad.engine.record import add_input, new_values, record, user_site
from funcgrad.engine.slices import Slice
from funcgrad.engine.state import Program, state
from funcgrad.engine.structure import Entry, Node, Op, Scalar, maker, position
from funcgrad.engine.values import Freed, Leaf, Ref, Value, aval_of, dense

_VJP = Op("backward", lambda: None)
_ADD = Op("add", lambda a, b: a + b)
_ONES = Op("ones_like", lambda a: jnp.ones(a.shape, a.dtype), differentiable=False)

SECOND_TIME = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
    "been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
    "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access "
    "saved tensors after calling backward."
)


class Seam:
    """A place in a program where Python takes part in backward.

    Attributes:
        position: of the entry that makes the slots, in the program's path.
        first, count: those slots.
        hooks: called with the slot's cotangent (a Value); each may return another.
        function: for a user's Function, called with its results' cotangents (None where none arrived), whether to record
            for a second derivative and whether to keep what it saved; returns (slot, cotangent) for its operands.
    """

    __slots__ = ("context", "count", "first", "function", "hooks", "last", "node_hooks", "packed", "position")

    def __init__(self, position: int, first: int, count: int = 1, hooks=None, function=None):
        self.position = position
        self.first = first
        self.count = count
        self.hooks = {} if hooks is None else hooks
        self.node_hooks = ()
        self.context = None  # what a user's Function saved: its attributes are the node's
        self.packed = None  # tensors that hooks packed for this call
        self.last = None  # called after the hooks, with what they made of it
        self.function = function

    def moved(self, made: dict[int, Value]) -> Seam:
        """The same in the pending program, where `made` has the value of each slot."""
        first = made[self.first].ref.index
        place = position(state.program.node.path(), first)
        other = Seam(place, first, self.count, self.hooks)
        other.last, other.node_hooks, other.context = self.last, self.node_hooks, self.context
        if self.function is not None:
            function = self.function
            other.function = lambda *given: [(made[slot].ref.index, ct) for slot, ct in function(*given)]
        return other

    @property
    def slots(self) -> range:
        return range(self.first, self.first + self.count)


def where(value: Value):
    """Where a value's gradient goes: a `Leaf`, or the (program, slot) that made it, or None if nowhere."""
    if not value.requires_grad:
        return None
    origin = value.origin
    if isinstance(origin, Leaf):
        return origin
    if origin is None and value.array is None:
        program, slot = value.program, value.ref.index
        if program.nested is not None and slot in program.edges:
            return program.nested.home(slot)
        return program.edges.get(slot) if slot in program.edges else (program, slot)
    if isinstance(origin, Freed):
        raise RuntimeError(SECOND_TIME)
    return origin if isinstance(origin, Leaf) or origin is None else (origin.program, origin.slot)


def straight(root: Value, retain: bool) -> list[tuple[Leaf, Value]] | None:
    """The gradients of one scalar of the pending program, where all of them end in leaves: the common case.

    It records just what `Sweep` would, in a tenth of the time; None if the case is another.
    """
    program = state.program
    if root.program is not program or root.array is not None or root.origin is not None or program.seams:
        return None
    if anomaly.detecting():
        return None
    key = (_VJP, root.ref, retain)
    node = program.node.children.get(key)
    if node is None:
        node = _new_region(program, key, (root.ref.index,), (None,), (), None, -1, False, retain)
    if program.writes:
        saved.refuse_written(program.node.path(), node.entry.vjp, program.writes)
    edges, frontier = program.edges, node.entry.vjp.frontier
    for slot in frontier:
        if slot in edges and edges[slot].__class__ is not Leaf:
            return None
    program.node = node
    if not retain:
        program.limit = 0  # see the note on when to launch in `state`
    return [(edges[slot], value) for slot, value in zip(frontier, new_values(program, node.entry)) if slot in edges]


class Sweep:
    """One call of backward() or grad().

    Attributes:
        leaves: what has reached each leaf so far.
        captured: what reached each (program, slot) asked for.
    """

    def __init__(self, retain: bool, create: bool, wanted: list | None, batch: int = 0):
        self.batch = batch  # how many cotangents are carried at once, along a new first axis; 0 for a single one
        self.retain = retain
        self.create = create
        self.pending: dict[Program, dict[int, Value | None]] = {}
        self.leaves: dict[Leaf, Value] = {}
        self.captured: dict[tuple, Value] = {}
        self.wanted = None if wanted is None else {w for w in wanted if w is not None}

    def start(self, root: Value, cotangent: Value | None) -> None:
        self._arrive(where(root), cotangent if cotangent is not None else None, root)

    def _arrive(self, place, cotangent, like: Value | None = None) -> None:
        if place is None:
            return
        if isinstance(place, Leaf):
            if cotangent is None:
                cotangent = record(_ONES, (like,))
            before = self.leaves.get(place)
            self.leaves[place] = cotangent if before is None else record(_ADD, (before, cotangent))
            return
        program, slot = place
        flowing = self.pending.setdefault(program, {})
        if slot in flowing:
            before = flowing[slot] if flowing[slot] is not None else record(_ONES, (like,))
            cotangent = cotangent if cotangent is not None else record(_ONES, (like,))
            cotangent = record(_ADD, (before, cotangent))
        flowing[slot] = cotangent

    def run(self) -> None:
        while self.pending:
            program = max(self.pending, key=lambda p: p.serial)
            self._through(program, self.pending.pop(program))
        if anomaly.detecting() and state.capture is None:
            launch("a backward() under anomaly detection ended")
            bounds.look(wait=True)

    def _through(self, program: Program, flowing: dict) -> None:
        """Carry cotangents through one program, from its roots to its inputs, stopping at each seam."""
        pins: set = set(flowing)
        program.pins.append(pins)
        high = 1 << 60
        try:
            for seam in sorted(program.seams, key=lambda s: (-s.position, s.function is not None)):
                below = seam.first + seam.count
                flowing = self._region(program, flowing, seam.position, below, high)
                high = below
                if any(slot in flowing for slot in seam.slots):
                    self._at_seam(program, seam, flowing)
                pins |= set(flowing)
            flowing = self._region(program, flowing, -1, 0, high)
        finally:
            program.pins.remove(pins)
        self._release(program)
        for slot, cotangent in flowing.items():
            edge = program.edges.get(slot)
            if isinstance(edge, Freed):
                raise RuntimeError(SECOND_TIME)
            if edge is not None:
                self._arrive(edge if isinstance(edge, Leaf) else (edge.program, edge.slot), cotangent)

    def _release(self, program: Program) -> None:
        """Give up what a launched program saved, once all of it was used; another graph may lead through a sum in it."""
        executable = program.executable
        if executable is None or self.retain or program.pins:  # a backward() around this one has yet to come through
            return
        saves = any(executable.path[p].op.saves for p in executable.retains)
        if saves and program.freed.issuperset(executable.retains):
            program.residuals = program.executable = program.arrays = program.seen = program.places = None

    def _at_node(self, program, seam: Seam, flowing: dict) -> None:
        """Carry cotangents through one entry alone, for hooks that see what goes in and what comes out."""
        tracked = maker(program.node.path(), seam.first).tracked
        program.pins[-1].update(tracked)
        given = [self._ones(program, s) if s in flowing and flowing[s] is None else flowing.get(s) for s in seam.slots]
        for slot in seam.slots:
            flowing.pop(slot, None)
        given = seam.node_hooks(given, None)
        roots = {s: ct for s, ct in zip(seam.slots, given) if ct is not None}
        made = self._region(program, roots, seam.position - 1, seam.first, seam.first + seam.count)
        for slot, ct in zip(tracked, seam.node_hooks(given, [made.get(s) for s in tracked])):
            if ct is not None:
                before = flowing.get(slot)
                flowing[slot] = ct if before is None else record(_ADD, (before, ct))

    def _at_seam(self, program, seam: Seam, flowing: dict) -> None:
        if seam.node_hooks:
            self._at_node(program, seam, flowing)
            return
        for hook in list(seam.hooks.values()):
            cotangent = flowing[seam.first]
            if cotangent is None:
                cotangent = flowing[seam.first] = self._ones(program, seam.first)
            changed = hook(cotangent)
            if changed is not None:
                flowing[seam.first] = changed
        if seam.last is not None:
            seam.last(flowing[seam.first] or self._ones(program, seam.first))
        if seam.function is None:
            return
        program.pins[-1].update(maker(program.node.path(), seam.first).tracked)  # the function may launch it
        arrived = [
            self._ones(program, s) if s in flowing and flowing[s] is None else flowing.get(s) for s in seam.slots
        ]
        for slot in seam.slots:
            flowing.pop(slot, None)
        for slot, contribution in seam.function(arrived, self.create, self.retain):
            before = flowing.get(slot)
            flowing[slot] = contribution if before is None else record(_ADD, (before, contribution))

    def _ones(self, program, slot: int) -> Value:
        entry = maker(program.node.path(), slot)
        aval = entry.outs[slot - entry.first][0]
        return Value(jnp.ones(aval.shape, aval.dtype.numpy), aval)

    def _region(self, program: Program, flowing: dict, low: int, below: int, high: int) -> dict:
        """Carry cotangents down to position `low`: one recorded entry. Its slots are those from `below` to `high`."""
        if not flowing:
            return {}
        captures, targets = self._asked(program, below, high)
        if program is state.program:
            results, slice_ = self._pending_region(program, flowing, captures, targets, low)
        elif self.create or anomaly.detecting():
            return self._rematerialise(program, flowing)
        else:
            results, slice_ = self._launched_region(program, flowing, captures, targets, low)
        captured = slice_.captures
        for slot, value in zip(captured, results):
            self.captured[(program, slot)] = value
        return dict(zip(slice_.frontier, results[len(captured) :]))

    def _asked(self, program: Program, below: int, high: int):
        """Of what was asked for: the slots to capture in this region, and all slots that gradients must lead to."""
        if self.wanted is None:
            return (), None
        here = [w[1] for w in self.wanted if not isinstance(w, Leaf) and w[0] is program]
        targets = set(here)
        if len(here) < len(self.wanted):
            targets.update(s for s, e in program.edges.items() if not isinstance(e, Leaf) or e in self.wanted)
            targets.update(slot for seam in program.seams if seam.function is not None for slot in seam.slots)
        return tuple(sorted(s for s in here if below <= s < high)), tuple(sorted(targets))

    def _pending_region(self, program, flowing, captures, targets, low):
        roots = tuple(sorted(flowing))
        cotangents = tuple(_ref(program, flowing[s]) for s in roots)
        if state.program is not program:
            return self._launched_region(program, flowing, captures, targets, low)
        tracked = self.create and state.grad
        key = (_VJP, roots, cotangents, captures, targets, low, tracked, self.retain, anomaly.detecting(), self.batch)
        node = program.node.children.get(key)
        if node is None:
            made = (roots, cotangents, captures, targets, low, tracked, self.retain, self.batch)
            node = _new_region(program, key, *made)
        if program.writes:
            saved.refuse_written(program.node.path(), node.entry.vjp, program.writes)
        program.node = node
        if not self.retain:
            program.limit = 0  # see the note on when to launch in `state`
        return new_values(program, node.entry), node.entry.vjp

    def _launched_region(self, program, flowing, captures, targets, low):
        if program.executable is None:
            raise RuntimeError(SECOND_TIME)
        roots = tuple(sorted(flowing))
        op, slice_ = program.executable.pull(roots, captures, targets, low, self.batch)
        _refuse_freed(program.executable.path, slice_, program.freed)
        if program.writes:
            saved.refuse_written(program.executable.path, slice_, program.writes)
        if not slice_.results:
            return [], slice_
        residuals = program.residuals
        grad, state.grad = state.grad, False
        try:
            given = [flowing[s] for s in roots]
            if not residuals and all(ct is None for ct in given):  # an op needs an operand to know its device
                given = [self._ones(program, s) for s in roots]
            results, _ = record(op, (residuals, given))
        finally:
            state.grad = grad
        if not self.retain:
            program.freed = program.freed | frozenset(slice_.entries)
            state.program.limit = 0
        return results, slice_

    def _rematerialise(self, program: Program, flowing: dict) -> dict:
        """Record a launched program's entries anew, so that its gradient can itself be differentiated."""
        made = rerecord(program)
        for seam in program.seams:
            if seam.first in made:
                state.program.seams.append(seam.moved(made))
        for slot, cotangent in flowing.items():
            self._arrive(where(made[slot]), cotangent, made[slot])
        wanted = self.wanted or ()
        for w in [w for w in wanted if isinstance(w, tuple) and w[0] is program]:
            there = where(made[w[1]])
            self.wanted.add(there)
            self.aliases = {**getattr(self, "aliases", {}), w: there}
        return {}

    def result(self, place):
        """What reached a place asked for, or None."""
        if isinstance(place, Leaf):
            return self.leaves.get(place)
        return self.captured.get(getattr(self, "aliases", {}).get(place, place))


def _new_region(
    program, key, roots, cotangents, captures, targets, low, tracked: bool, retain: bool, batch: int = 0
) -> Node:
    """A new edge of the trie: the gradient of one region."""
    parent = program.node
    path = parent.path()
    slice_ = Slice(path, roots, captures, targets, low, batch)
    _refuse_freed(path, slice_, parent.freed)
    requires = {e.first + i for e in path for i, (_, grad) in enumerate(e.outs) if grad}
    given = tuple(ref.index for ref in cotangents if ref is not None)
    reads = tuple(dict.fromkeys(slice_.reads + given))
    carried = tuple(s for s in reads if s in requires) if tracked else ()
    varies = [True] * len(slice_.results)
    if carried:
        known = {e.first + i: aval for e in path for i, (aval, _) in enumerate(e.outs)}
        varies = dependence.varying(path, slice_, cotangents, known, reads, carried)
        carried = carried if any(varies) else ()
    avals = [dense(slice_.avals[s]) for s in slice_.results]
    if batch:
        avals = [aval_of((batch, *a.shape), a.dtype.numpy, a.device) for a in avals]
    outs = tuple((a, bool(carried) and v) for a, v in zip(avals, varies))
    entry = Entry(_VJP, cotangents, None, reads, carried, parent.slots, outs, list, slice_, user_site())
    if anomaly.detecting():
        slice_.watched = True
        entry.flags = anomaly.flags_of(path, slice_)
    node = parent.children[key] = Node(parent, entry)
    if not retain:
        node.freed = parent.freed | frozenset(slice_.entries)
    return node


def _ref(program: Program, cotangent: Value | None) -> Ref | None:
    if cotangent is None:
        return None
    return cotangent.ref if cotangent.program is program else add_input(program, cotangent)


def _refuse_freed(path, slice_: Slice, freed: frozenset) -> None:
    if freed and any(p in freed and path[p].op.saves for p in slice_.entries):
        raise RuntimeError(SECOND_TIME)


def rerecord(program: Program) -> dict[int, Value]:
    """Record a launched program's entries again in the pending program; returns the value of each slot."""
    values: dict[int, Value] = {}
    arrays = iter(program.arrays)
    pools = {float: program.floats, int: program.ints, complex: program.complexes}

    def fill(a):
        if isinstance(a, Ref):
            return values[a.index]
        if isinstance(a, Scalar):
            return pools[a.kind][a.index]
        if isinstance(a, tuple):
            made = [fill(x) for x in a]
            return type(a)(*made) if hasattr(a, "_fields") else tuple(made)
        return {k: fill(x) for k, x in a.items()} if isinstance(a, dict) else a

    grad = state.grad
    try:
        for entry in program.node.path():
            if entry.op is None:
                aval, requires_grad = entry.outs[0]
                edge = program.edges.get(entry.first)
                values[entry.first] = Value(next(arrays), aval, None, None, requires_grad, edge)
                continue
            state.grad = any(g for _, g in entry.outs)
            if entry.vjp is not None:
                values.update(_rerecord_gradient(entry, values))
                continue
            out = record(entry.op, [fill(a) for a in entry.args], {k: fill(a) for k, a in (entry.kwargs or {}).items()})
            for i, value in enumerate([out] if isinstance(out, Value) else out[0]):
                values[entry.first + i] = value
                if entry.first + i in program.edges and not entry.tracked:
                    state.program.edges[value.ref.index] = program.edges[entry.first + i]
    finally:
        state.grad = grad
    return values


def _rerecord_gradient(entry: Entry, values: dict[int, Value]) -> dict[int, Value]:
    """Record a gradient of a launched program again in the pending one; returns the value of each slot."""
    program, old = state.program, entry.vjp

    def moved(slots) -> tuple:
        return tuple(sorted(values[s].ref.index for s in slots if s in values and values[s].program is program))

    paired = sorted(zip(old.roots, entry.args), key=lambda pair: values[pair[0]].ref.index)
    cotangents = tuple(None if ref is None else _ref(program, values[ref.index]) for _, ref in paired)
    path = program.node.path()
    low = min(position(path, values[e.first].ref.index) for e in old.swept) - 1 if old.swept else -1
    targets = None if old.targets is None else moved(old.targets)
    made = (moved(old.roots), cotangents, moved(old.captures), targets, low, state.grad, True, old.batch)
    key = (_VJP, "again", *made)
    node = program.node.children.get(key) or _new_region(program, key, *made)
    program.node = node
    found = dict(zip(node.entry.vjp.results, new_values(program, node.entry)))
    return {entry.first + i: found[values[s].ref.index] for i, s in enumerate(old.results)}
