"""Checks of values: at once where the values are at hand, else in the program that computes them.

NOTE: [when a check is made]
    Values that were computed are looked at with NumPy, which launches nothing. Values that are still pending are read,
    as PyTorch does, unless a differentiable program is being recorded: a launch in its middle would split each training
    step in two, and inside `torch.compile` or `jax.jit` nothing can be read. There the program itself does the check,
    and the error comes, with the line, before any of its values is seen. Under JAX's transformations there is no check.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from funcgrad import _operators
from funcgrad._facade._creation import from_array
from funcgrad._tensor import Tensor
from funcgrad.engine.state import state
from funcgrad.engine.structure import Op
from funcgrad.ops._bounds import Check
from funcgrad.ops._number import Array


def known(x) -> np.ndarray | None:
    """The values of a tensor that is computed already; None if they are pending or traced."""
    array = x._read().array
    return None if array is None or isinstance(array, jax.core.Tracer) else np.asarray(array)


def decide(predicate: Callable, *operands):
    """``predicate(*operands, lib)`` as a bool tensor: of NumPy arrays and `lib` NumPy if all values are known.

    Else of the tensors themselves, and `lib` is None.
    """
    arrays = [known(x) if isinstance(x, Tensor) else x for x in operands]
    if any(a is None for a in arrays):
        return predicate(*operands, None)
    return from_array(np.asarray(predicate(*arrays, np)))


def traced(x: Tensor) -> bool:
    """Whether the tensor's value is, or comes from, a tracer of JAX."""
    value = x._read()
    return isinstance(value.array, jax.core.Tracer) or (
        value.array is None and value.program is not None and value.program.traced
    )


def require(valid: Tensor, error: Callable[[], Exception], summary: str) -> None:
    """Raise ``error()`` unless all elements of `valid` are true; `summary` is its text for a check that comes later."""
    array = known(valid)
    if array is None:
        if traced(valid):
            return
        if state.capture is not None or state.program.edges:
            _operators.apply(_assertion, (_operators.call("all", valid), summary))
            return
        array = valid._host()
    if not array.all():
        raise error()


def _rule(valid, summary: str) -> list[Check]:
    return [Check(valid, 1, 2, lambda value: ValueError(summary))]


def _assert(valid: Array, summary: str) -> Array:
    return valid


_assertion = Op("require", _assert, differentiable=False, bounds=_rule)
