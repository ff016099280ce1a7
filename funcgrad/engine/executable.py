"""Executables: the compiled forms of a structure, one for each set of values held when it was launched."""

from __future__ import annotations

import functools

import jax

from funcgrad.engine import interpret
from funcgrad.engine.replay import Numbers, run
from funcgrad.engine.slices import Slice
from funcgrad.engine.structure import Entry, Node, Op, maker


class Executable:
    """A structure compiled to return certain slots.

    Attributes:
        outputs: the slots returned; `alive`: the same as a set.
        retains: positions of the entries whose pullbacks are kept for a later backward().
        retained_slots: the outputs that such a backward() may start from.
        donates, keeps: positions among the program's inputs given away to the program, and the rest.
        numbers: by dtype the run-time numbers of the last launch, as bytes and on the device (`launch.vectors`).
        function: (donated, kept, floats, ints, complexes) -> (outputs, residuals, flags), compiled; `replay`: the same, not.
        is_compiled: whether the next call of `function` runs at once.
        used: the serial number of the last program launched with it.
        launches, seconds: how often it ran, and how long its first run took (mostly compiling).
        interpreted: whether it runs op by op; `spent`: the seconds that took so far.
    """

    def __init__(self, node: Node, outputs: tuple, pins: frozenset, candidates: tuple, reason: str, interpreted=False):
        self.node = node
        self.reason = reason
        self.outputs = outputs
        self.alive = set(outputs)
        self.pins = pins
        self.launches = 0
        self.seconds = 0.0
        self.path = path = node.path()
        self.inputs = [e.first for e in path if e.op is None]
        self.retained_slots, self.retains = retained(node, outputs, pins)
        self.device = path[-1].outs[0][0].device
        self.differentiated = set(self.retains).union(*(e.vjp.entries for e in path if e.vjp is not None))
        self.donates = _matching(path, self.inputs, candidates, outputs) if not self.retains and not interpreted else ()
        given = set(self.donates)
        self.keeps = tuple(i for i in range(len(self.inputs)) if i not in given)
        self.flags = [flag for e in path for flag in e.flags]
        self.residual_trees: dict = {}
        self.pulls: dict = {}
        self.numbers: dict = {}
        self.interpreted = interpreted
        self.spent = 0.0
        self.used = 0
        self.uncompile()

    def uncompile(self) -> None:
        """Be as before the first launch, without machine code."""
        self.is_compiled = False
        self.function = functools.partial(interpret.execute, self)
        if not self.interpreted:
            # A bound method equals the next one made of it: JAX would find the compiled one again.
            fresh = functools.partial(self.replay)
            self.function = jax.jit(fresh, donate_argnums=0 if self.donates else ())

    def compile(self, *arguments) -> None:
        """Make the machine code, without running it; an interrupt changes nothing."""
        if not self.is_compiled and self.donates:
            self.function.lower(*arguments).compile()

    def replay(self, donated, kept, floats, ints, complexes):
        """The program as a pure function."""
        env = self.environment(donated, kept)
        pullbacks = run(self.path, env, Numbers(floats, ints, complexes), self.differentiated)
        return [env[s] for s in self.outputs], self.residuals(pullbacks), [flag.raised(env) for flag in self.flags]

    def environment(self, donated, kept) -> dict:
        """The inputs' arrays by slot."""
        env: dict = {}
        for positions, arrays in ((self.donates, donated), (self.keeps, kept)):
            for position, array in zip(positions, arrays):
                env[self.inputs[position]] = array
        return env

    def residuals(self, pullbacks: dict) -> list:
        """The arrays that the retained pullbacks close over, each once; their structure is noted while tracing."""
        arrays, positions = [], {}
        for position in self.retains:
            leaves, tree = jax.tree.flatten(pullbacks[position])
            for leaf in leaves:
                if id(leaf) not in positions:
                    positions[id(leaf)] = len(arrays)
                    arrays.append(leaf)
            self.residual_trees[position] = (tree, [positions[id(leaf)] for leaf in leaves])
        return arrays

    def maker(self, slot: int) -> Entry:
        """The entry whose result is in `slot`."""
        return maker(self.path, slot)

    def retained_by(self, alive: set) -> tuple:
        """What this executable would retain if only `alive` were held."""
        return retained(self.node, tuple(s for s in self.outputs if s in alive), self.pins)[1]

    def pull(self, roots: tuple, captures: tuple, targets, low: int, batch: int = 0) -> tuple[Op, Slice]:
        """The gradient through this program's retained pullbacks, as an op: (residuals, cotangents) -> cotangents."""
        key = (roots, captures, targets, low, batch)
        found = self.pulls.get(key)
        if found is None:
            slice_ = Slice(self.path, roots, captures, targets, low, batch)

            def function(residuals, cotangents):
                pullbacks = {
                    p: jax.tree.unflatten(tree, [residuals[i] for i in at])
                    for p, (tree, at) in self.residual_trees.items()
                    if p in slice_.entries
                }
                given = {i: ct for i, ct in enumerate(cotangents) if ct is not None}
                return slice_.sweep(
                    self.path, pullbacks, given, [_At(i) if i in given else None for i in range(len(roots))]
                )

            found = self.pulls[key] = (Op("backward", function, differentiable=False), slice_)
        return found


class _At:
    __slots__ = ("index",)

    def __init__(self, index: int):
        self.index = index


def retained(node: Node, outputs: tuple, pins: frozenset) -> tuple[frozenset, tuple]:
    """Which of `outputs` a later backward() may start from, and the entries whose pullbacks that takes."""
    path = node.path()
    makers = {e.first + i: e for e in path for i in range(len(e.outs))}
    freed = {p for p in node.freed if path[p].op.saves}
    kept, entries = set(), set()
    for slot in {*outputs, *pins}:
        if makers[slot].outs[slot - makers[slot].first][1]:
            needed = _behind(path, makers, slot)
            if not freed.intersection(needed):
                kept.add(slot)
                entries |= needed
    return frozenset(kept), tuple(sorted(entries))


def _behind(path, makers: dict, slot: int) -> set[int]:
    """Every entry that a gradient from `slot` runs through, those beyond users' Functions too."""
    needed: set[int] = set()
    starts = {slot}
    while starts:
        found = Slice(path, tuple(sorted(starts)), (), None, -1)
        needed.update(found.entries)
        starts = {
            s for f in found.frontier if makers[f].op is not None and makers[f].op.seam for s in makers[f].tracked
        }
    return needed


def _matching(path, inputs: list, candidates: tuple, outputs: tuple) -> tuple:
    """The candidates for donation that some output can take the place of (JAX warns about the others)."""
    room: dict = {}
    makers = {e.first + i: e.outs[i][0] for e in path for i in range(len(e.outs))}
    for slot in outputs:
        aval = makers[slot].plain
        room[aval] = room.get(aval, 0) + 1
    chosen = []
    for position in candidates:
        aval = makers[inputs[position]].plain
        if room.get(aval, 0) > 0:
            room[aval] -= 1
            chosen.append(position)
    return tuple(chosen)
