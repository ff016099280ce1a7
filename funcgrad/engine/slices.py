"""Slices: the part of a program that a gradient runs through."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from funcgrad.engine import anomaly
from funcgrad.engine.structure import Entry


class Slice:
    """The entries between some roots and where their gradients leave the region.

    Attributes:
        entries: positions in the path, ascending, of the entries swept.
        roots: slots whose cotangents are given.
        results: slots whose cotangents are asked for: captured ones first, then the frontier (leaves, results of
            earlier programs, slots below the seam at `low`).
        reads: every slot that recomputing the slice needs from outside it.
        needs: what its ops saved (`saved.needs`), once somebody asks.
        targets: the slots that gradients must lead to; None for all.
        batch: how many cotangents each root is given, stacked along a new first axis; 0 for a single one.
    """

    __slots__ = (
        "avals",
        "batch",
        "captures",
        "entries",
        "frontier",
        "needs",
        "reads",
        "roots",
        "swept",
        "targets",
        "watched",
    )

    def __init__(self, path, roots, captures, targets, low: int, batch: int = 0):
        self.roots = roots
        self.targets = targets
        self.needs = None
        self.batch = batch
        self.watched = False  # whether its gradients are looked at for NaN
        makers = {e.first + i: p for p, e in enumerate(path) for i in range(len(e.outs))}
        allowed = _leading_to(path, set(targets) | set(captures)) if targets is not None else None
        self.entries, live = _swept(path, roots, allowed, low)
        self.swept = [path[p] for p in self.entries]
        self.captures = tuple(s for s in captures if s in live)
        inside = {path[p].first + i for p in self.entries for i in range(len(path[p].outs))}
        self.frontier = tuple(sorted(s for s in live if s not in inside and (targets is None or s in allowed)))
        reads = dict.fromkeys(s for p in self.entries for s in path[p].reads if s not in inside)
        self.reads = tuple(reads)
        slots = {s: path[makers[s]].outs[s - path[makers[s]].first][0] for s in (*captures, *self.frontier, *roots)}
        self.avals = slots

    @property
    def results(self) -> tuple:
        return self.captures + self.frontier

    def sweep(self, path: list[Entry], pullbacks: dict, env: dict, cotangents, filled=jnp.full) -> list:
        """Walk the slice backwards. `cotangents[i]` is the Ref of root i's cotangent, or None for ones.

        `filled` makes arrays of zeros and ones.
        """
        flowing: dict = {}
        for slot, ref in zip(self.roots, cotangents):
            aval = self.avals[slot]
            ct = filled(self._shape(aval), 1, aval.dtype.numpy) if ref is None else env[ref.index]
            _accumulate(flowing, slot, ct)
        captured = {}
        for position in reversed(self.entries):
            entry = path[position]
            arrived = []
            for i, (aval, grad) in enumerate(entry.outs):
                ct = flowing.pop(entry.first + i, None)
                if entry.first + i in self.captures:
                    captured[entry.first + i] = ct
                if grad:
                    arrived.append(filled(self._shape(aval), 0, aval.dtype.numpy) if ct is None else ct)
            pullback = jax.vmap(pullbacks[position]) if self.batch else pullbacks[position]
            for k, (slot, ct) in enumerate(zip(entry.tracked, pullback(arrived))):
                _accumulate(flowing, slot, ct)
                if self.watched:
                    anomaly.note(env, self, position, k, ct)
        values = [captured.get(s, flowing.get(s)) for s in self.captures] + [flowing.get(s) for s in self.frontier]
        avals = [self.avals[s] for s in self.results]
        return [filled(self._shape(a), 0, a.dtype.numpy) if v is None else v for v, a in zip(values, avals)]

    def _shape(self, aval) -> tuple:
        return (self.batch, *aval.shape) if self.batch else aval.shape


def _accumulate(flowing: dict, slot: int, ct) -> None:
    flowing[slot] = flowing[slot] + ct if slot in flowing else ct


def _leading_to(path, targets: set[int]) -> set[int]:
    """All slots from which a gradient can reach one of `targets`."""
    reach = set(targets)
    for entry in path:
        if any(s in reach for s in entry.tracked):
            reach.update(entry.first + i for i, (_, grad) in enumerate(entry.outs) if grad)
    return reach


def _swept(path, roots, allowed, low: int):
    """Positions of the entries the gradient runs through, and the slots it reaches, down to position `low`."""
    live, swept = set(roots), []
    for position in range(len(path) - 1, low, -1):
        entry = path[position]
        if entry.op is None or not entry.passes_gradient:
            continue
        if not any(entry.first + i in live for i in range(len(entry.outs))):
            continue
        reached = [s for s in entry.tracked if allowed is None or s in allowed]
        if reached:
            swept.append(position)
            live.update(reached)
    return tuple(reversed(swept)), live
