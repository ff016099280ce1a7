"""Quasi-random sequences: ``torch.quasirandom``.

PyTorch's page: https://docs.pytorch.org/docs/stable/generated/torch.quasirandom.SobolEngine.html
"""

from __future__ import annotations

import numpy as np

from funcgrad import _dtypes
from funcgrad._draws import integers, sobol
from funcgrad._draws._mt19937 import Engine
from funcgrad._facade._creation import from_array
from funcgrad._generator import default_generator


class SobolEngine:
    """Points of a Sobol' sequence, optionally scrambled, in up to 21,201 dimensions.

    The point after the i-th is the i-th with the direction numbers of i's lowest zero bit flipped in each dimension.
    Scrambling multiplies the direction numbers by random lower triangular bit matrices and shifts the first point.

    Args:
        dimension: of the points.
        scramble: whether to scramble.
        seed: of the scrambling; without it the default generator is used.

    Raises:
        ValueError: `dimension` is outside [1, 21201].

    Example:
        >>> import funcgrad as torch
        >>> torch.quasirandom.SobolEngine(3).draw(3)
        tensor([[0.0000, 0.0000, 0.0000],
                [0.5000, 0.5000, 0.5000],
                [0.7500, 0.2500, 0.2500]])
    """

    MAXBIT = sobol.BITS
    MAXDIM = sobol.LARGEST

    def __init__(self, dimension: int, scramble: bool = False, seed: int | None = None):
        if dimension > self.MAXDIM or dimension < 1:
            raise ValueError(f"Supported range of dimensionality for SobolEngine is [1, {self.MAXDIM}]")
        self.seed = seed
        self.scramble = scramble
        self.dimension = dimension
        self._state = sobol.directions(dimension)
        self._shift = np.zeros(dimension, np.int64)
        if scramble:
            self._scramble()
        self._quasi = self._shift.copy()
        self._first = sobol.unit(self._quasi, _dtypes.default_dtype().numpy)
        self.num_generated = 0

    sobolstate = property(lambda self: from_array(self._state), doc="The direction numbers. Shape: (dimension, 30).")
    shift = property(lambda self: from_array(self._shift), doc="The first point as integers. Shape: (dimension,).")
    _first_point = property(lambda self: from_array(self._first[None]))
    quasi = property(lambda self: from_array(self._quasi), doc="The last point as integers. Shape: (dimension,).")

    def draw(self, n: int = 1, out=None, dtype: _dtypes.dtype | None = None):
        """The next `n` points.

        Shape: (n, dimension), of `dtype` or the default dtype.

        Raises:
            NotImplementedError: `dtype` is neither float32 nor float64 (and a point after the first is drawn).
        """
        dtype = _dtypes.default_dtype() if dtype is None else _dtypes.to_dtype(dtype)
        first = self.num_generated == 0
        if not (first and n == 1) and dtype.name not in ("float32", "float64"):
            raise NotImplementedError(f"\"_sobol_engine_draw\" not implemented for '{dtype.scalar_name}'")
        if n - first < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {n - first}: [{n - first}, {self.dimension}]"
            )
        done = 0 if first else self.num_generated - 1
        points, self._quasi = sobol.points(self._state, self._quasi, n - first, done, dtype.numpy)
        if first:
            points = np.concatenate([self._first.astype(dtype.numpy)[None], points])
        self.num_generated += n
        result = from_array(points)
        if out is None:
            return result
        out.resize_as_(result).copy_(result)
        return out

    def draw_base2(self, m: int, out=None, dtype: _dtypes.dtype | None = None):
        """The next ``2**m`` points, where that makes the number of all points a power of two.

        Raises:
            ValueError: it does not.
        """
        n = 2**m
        total_n = self.num_generated + n
        if total_n & (total_n - 1):
            raise ValueError(
                "The balance properties of Sobol' points require n to be a power of 2. "
                f"{self.num_generated} points have been previously generated, then: "
                f"n={self.num_generated}+2**{m}={total_n}. If you still want to do this, please use "
                "'SobolEngine.draw()' instead."
            )
        return self.draw(n=n, out=out, dtype=dtype)

    def reset(self) -> SobolEngine:
        """Go back to the first point."""
        self._quasi = self._shift.copy()
        self.num_generated = 0
        return self

    def fast_forward(self, n: int) -> SobolEngine:
        """Leave out `n` points, in time that does not depend on `n`."""
        first = self.num_generated == 0
        done = 0 if first else self.num_generated - 1
        self._quasi = sobol.skipped(self._state, self._quasi, n - first, done)
        self.num_generated += n
        return self

    def _scramble(self) -> None:
        engine = default_generator.engine if self.seed is None else Engine(self.seed)
        bits = integers.randint(engine, 0, 2, (self.dimension, self.MAXBIT))
        self._shift = bits @ (1 << np.arange(self.MAXBIT, dtype=np.int64))
        matrices = integers.randint(engine, 0, 2, (self.dimension, self.MAXBIT, self.MAXBIT))
        self._state = sobol.scrambled(self._state, matrices)

    def __repr__(self) -> str:
        options = [f"dimension={self.dimension}"]
        if self.scramble:
            options.append("scramble=True")
        if self.seed is not None:
            options.append(f"seed={self.seed}")
        return f"{type(self).__name__}({', '.join(options)})"
