"""The order in which PyTorch's serial kernels visit a tensor: its memory's, not that of its indices."""

from __future__ import annotations

import numpy as np


def visiting_order(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """The dimensions of a target with these strides, slowest first, as a draw into it visits them.

    Example:
        >>> visiting_order((2, 3), (1, 2))  # a transposed matrix
        (1, 0)
    """
    return tuple(sorted(range(len(shape)), key=lambda d: 0 if shape[d] == 1 else -strides[d]))


def draw_into(draw, engine, shape: tuple[int, ...], strides: tuple[int, ...], *args, **kwargs) -> np.ndarray:
    """``draw(engine, shape, ...)`` for a target of these strides: the draws go where PyTorch would put them.

    Example:
        >>> from funcgrad import _mt19937, _dtypes, _draws
        >>> draw_into(_draws.rand, _mt19937.Engine(0), (2, 3), (1, 2), _dtypes.float32).shape
        (2, 3)
    """
    order = visiting_order(tuple(shape), tuple(strides))
    drawn = draw(engine, tuple(shape[d] for d in order), *args, **kwargs)
    return drawn.transpose(tuple(np.argsort(order)))


def is_contiguous(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether a tensor of this shape and these strides lies in row-major order without gaps."""
    expected = 1
    for size, stride in zip(reversed(shape), reversed(strides)):
        if size == 1:
            continue
        if stride != expected:
            return False
        expected *= size
    return True
