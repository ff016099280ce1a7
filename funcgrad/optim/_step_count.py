"""``state[p]["step"]``: how often a parameter was stepped, counted on the host."""

from __future__ import annotations

import numpy as np

from funcgrad import _device, _dtypes
from funcgrad._tensor import Tensor, wrap
from funcgrad.engine.values import HANDLES, Value, aval_of


class Clock:
    """The count of parameters that are stepped together.

    Attributes:
        count: the number of steps, unless the last one was skipped.
        looked_at: whether somebody has seen (and may have written) one of the tensors since.
        doubt: whether the last step was skipped (a tensor, true if so), and the count before it; None if it was not.
    """

    __slots__ = ("count", "doubt", "looked_at")

    def __init__(self, count: float = 0.0):
        self.count = count
        self.looked_at = False
        self.doubt: tuple[Tensor, float] | None = None

    def now(self) -> float:
        """The number of steps; waits for a step that may be skipped."""
        if self.doubt is not None:
            (skipped, before), self.doubt = self.doubt, None
            if skipped.item():
                self.count = before
        return self.count


class StepCount(Tensor):
    """A zero-dimensional tensor whose value is made when somebody looks at it.

    An array per parameter would cost a training step more than its arithmetic. Writing to it works as for any tensor:
    the optimizer finds another value there than the one it had shown.
    """

    __slots__ = ("_shown", "clock")
    _is_plain = True  # checkpoints hold an ordinary tensor

    def __new__(cls, count: float = 0.0):
        made = object.__new__(cls)
        made._value = made._shown = None
        made.clock = Clock(count)
        return made

    def _refresh(self) -> Value:
        dtype = np.float64 if _dtypes.default_dtype() is _dtypes.float64 else np.float32
        array = np.array(self.clock.now(), dtype)
        self.clock.looked_at = True
        value = self._value = self._shown = Value(array, aval_of((), array.dtype, _device.CPU))
        return value

    def read(self) -> float:
        """The count, after a look at what the user may have written."""
        count = self.clock.now()
        if self._value is not self._shown:
            count = float(self.item())
            self.clock = Clock(count)
        self._value = self._shown = None
        return count

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The count as an array of its own: this tensor has no memory to share."""
        return wrap(self._read()).numpy(force=force)

    def __repr__(self, *, tensor_contents=None) -> str:
        return repr(wrap(self._read()))

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec)

    def __deepcopy__(self, memo) -> StepCount:
        copy = memo[id(self)] = StepCount(float(self.item()))
        return copy

    def __reduce_ex__(self, protocol: int):
        return StepCount, (float(self.item()),)

    __hash__ = Tensor.__hash__


HANDLES.add(StepCount)
