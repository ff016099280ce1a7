"""Interpreting: run a program entry by entry, each from a cache of single-op programs.

NOTE: [Unstable structures] A call site that keeps recording new structures (episodes of random length, another wiring each
time) would compile a whole program each time. After `PATIENCE` new ones in a row, structures met there for the first time
are interpreted, provided that this takes less compiling: single-op programs are shared between all structures, so only
ops not met before with operands of the same kind count, as much as `OPS_EACH` ops of a whole program. Where it is the
shapes that change each time, single-op programs would be as new as the whole one, and many: then the whole one is
compiled. A structure that comes again is compiled in any case.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from funcgrad.engine import eviction
from funcgrad.engine.replay import Numbers, call, differentiate, pulled_back
from funcgrad.engine.structure import Entry, Scalar

PATIENCE = 2
OPS_EACH = 9
"""A program of one op, with its pullback, compiles in 0.1 s; each op of a long program adds 0.01 s."""

_news: dict[str, int] = {}
"""By call site: how many more new structures than repeated ones it has launched lately."""


_kinds: set = set()
"""The kinds of calls met at unstable sites."""


def pays(site: str, path: list[Entry]) -> bool:
    """Whether a new structure from this call site should be interpreted."""
    if _news.get(site, 0) <= PATIENCE:
        return False
    ops = [e for e in path if e.op is not None]
    kinds = {e.kind for e in ops if e.kind is not None}
    new = kinds - _kinds
    _kinds.update(kinds)
    return len(new) * OPS_EACH < len(ops)


def note(site: str, new: bool) -> None:
    """Count a launch from a call site: of a new structure, or of one that ran before."""
    _news[site] = min(_news.get(site, 0) + 1, 2 * PATIENCE) if new else max(_news.get(site, 0) - 1, 0)


def run(path: list[Entry], env: dict, numbers: Numbers, differentiated: set[int]) -> dict:
    """As `replay.run`, one compiled op at a time."""
    pullbacks: dict = {}
    for position, entry in enumerate(path):
        if entry.op is None:
            continue
        if entry.vjp is not None:
            if position in differentiated:
                results, pullbacks[position] = differentiate(entry, path, env, numbers)
            else:
                results = entry.vjp.sweep(path, pullbacks, env, entry.args)
        elif position in differentiated:
            results, pullbacks[position] = _program(entry, True).differentiate(entry, env, numbers)
        else:
            results = _program(entry, False)(entry, env, numbers)
        for i, result in enumerate(results):
            env[entry.first + i] = result
    return pullbacks


_programs: dict = {}


def _program(entry: Entry, tracked: bool) -> SingleOp:
    reads = list(entry.reads)
    wiring = tuple(reads.index(s) for s in reads)  # `x * x` and `x * y` are different functions of their operands
    key = (entry.kind, wiring, tuple(reads.index(s) for s in entry.tracked) if tracked else None)
    found = _programs.get(key)
    if found is None:
        found = _programs[key] = SingleOp(entry, tracked)
        eviction.note()
    return found


def forget() -> None:
    """Drop all single-op programs."""
    _programs.clear()


class SingleOp:
    """One op compiled for operands of one kind; with `tracked`, its pullback too."""

    def __init__(self, entry: Entry, tracked: bool):
        self.op, self.args, self.kwargs = entry.op, entry.args, entry.kwargs
        self.reads = list(dict.fromkeys(entry.reads))
        self.scalars = _scalars((entry.args, entry.kwargs))
        self.grads = [i for i, (_, grad) in enumerate(entry.outs) if grad]
        self.tracked = entry.tracked
        self.tree = None
        self.forward = jax.jit(self._differentiated if tracked else self._plain)
        self.backward = jax.jit(lambda leaves, cts: jax.tree.unflatten(self.tree, leaves)(cts))

    def _plain(self, arrays, numbers):
        env = dict(zip(self.reads, arrays))
        return call(self.op, self.args, self.kwargs, env, _Given(self.scalars, numbers))[0]

    def _differentiated(self, arrays, numbers):
        env = dict(zip(self.reads, arrays))

        def function(*tracked):
            inner = {**env, **dict(zip(self.tracked, tracked))}
            results = call(self.op, self.args, self.kwargs, inner, _Given(self.scalars, numbers))[0]
            return [results[i] for i in self.grads], results

        results, pullback = pulled_back(function, [env[s] for s in self.tracked])
        leaves, self.tree = jax.tree.flatten(pullback)
        return results, leaves

    def _operands(self, entry: Entry, env: dict, numbers: Numbers):
        reads = dict.fromkeys(entry.reads)
        packed = [numbers.vectors[s.kind][s.index] for s in _scalars((entry.args, entry.kwargs))]
        return [env[s] for s in reads], packed

    def __call__(self, entry: Entry, env: dict, numbers: Numbers) -> list:
        return self.forward(*self._operands(entry, env, numbers))

    def differentiate(self, entry: Entry, env: dict, numbers: Numbers):
        """The results and the pullback: a pytree, as its residuals may have to outlive this launch."""
        results, leaves = self.forward(*self._operands(entry, env, numbers))
        return results, jax.tree_util.Partial(self.backward, leaves)


class _Given:
    """Numbers given one by one, for an op cut out of its program."""

    def __init__(self, scalars: list[Scalar], values):
        from funcgrad.ops._number import Number

        self.found = {(s.kind, s.index): Number(jnp.asarray(v), s.kind) for s, v in zip(scalars, values)}

    def __getitem__(self, scalar: Scalar):
        return self.found[scalar.kind, scalar.index]


def _scalars(x) -> list[Scalar]:
    if isinstance(x, Scalar):
        return [x]
    if isinstance(x, tuple | list):
        return [s for v in x for s in _scalars(v)]
    return [s for v in x.values() for s in _scalars(v)] if isinstance(x, dict) else []
