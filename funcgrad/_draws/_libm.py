"""Float64 functions to the last digit of the C library, which PyTorch's kernels call one element at a time.

NumPy's own loops differ from it in the last digit here and there (vector code is allowed one unit). Python's `math`
calls the C library. Only float64 results need this: rounded to float32 the two agree.
"""

from __future__ import annotations

import ctypes
import functools
import math

import numpy as np


def _elementwise(name: str):
    function = getattr(math, name)
    ufunc = getattr(np, name)

    def guarded(v: float) -> float:
        try:
            return function(v)
        except (ValueError, OverflowError):  # where C returns an infinity or NaN
            with np.errstate(all="ignore"):
                return float(ufunc(v))

    def apply(x: np.ndarray) -> np.ndarray:
        values = x.ravel().tolist()
        try:
            result = list(map(function, values))
        except (ValueError, OverflowError):
            result = list(map(guarded, values))
        return np.array(result, np.float64).reshape(x.shape)

    apply.__doc__ = f"`{name}` of a float64 array, each element the C library's."
    return apply


log, log1p, exp, tan = (_elementwise(name) for name in ("log", "log1p", "exp", "tan"))
_loops = {name: _elementwise(name) for name in ("sin", "cos")}


@functools.cache
def _numpy_is_exact(name: str) -> bool:
    x = np.linspace(0.0, 2 * math.pi, 1001)
    return np.array_equal(getattr(np, name)(x), _loops[name](x))


def sin(x: np.ndarray) -> np.ndarray:
    """Sine: NumPy's, which is the C library's in today's builds, else element by element."""
    return np.sin(x) if _numpy_is_exact("sin") else _loops["sin"](x)


def cos(x: np.ndarray) -> np.ndarray:
    """Cosine, as `sin`."""
    return np.cos(x) if _numpy_is_exact("cos") else _loops["cos"](x)


_SPLIT = 134217729.0  # 2**27 + 1


def _halves(x):
    high = x * _SPLIT
    high = high - (high - x)
    return high, x - high


def fused(a, b, c) -> np.ndarray:
    """``a * b + c`` in float64, rounded once: the product's and the sum's rounding errors are found and added."""
    if b == 1.0:
        return a + c
    product = a * b
    (ah, al), (bh, bl) = _halves(a), _halves(np.float64(b))
    lost = ((ah * bh - product) + ah * bl + al * bh) + al * bl
    total = product + c
    back = total - product
    lost = lost + ((product - (total - back)) + (c - back))
    return total + lost


@functools.cache
def _c_float(name: str):
    try:
        function = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError, TypeError):
        return None
    function.restype, function.argtypes = ctypes.c_float, (ctypes.c_float,)
    return function


def log1pf(x: float) -> float:
    """The C library's float32 `log1p` of one number."""
    function = _c_float("log1pf")
    return function(x) if function else float(np.float32(math.log1p(x)))
