"""A line search: bracket a minimum along a direction, then narrow the bracket, by cubic interpolation.

It accepts a step that meets the strong Wolfe conditions (Nocedal and Wright, Numerical Optimization, algorithms 3.5
and 3.6): enough decrease, and a slope that has become small. Its arithmetic is on the host, on numbers of the
gradient's precision as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcgrad._tensor import Tensor

DECREASE, CURVATURE = 1e-4, 0.9


class Point:
    """The loss and the gradient somewhere along a direction.

    Attributes:
        returned: what the closure returned; `loss`: the same as a number.
        gradient: as one vector; `largest`, `total`: its largest magnitude and their sum.
        slope: the loss's derivative along the direction.
    """

    def __init__(self, returned: Any, loss: float, gradient: Tensor, largest: float, total: float):
        self.returned, self.loss, self.gradient, self.largest, self.total = returned, loss, gradient, largest, total
        self.slope: Any = None


def strong_wolfe(
    evaluate: Callable[[Any], Point], start: Point, slope, t, longest: float, tolerance_change: float, max_ls: int
) -> tuple[Point, Any, int]:
    """Search from `start` along a direction on which the loss has this slope.

    Args:
        evaluate: gives the point at a step size.
        t: the first step size.
        longest: the largest magnitude in the direction.
        tolerance_change: brackets that move the parameters by less are not narrowed.
        max_ls: the most iterations.

    Returns:
        The point found, its step size, and how many points were evaluated.
    """
    start.slope = slope
    with np.errstate(all="ignore"):
        return _Search(evaluate, start, slope, longest, tolerance_change, max_ls).run(t)


class _Search:
    def __init__(self, evaluate, start: Point, slope, longest: float, tolerance_change: float, max_ls: int):
        self.evaluate, self.start, self.slope = evaluate, start, slope
        self.longest, self.tolerance_change, self.max_ls = longest, tolerance_change, max_ls
        self.evaluations = 0
        self.iterations = 0

    def run(self, t):
        ends, done = self._bracket(t)
        t, point = ends[0] if done else self._narrow(ends)
        return point, t, self.evaluations

    def _at(self, t) -> Point:
        self.evaluations += 1
        return self.evaluate(t)

    def _too_high(self, t, point: Point) -> bool:
        return point.loss > self.start.loss + DECREASE * t * self.slope

    def _flat_enough(self, point: Point) -> bool:
        return abs(point.slope) <= -CURVATURE * self.slope

    def _bracket(self, t) -> tuple[list, bool]:
        """Two step sizes with a minimum between them, or one that will do."""
        before = (0, self.start)
        point = self._at(t)
        while self.iterations < self.max_ls:
            if self._too_high(t, point) or (self.iterations > 1 and point.loss >= before[1].loss):
                return [before, (t, point)], False
            if self._flat_enough(point):
                return [(t, point)], True
            if point.slope >= 0:
                return [before, (t, point)], False
            bounds = (t + 0.01 * (t - before[0]), t * 10)
            before, t = (t, point), _cubic_minimum(before, (t, point), bounds)
            point = self._at(t)
            self.iterations += 1
        return [(0, self.start), (t, point)], False

    def _narrow(self, ends: list) -> tuple:
        """Make the bracket smaller until its lower end meets the conditions; returns that end."""
        low = _lower(ends)
        stuck = False
        while self.iterations < self.max_ls and not abs(ends[1][0] - ends[0][0]) * self.longest < self.tolerance_change:
            t, stuck = _away_from_ends(_cubic_minimum(*ends), min(e[0] for e in ends), max(e[0] for e in ends), stuck)
            point = self._at(t)
            self.iterations += 1
            if self._too_high(t, point) or point.loss >= ends[low][1].loss:
                ends[1 - low] = (t, point)
                low = _lower(ends)
                continue
            done = self._flat_enough(point)
            if not done and point.slope * (ends[1 - low][0] - ends[low][0]) >= 0:
                ends[1 - low] = ends[low]
            ends[low] = (t, point)
            if done:
                break
        return ends[low]


def _lower(ends: list) -> int:
    return 0 if ends[0][1].loss <= ends[1][1].loss else 1


def _away_from_ends(t, least, most, stuck: bool):
    """A step size too near an end of the bracket for the second time is moved inwards."""
    margin = 0.1 * (most - least)
    if min(most - t, t - least) >= margin:
        return t, False
    if stuck or t >= most or t <= least:
        return (most - margin if abs(t - most) < abs(t - least) else least + margin), False
    return t, True


def _cubic_minimum(one: tuple, other: tuple, bounds: tuple | None = None):
    """Where the cubic with the losses and slopes at two step sizes has its minimum, kept within bounds."""
    (a, at_a), (b, at_b) = (one, other) if one[0] <= other[0] else (other, one)
    least, most = (a, b) if bounds is None else bounds
    d1 = at_a.slope + at_b.slope - 3 * (at_a.loss - at_b.loss) / (a - b)
    square = d1**2 - at_a.slope * at_b.slope
    if not square >= 0:
        return (least + most) / 2.0
    d2 = np.sqrt(square)
    t = b - (b - a) * ((at_b.slope + d2 - d1) / (at_b.slope - at_a.slope + 2 * d2))
    return min(max(t, least), most)
