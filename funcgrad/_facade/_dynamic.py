"""Ops whose result's shape depends on values: they launch the pending program and compute at once."""

from __future__ import annotations

import jax
import numpy as np

from funcgrad import _device
from funcgrad._tensor import Tensor, wrap
from funcgrad.engine.launch import settle
from funcgrad.engine.record import record
from funcgrad.engine.structure import Op
from funcgrad.engine.values import Value, aval_of


def run_now(op: Op, args, kwargs):
    """Call the op's array function on concrete arrays; the result carries no gradient."""
    device = next((a.device for a in args if isinstance(a, Tensor)), None)

    def lower(x):
        if isinstance(x, Tensor):
            value = x._read()
            if value.array is None:
                settle(value)
            return jax.numpy.asarray(value.array)
        if isinstance(x, tuple | list):
            return type(x)(lower(v) for v in x)
        return x

    def lift(x):
        if isinstance(x, jax.Array | np.ndarray):
            return wrap(Value(x, aval_of(x.shape, x.dtype, device)))
        if isinstance(x, tuple | list):
            made = [lift(v) for v in x]
            return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)
        return x

    with jax.enable_x64(True):
        return lift(op.function(*[lower(a) for a in args], **{k: lower(a) for k, a in (kwargs or {}).items()}))


_rewritten: dict = {}


def rewritten(op: Op, args, kwargs):
    """Fetch the arguments whose values decide the result's shape, and record the call the op rewrites itself to.

    Returns None if the call needs no values after all.
    """
    names = op.function.value_arguments
    by_position = [name for name, _, _ in op.parameters]

    def fetch(name, x):
        return (
            x._host()
            if name in names and isinstance(x, Tensor)
            else [fetch(name, y) for y in x]
            if (name in names and isinstance(x, list | tuple) and any(isinstance(y, Tensor) for y in x))
            else x
        )

    lowered = [fetch(by_position[min(i, len(by_position) - 1)], a) for i, a in enumerate(args)]
    named = {k: fetch(k, a) for k, a in (kwargs or {}).items()}
    made = op.function.rewrite(*lowered, **named)
    if made is None:
        return None
    function, args, kwargs = made
    target = _rewritten.get(function)
    if target is None:
        target = _rewritten[function] = Op(op.name, function, grad_name=op.grad_name)
    return record(target, [_lift(a) for a in args], {k: _lift(v) for k, v in kwargs.items()})


def _lift(x):
    if isinstance(x, jax.Array | np.ndarray):
        return Value(x, aval_of(x.shape, x.dtype, _device.CPU))
    return type(x)(_lift(v) for v in x) if type(x) in (list, tuple) else x
