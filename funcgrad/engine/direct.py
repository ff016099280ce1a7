"""Calling a captured program's executable directly: what replays it the third time and later records nothing.

The arrays go from the handles to the executable and back. Nothing is changed before the call has returned, so a call that
fails leaves every handle as it was.
"""

from __future__ import annotations

import functools
import sys

import jax
import numpy as np

from funcgrad.engine import bounds
from funcgrad.engine.executable import Executable
from funcgrad.engine.launch import call, copied, settle, vectors
from funcgrad.engine.values import Value

_HELD_ONCE = 3  # the handle or value that holds it, the list it is read from, and getrefcount's own argument


@functools.cache
def _array_types() -> frozenset:
    """NumPy's arrays and JAX's concrete ones. (Asking for the latter at import would start JAX's threads.)"""
    return frozenset({np.ndarray, type(jax.numpy.zeros(()))})


class Direct:
    """An executable with the values it returned, as patterns for those of the next calls.

    Args:
        executable: of the captured program.
        slots: the slots to return values of.
        made: the values an ordinary replay made for these slots.
    """

    def __init__(self, executable: Executable, slots: list[int], made: list[Value]):
        self.executable = executable
        place = {slot: i for i, slot in enumerate(executable.outputs)}
        self.patterns = [(place[s], (v.aval, None, None, v.requires_grad, v.origin)) for s, v in zip(slots, made)]

    @staticmethod
    def serves(executable: Executable | None) -> bool:
        """Whether calling the executable leaves nothing behind that a later backward() needs."""
        return executable is not None and not executable.retains and not executable.interpreted

    @staticmethod
    def arrays(values: list[Value]) -> list | None:
        """What the values hold, or None if some of it is not an ordinary array."""
        arrays = [v.array if v.array is not None else _settled(v) for v in values]
        return arrays if _array_types().issuperset(map(type, arrays)) else None

    def call(self, values: list[Value], arrays: list, numbers: tuple[list, list, list], holder: list) -> None:
        """Run the program on `arrays`, which `values` hold. The results reach `holder` inside one C call."""
        executable = self.executable
        donated = []
        for i in executable.donates:
            array = arrays[i]
            held = sys.getrefcount(values[i]) > _HELD_ONCE or sys.getrefcount(array) > _HELD_ONCE + 1
            donated.append(copied(array) if held and array.__class__ is not np.ndarray else array)
        kept = [arrays[i] for i in executable.keeps] if donated else arrays
        call(executable, donated, kept, vectors(executable, *numbers), holder)

    def values(self, holder: list):
        """The values of the slots, one after the other, from what the program returned."""
        outputs, _, raised = holder[0]
        if raised:
            bounds.launched(self.executable.flags, raised)
        return iter([Value(outputs[i], *pattern) for i, pattern in self.patterns])


def _settled(value: Value):
    settle(value)
    return value.array
