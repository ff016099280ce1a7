"""Which results of a gradient depend on values that are differentiated themselves: the others do not require grad."""

from __future__ import annotations

import jax
from jax.extend.core import Literal

from funcgrad.engine import replay


def varying(path, slice_, cotangents, avals: dict, reads: tuple, carried: tuple) -> list[bool]:
    """For each result of a slice's gradient whether it depends on one of the slots in `carried`.

    Args:
        cotangents: the slots of the roots' cotangents, None for ones.
        avals: the shape and dtype of every slot in `reads`.
    """

    def function(arrays):
        env, pullbacks = dict(zip(reads, arrays)), {}
        for position in slice_.entries:
            entry = path[position]
            results, pullbacks[position] = replay.differentiate(entry, path, env, replay.Zeros())
            env.update((entry.first + i, r) for i, r in enumerate(results))
        return slice_.sweep(path, pullbacks, env, cotangents)

    structs = [jax.ShapeDtypeStruct(avals[s].shape, avals[s].dtype.numpy) for s in reads]
    with jax.enable_x64(True):
        jaxpr = jax.make_jaxpr(function)(structs).jaxpr
    wanted = set(carried)
    return _depends(jaxpr, [slot in wanted for slot in reads])


def _depends(jaxpr, given: list[bool]) -> list[bool]:
    """For each result of a jaxpr whether it depends on an argument that is marked."""
    marked = {v for v, mark in zip(jaxpr.invars, given) if mark}

    def is_marked(atom) -> bool:
        return not isinstance(atom, Literal) and atom in marked

    for eqn in jaxpr.eqns:
        operands = [is_marked(v) for v in eqn.invars]
        if not any(operands):
            continue
        inner = eqn.params.get("jaxpr")
        if eqn.primitive.name in ("pjit", "jit") and inner is not None:
            found = _depends(inner.jaxpr, operands)
        else:
            found = [True] * len(eqn.outvars)
        marked.update(v for v, mark in zip(eqn.outvars, found) if mark)
    return [is_marked(v) for v in jaxpr.outvars]
