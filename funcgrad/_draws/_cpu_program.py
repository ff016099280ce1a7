"""Loops over NumPy arrays at C's speed: functions that XLA compiles for the CPU, outside of any recorded program.

NOTE: [XLA as a compiler for sequential loops]
    A ``while`` loop whose body touches scalars and single elements of its carried arrays becomes one machine-code loop:
    a few nanoseconds for each turn, where Python needs a hundred. An array that the body both reads and writes must
    be written first and read afterwards, else every turn copies it.
"""

from __future__ import annotations

import functools
import os

import jax
import numpy as np

_process = os.getpid()


class CpuProgram:
    """`function` compiled for the CPU as soon as the work asked of it is worth that.

    Args:
        function: of arrays of the given shapes and dtypes, which may differ from call to call only in their values.
        arguments: a pair (shape, dtype) for each argument.
        worth: the amount of work, in the caller's units and over the whole process, at which compiling starts to pay.
        check: says of the compiled form whether it gives the right digits on this machine; else it is never used.
        options: XLA's compile options.

    Example:
        >>> double = CpuProgram(lambda x: x + x, [((2,), np.float64)], worth=10)
        >>> double.after(9) is None
        True
        >>> np.asarray(double.after(1)(np.array([1.0, 2.0]))).tolist()
        [2.0, 4.0]
    """

    def __init__(self, function, arguments, worth: int, check=None, options: dict | None = None):
        self._function, self._arguments, self._worth = function, arguments, worth
        self._check, self._options = check, options
        self._asked = 0
        self._compiled = None

    def after(self, work: int):
        """The compiled form, if it is worth having after this much work more, else None.

        A forked child (a DataLoader's worker) must not run XLA, whose threads stayed with the parent.
        """
        self._asked += work
        if self._asked < self._worth or os.getpid() != _process:
            return None
        if self._compiled is None:
            self._compiled = self._compile() or False
        return self._compiled or None

    @property
    def compiled(self) -> bool:
        """Whether there is a compiled form already."""
        return bool(self._compiled) and os.getpid() == _process

    def _compile(self):
        try:
            place = jax.sharding.SingleDeviceSharding(jax.devices("cpu")[0])
        except RuntimeError:  # JAX was told to leave the CPU alone
            return None
        with jax.enable_x64(True):
            shapes = [jax.ShapeDtypeStruct(shape, kind, sharding=place) for shape, kind in self._arguments]
            # compiled here, it also runs while JAX is tracing something else
            program = jax.jit(self._function).lower(*shapes).compile(compiler_options=self._options)
        wide = any(np.dtype(kind).itemsize == 8 for _, kind in self._arguments)

        def run(*arguments):
            if not wide:
                return program(*arguments)
            with jax.enable_x64(True):
                return program(*arguments)

        @functools.lru_cache(maxsize=64, typed=True)
        def placed(x):
            """An argument of many runs: handing over a NumPy array takes 20 us."""
            with jax.enable_x64(True), jax.ensure_compile_time_eval():
                return jax.device_put(x, place)

        run.placed = placed
        return run if self._check is None or self._check(run) else None
