"""Loops of `jax.lax` that stay loops wherever they are traced.

The engine finds an op's shapes with `jax.disable_jit`, which spares it tracing every function of `jax.numpy` as a
program of its own, but would unroll these.
"""

from __future__ import annotations

import functools

import jax
from jax import lax


def _kept(loop):
    @functools.wraps(loop)
    def call(*args, **kwargs):
        with jax.disable_jit(False):
            return loop(*args, **kwargs)

    return call


scan = _kept(lax.scan)
fori_loop = _kept(lax.fori_loop)
while_loop = _kept(lax.while_loop)
