"""Normal numbers between two bounds, by rejection: what ``nn.init.trunc_normal_`` draws."""

from __future__ import annotations

import math

import numpy as np

from funcgrad._draws.normal import normal
from funcgrad._draws.uniform import uniform


def truncated_normal(engine, shape, dtype, mean: float, std: float, a: float, b: float) -> np.ndarray:
    """Numbers of the density of a normal distribution within [a, b].

    Where the bounds hold more than 0.3 of the distribution, normal numbers outside are drawn again; else uniform numbers
    are accepted with a probability proportional to their density. Each round draws for all places, also those done.
    """
    within = _cdf((b - mean) / std) - _cdf((a - mean) / std)
    rounds = _by_normals if within > 0.3 else _by_uniforms
    return rounds(engine, shape, dtype, mean, std, a, b)


def _cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _by_normals(engine, shape, dtype, mean, std, a, b) -> np.ndarray:
    result = normal(engine, shape, dtype, mean, std)
    low, high = result.dtype.type(a), result.dtype.type(b)
    while (outside := (result < low) | (result > high)).any():
        result = np.where(outside, normal(engine, shape, dtype, mean, std), result)
    return result


def _by_uniforms(engine, shape, dtype, mean, std, a, b) -> np.ndarray:
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    result, pending = None, None
    while pending is None or pending.any():
        drawn = uniform(engine, shape, dtype, a, b)
        rejected = _rejected(drawn, uniform(engine, shape, dtype, 0.0, 1.0), mean, std, peak)
        result = drawn if pending is None else np.where(pending, drawn, result)
        pending = rejected if pending is None else pending & rejected
    return result


def _rejected(drawn: np.ndarray, chances: np.ndarray, mean: float, std: float, peak: float) -> np.ndarray:
    number = drawn.dtype.type  # each operation rounds to the dtype, as PyTorch's in-place ops do
    density = (((drawn - number(mean)) / number(std)) ** 2 * number(-0.5)) - number(peak)
    with np.errstate(divide="ignore"):
        return np.log(chances) > density
