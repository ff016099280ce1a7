"""One check of an array's values; see `index_bounds`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Check(NamedTuple):
    """All elements of `indices` must lie in ``[low, high)``; ``error(value)`` is what PyTorch raises for another.

    Attributes:
        exempt: one value outside the range that is allowed (`ignore_index`).
        closed: `high` itself is allowed.
        located: call ``error(value, position)``, with the position in the flat array.
    """

    indices: object
    low: float
    high: float
    error: Callable[..., Exception]
    exempt: int | None = None
    closed: bool = False
    located: bool = False

    def bad(self, values):
        """Where `values` (of NumPy or JAX), which are those of `indices`, are out of range."""
        bad = ~((values >= self.low) & ((values <= self.high) if self.closed else (values < self.high)))
        return bad if self.exempt is None else bad & (values != self.exempt)

    def first_bad(self, values: np.ndarray) -> Exception | None:
        """The error for `values`; None if all are in range."""
        bad = self.bad(values)
        if not bad.any():
            return None
        position = int(np.flatnonzero(bad)[0])
        value = values.reshape(-1)[position].item()
        return self.error(value, position) if self.located else self.error(value)


class NonZero(Check):
    """A check that no element is zero: integer division by it raises."""

    def bad(self, values):
        """Where `values` are zero."""
        return values == 0


class Count(Check):
    """A check that no more than `high` elements of a mask hold."""

    def bad(self, values):
        """Whether more are true."""
        return values.sum() > self.high if values.size else values
