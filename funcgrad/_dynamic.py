"""Ops whose result's shape depends on values: they launch the pending program and compute at once."""

from __future__ import annotations

import jax
import numpy as np

from funcgrad._tensor import Tensor, wrap
from funcgrad.engine.launch import settle
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
