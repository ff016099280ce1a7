"""Replay: a path of the trie as a pure function of arrays, gradients included.

Entries run in order on an environment of slots. An entry that some gradient runs through is called under `jax.vjp`
and leaves its pullback behind; a gradient entry then walks its slice backwards through those pullbacks. Under
`jax.jit` all of this happens while tracing: what is compiled is straight-line array code.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from funcgrad.engine.structure import Entry, Op, Scalar
from funcgrad.engine.values import Ref
from funcgrad.ops._number import Number


class Numbers:
    """The program's packed Python numbers: one vector of each kind."""

    def __init__(self, floats, ints, complexes):
        self.vectors = {float: floats, int: ints, complex: complexes}

    def __getitem__(self, scalar: Scalar) -> Number:
        return Number(self.vectors[scalar.kind][scalar.index], scalar.kind)


class Given:
    """Numbers given one by one, for an op cut out of its program."""

    def __init__(self, scalars: list[Scalar], values):
        self.found = {(s.kind, s.index): Number(jnp.asarray(v), s.kind) for s, v in zip(scalars, values)}

    def __getitem__(self, scalar: Scalar) -> Number:
        return self.found[scalar.kind, scalar.index]


class Zeros:
    """Numbers where only shapes matter."""

    def __getitem__(self, scalar: Scalar) -> Number:
        return Number(jnp.zeros((), WIDE[scalar.kind]), scalar.kind)


def scalars_of(x) -> list[Scalar]:
    """The numbers in an op's arguments, in order."""
    if isinstance(x, Scalar):
        return [x]
    if isinstance(x, tuple | list):
        return [s for v in x for s in scalars_of(v)]
    return [s for v in x.values() for s in scalars_of(v)] if isinstance(x, dict) else []


def call(op: Op, args, kwargs, env: dict, numbers: Numbers | Given | Zeros):
    """Call an op's array function with slots and numbers filled in; returns its results as a list, and their packing."""

    def fill(a):
        if isinstance(a, Ref):
            return env[a.index]
        if isinstance(a, Scalar):
            return numbers[a]
        if isinstance(a, tuple):
            made = [fill(x) for x in a]
            return type(a)(*made) if hasattr(a, "_fields") else tuple(made)
        return {k: fill(x) for k, x in a.items()} if isinstance(a, dict) else a

    named = {k: fill(a) for k, a in (kwargs or {}).items() if not (op.creates and k == "device")}
    result = op.function(*[fill(a) for a in args], **named)
    return flatten(result)


WIDE = {float: jnp.float64, int: jnp.int64, complex: jnp.complex128}


def flatten(result):
    """A result's arrays as a list, and the function that packs a list the same way (None for a single array)."""
    if not isinstance(result, tuple | list):
        return [strong(result)], None
    if any(isinstance(r, tuple | list) for r in result):
        leaves, tree = jax.tree.flatten(result)
        return [strong(r) for r in leaves], tree.unflatten
    results = [strong(r) for r in result]
    return results, (lambda values, make=type(result): make(*values)) if hasattr(result, "_fields") else type(result)


def inlined(function):
    """`function`, traced without a program of its own for every function of `jax.numpy`: that takes half the time."""

    def call(*args):
        with jax.disable_jit():
            return function(*args)

    return call


def strong(x):
    """JAX's weak types would make another structure of the same values."""
    x = jnp.asarray(x)
    return jax.lax.convert_element_type(x, x.dtype) if getattr(x, "weak_type", False) else x


def run(path: list[Entry], env: dict, numbers: Numbers, differentiated: set[int], stops=frozenset()) -> dict:
    """Evaluate every entry of `path` into `env`; return the pullbacks of those in `differentiated` (by position).

    No gradient flows to the slots in `stops`, whoever differentiates the program as a whole.
    """
    pullbacks: dict = {}
    for position, entry in enumerate(path):
        if entry.op is None:
            continue
        if position in differentiated:
            results, pullbacks[position] = differentiate(entry, path, env, numbers)
        elif entry.vjp is not None:
            results = entry.vjp.sweep(path, pullbacks, env, entry.args)
        else:
            results, _ = call(entry.op, entry.args, entry.kwargs, env, numbers)
        for i, result in enumerate(results):
            stop = entry.stops or entry.first + i in stops
            env[entry.first + i] = jax.lax.stop_gradient(result) if stop else result
    return pullbacks


def differentiate(entry: Entry, path, env: dict, numbers: Numbers):
    """The entry's results, and its pullback: cotangents of its differentiable results to those of `entry.tracked`."""
    grad_outs = [i for i, (_, grad) in enumerate(entry.outs) if grad]

    def function(*tracked):
        inner = {**{s: env[s] for s in entry.reads}, **dict(zip(entry.tracked, tracked))}
        results = results_of(entry, path, inner, numbers)
        return [results[i] for i in grad_outs], results

    return pulled_back(function, [env[s] for s in entry.tracked])


def pulled_back(function, tracked: list):
    """Of ``function(*tracked) -> (differentiable results, all results)``: all results, and the pullback."""
    outs, pullback, results = jax.vjp(function, *tracked, has_aux=True)
    if any(jnp.iscomplexobj(x) for x in (*outs, *tracked)):
        # PyTorch's gradient of a complex number is the conjugate of JAX's.
        pullback = jax.tree_util.Partial(_conjugated, pullback)
    return results, pullback


def _conjugated(pullback, cotangents):
    return [jnp.conj(ct) for ct in pullback([jnp.conj(ct) for ct in cotangents])]


def results_of(entry: Entry, path, env: dict, numbers: Numbers) -> list:
    """The entry's results as a pure function of what it reads; a gradient computes its slice anew for that."""
    if entry.vjp is None:
        return call(entry.op, entry.args, entry.kwargs, env, numbers)[0]
    slice_ = entry.vjp
    inner = dict(env)
    pullbacks = {}
    for position in slice_.entries:
        e = path[position]
        results, pullbacks[position] = differentiate(e, path, inner, numbers)
        for i, result in enumerate(results):
            inner[e.first + i] = result
    return slice_.sweep(path, pullbacks, inner, entry.args)
