"""Continuous draws by inversion: exponential and Cauchy (and what Gumbel-softmax and `multinomial` take from them).

PyTorch's page: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.exponential_.html
"""

from __future__ import annotations

import math

import numpy as np

from funcgrad import _dtypes
from funcgrad._draws import _libm, _stream


@_stream.draw
def exponential(engine, shape, dtype, rate: float = 1.0) -> np.ndarray:
    """Exponential: ``-log1p(-u) / rate`` in float64, rounded to `dtype`. Two words each.

    Raises:
        RuntimeError: `rate` is not positive, or `dtype` not floating.
    """
    dtype = _dtypes.to_dtype(dtype)
    if not rate > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={_stream.number(rate)}")
    n = _stream.count(shape)
    if n:
        _require_continuous("Exponential", dtype, dtype.scalar_name)
        _stream.require_floating("exponential_cpu", dtype)
    log1p = _libm.log1p if dtype.itemsize == 8 else np.log1p

    def make(k: int) -> np.ndarray:
        x = (-1.0 / rate) * log1p(-_stream.unit_doubles(engine, k))
        return _stream.narrow(x, dtype)

    return _stream.by_chunks(engine, n, dtype.numpy, make).reshape(tuple(shape))


@_stream.draw
def cauchy(engine, shape, dtype, median: float = 0.0, sigma: float = 1.0) -> np.ndarray:
    """Cauchy: ``median + sigma tan(pi (u - 1/2))`` in float64, rounded to `dtype`. Two words each.

    Raises:
        RuntimeError: `sigma` is not positive, or `dtype` not floating.
    """
    dtype = _dtypes.to_dtype(dtype)
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={_stream.number(sigma)}")
    _require_continuous("Cauchy", dtype, _stream.CPP_NAMES.get(dtype.name, dtype.name))
    if _stream.count(shape):
        _stream.require_floating("cauchy_cpu", dtype)
    tan = _libm.tan if dtype.itemsize == 8 else np.tan

    def make(k: int) -> np.ndarray:
        x = tan(math.pi * (_stream.unit_doubles(engine, k) - 0.5))
        finite = math.isfinite(sigma) and math.isfinite(median)  # an exact product of infinities is none
        with np.errstate(over="ignore"):
            return _stream.narrow(_libm.fused(x, sigma, median) if finite else x * sigma + median, dtype)

    return _stream.by_chunks(engine, _stream.count(shape), dtype.numpy, make).reshape(tuple(shape))


def _require_continuous(name: str, dtype: _dtypes.dtype, spelled: str) -> None:
    if not dtype.is_floating_point:
        raise RuntimeError(
            f"{name} distribution is a continuous probability distribution. dtype must be a floating point but you "
            f"specified {spelled}"
        )
