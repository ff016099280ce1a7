"""Interpreting: run a program entry by entry, each as a program of a single op.

NOTE: [Unstable structures] A call site that keeps recording new structures (episodes of random length, text that grows,
another wiring each time) would compile a whole program each time. After `PATIENCE` new ones in a row, structures met there
for the first time are interpreted. Single-op programs are shared between all structures; on the CPU they run in NumPy
until compiling them pays (see `numpy_program`). Where that is impossible it must take less compiling than the whole
program: each op that was not met before with operands of the same kind counts as much as `OPS_EACH` ops of a whole
program. A structure that has been interpreted for as long as compiling it would take is compiled. See
NOTE: [Time that is counted] for how long that is.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from funcgrad.engine import eviction
from funcgrad.engine.abstract import trace_of, wiring
from funcgrad.engine.numpy_program import Warming, work
from funcgrad.engine.replay import Given, Numbers, call, differentiate, pulled_back, scalars_of
from funcgrad.engine.structure import Entry

PATIENCE = 2
OPS_EACH = 9
"""A program of one op, with its pullback, compiles in 0.1 s; each op of a long program adds 0.01 s."""
COMPILE_EACH = 0.01
CALL = 2e-5
"""Seconds to call a program of one op, or its pullback."""

_news: dict[str, int] = {}
"""By call site: how many more new structures than repeated ones it has launched lately."""


runs: dict[str, tuple[int, float]] = {}
"""By call site: how many programs were interpreted, and how many seconds that took."""

_kinds: set = set()
"""The kinds of calls met at unstable sites."""
_beyond: set = set()
"""The ops that NumPy was found unable to run."""


def pays(site: str, path: list[Entry]) -> bool:
    """Whether a new structure from this call site should be interpreted."""
    if _news.get(site, 0) <= PATIENCE:
        return False
    ops = [e for e in path if e.op is not None]
    kinds = {e.kind: e for e in ops if e.kind is not None}
    compiled = [e for kind, e in kinds.items() if kind not in _kinds and (e.op in _beyond or not _on_host(e))]
    _kinds.update(kinds)
    return len(compiled) * OPS_EACH < len(ops)


def note(site: str, new: bool) -> None:
    """Count a launch from a call site: of a new structure, or of a compiled one that ran before."""
    _news[site] = min(_news.get(site, 0) + 1, 2 * PATIENCE) if new else max(_news.get(site, 0) - 1, 0)


def is_worn(executable) -> bool:
    """Whether interpreting this program has taken as long as compiling it would."""
    return executable.spent > COMPILE_EACH * len(executable.path)


def execute(executable, donated, kept, floats, ints, complexes):
    """As `Executable.replay`, one op at a time."""
    start = work.seconds
    env = executable.environment(donated, kept)
    pullbacks = run(executable.path, env, Numbers(floats, ints, complexes), executable.differentiated)
    outputs = [_own(env[s]) for s in executable.outputs]
    residuals = [_own(r) for r in executable.residuals(pullbacks)]
    raised = [flag.raised(env) for flag in executable.flags]
    seconds = work.seconds - start
    executable.spent += seconds
    count, total = runs.get(site := executable.path[-1].site, (0, 0.0))
    runs[site] = count + 1, total + seconds
    return outputs, residuals, raised


def _own(array):
    """The array, in memory of its own: a view of an input's would forbid to give that away later."""
    return np.array(array) if isinstance(array, np.ndarray) and not array.flags.owndata else array


def run(path: list[Entry], env: dict, numbers: Numbers, differentiated: set[int]) -> dict:
    """As `replay.run`, one op at a time."""
    pullbacks: dict = {}
    filled = np.full if all(_on_host(e) for e in path[-1:]) else jnp.full
    for position, entry in enumerate(path):
        if entry.op is None:
            continue
        work.seconds += CALL * (1 if entry.vjp is None else len(entry.reads))
        if entry.vjp is not None:
            if position in differentiated:
                results, pullbacks[position] = differentiate(entry, path, env, numbers)
            else:
                results = entry.vjp.sweep(path, pullbacks, env, entry.args, filled)
        elif position in differentiated:
            results, pullbacks[position] = _program(entry, True).differentiate(entry, env, numbers)
        else:
            results = _program(entry, False)(entry, env, numbers)
        for i, result in enumerate(results):
            env[entry.first + i] = result
    return pullbacks


def _on_host(entry: Entry) -> bool:
    return all(aval.device.type == "cpu" for aval, _ in entry.outs)


_programs: dict = {}


def _program(entry: Entry, tracked: bool) -> SingleOp:
    reads = list(entry.reads)
    key = (entry.kind, wiring(reads), tuple(reads.index(s) for s in entry.tracked) if tracked else None)
    found = _programs.get(key)
    if found is None:
        found = _programs[key] = SingleOp(entry, tracked)
        eviction.note()
    return found


def forget() -> None:
    """Drop all single-op programs."""
    _programs.clear()


class SingleOp:
    """One op for operands of one kind; with `tracked`, its pullback too."""

    def __init__(self, entry: Entry, tracked: bool):
        self.op, self.args, self.kwargs = entry.op, entry.args, entry.kwargs
        self.reads = list(dict.fromkeys(entry.reads))
        self.scalars = scalars_of((entry.args, entry.kwargs))
        self.grads = [i for i, (_, grad) in enumerate(entry.outs) if grad]
        self.tracked = entry.tracked
        self.tree = None
        make = Warming if _on_host(entry) else jax.jit
        self.forward = make(self._differentiated if tracked else self._plain)
        if make is Warming and not tracked:
            self.forward.trace = trace_of(entry.kind, entry.reads)
        self.backward = make(lambda leaves, cts: jax.tree.unflatten(self.tree, leaves)(cts))

    def _plain(self, arrays, numbers):
        env = dict(zip(self.reads, arrays))
        return call(self.op, self.args, self.kwargs, env, Given(self.scalars, numbers))[0]

    def _differentiated(self, arrays, numbers):
        env = dict(zip(self.reads, arrays))

        def function(*tracked):
            inner = {**env, **dict(zip(self.tracked, tracked))}
            results = call(self.op, self.args, self.kwargs, inner, Given(self.scalars, numbers))[0]
            return [results[i] for i in self.grads], results

        results, pullback = pulled_back(function, [env[s] for s in self.tracked])
        leaves, self.tree = jax.tree.flatten(pullback)
        return results, leaves

    def _operands(self, entry: Entry, env: dict, numbers: Numbers):
        reads = dict.fromkeys(entry.reads)
        packed = [numbers.vectors[s.kind][s.index] for s in scalars_of((entry.args, entry.kwargs))]
        return [env[s] for s in reads], packed

    def __call__(self, entry: Entry, env: dict, numbers: Numbers):
        results = self.forward(*self._operands(entry, env, numbers))
        if getattr(self.forward, "is_beyond", False):
            _beyond.add(self.op)
        return results

    def differentiate(self, entry: Entry, env: dict, numbers: Numbers):
        """The results and the pullback: a pytree, as its residuals may have to outlive this launch."""
        results, leaves = self(entry, env, numbers)
        return results, jax.tree_util.Partial(self.backward, leaves)
