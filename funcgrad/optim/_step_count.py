"""``state[p]["step"]``: how often a parameter was stepped, counted on the host."""

from __future__ import annotations

import numpy as np

from funcgrad import _device, _dtypes
from funcgrad._tensor import Tensor, wrap
from funcgrad.engine.values import HANDLES, Value, aval_of


class StepCount(Tensor):
    """A zero-dimensional tensor whose value is made when somebody looks at it.

    An array per parameter would cost a training step more than its arithmetic. Writing to it works as for any tensor:
    the optimizer finds another value there than the one it had shown.

    Attributes:
        count: the number of steps.
    """

    __slots__ = ("_shown", "count")
    _is_plain = True  # checkpoints hold an ordinary tensor

    def __new__(cls, count: float = 0.0):
        made = object.__new__(cls)
        made._value = made._shown = None
        made.count = count
        return made

    def _refresh(self) -> Value:
        dtype = np.float64 if _dtypes.default_dtype() is _dtypes.float64 else np.float32
        array = np.array(self.count, dtype)
        value = self._value = self._shown = Value(array, aval_of((), array.dtype, _device.CPU))
        return value

    def read(self) -> float:
        """The count, after a look at what the user may have written."""
        if self._value is not self._shown:
            self.count = float(self.item())
        self._value = self._shown = None
        return self.count

    def __repr__(self, *, tensor_contents=None) -> str:
        return repr(wrap(self._read()))

    __str__ = __repr__

    def __deepcopy__(self, memo) -> StepCount:
        copy = memo[id(self)] = StepCount(self.read())
        return copy

    def __reduce_ex__(self, protocol: int):
        return StepCount, (self.read(),)

    __hash__ = Tensor.__hash__


HANDLES.add(StepCount)
