"""Uniform draws: `rand`, `uniform_`, and the samples that fractional pooling takes.

PyTorch's page: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.uniform_.html
"""

from __future__ import annotations

import functools

import jax.numpy as jnp
import numpy as np

from funcgrad import _dtypes
from funcgrad._draws import _bulk, _libm, _stream
from funcgrad._draws._box_muller import fused
from funcgrad._draws._stream import f4, f8


@_stream.draw
def uniform(engine, shape, dtype, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Uniform on [low, high): ``low + (high - low) u``, ``u`` with 24 bits (53 in float64). One word each (two).

    Raises:
        RuntimeError: a bound that `dtype` cannot hold, or ``low > high``.
        NotImplementedError: `dtype` is not floating or complex.
    """
    if dtype is _dtypes.float32 and low == 0 and high == 1:  # as most calls: 3 us less
        n = _stream.count(shape)
        if n <= _stream.CHUNK:
            return _stream.unit_floats(engine, n).reshape(shape)
    dtype, shape, is_complex = _stream.real_view(dtype, shape)
    _check_bounds(dtype, low, high)
    kind = f8 if dtype.itemsize == 8 else f4
    n = _stream.count(shape)
    if dtype.itemsize == kind().itemsize:
        flat = _stream.empty(n, dtype.numpy)
        _BULK[dtype.numpy].fill(engine, flat, kind(low), kind(high))
    else:
        flat = _stream.by_chunks(
            engine, n, dtype.numpy, functools.partial(_scaled, engine, dtype, kind(low), kind(high))
        )
    return _stream.as_complex(flat.reshape(shape), is_complex)


def _scaled(engine, dtype, low, high, n: int) -> np.ndarray:
    if type(low) is f8:
        u, multiply_add = _stream.unit_doubles(engine, n), _libm.fused
    else:
        u, multiply_add = _stream.unit_floats(engine, n), fused
    if low == 0 and high == 1:
        if dtype.itemsize > 2:
            return u
    else:
        u = multiply_add(u, high - low, low)
    x = u.astype(dtype.numpy, copy=False)
    low, high = (np.asarray(b).astype(dtype.numpy) for b in (low, high))
    return np.where(x == high, low, x)  # rounding must not reach the excluded bound


def _in_bulk(kind, words: int, unit) -> _bulk.Bulk:
    def transform(source, low, high):
        x = unit(source) * (high - low) + low
        return jnp.where(x == high, low, x)

    dtype = _dtypes.to_dtype(np.dtype(kind))

    def plain(engine, n, low, high):
        return _scaled(engine, dtype, low, high, n)

    return _bulk.Bulk(plain, transform, words, (kind(-0.3), kind(1.7)), worth=1 << 24)


_BULK = {np.dtype(f4): _in_bulk(f4, 1, _bulk.unit_floats), np.dtype(f8): _in_bulk(f8, 2, _bulk.unit_doubles)}


def _check_bounds(dtype, low: float, high: float) -> None:
    _stream.require_floating("check_uniform_bounds", dtype)
    limit = _stream.largest(dtype)
    for name, value in (("from", low), ("to", high)):
        if not -limit <= value <= limit:
            raise RuntimeError(f"{name} is out of bounds for {_stream.CPP_NAMES[dtype.name]}")
    low_text, high_text = _stream.number(low), _stream.number(high)
    if not low <= high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low_text} > to={high_text}")
    if high - low > limit:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{dtype.scalar_name}>::max(), but found to={high_text} "
            f"and from={low_text} which result in to-from to exceed the limit"
        )


def rand(engine, shape, dtype) -> np.ndarray:
    """Uniform on [0, 1), as ``torch.rand``."""
    return uniform(engine, shape, dtype)


def fractional_pool_samples(engine, batch: int, planes: int, spatial: int, dtype) -> np.ndarray:
    """The offsets that fractional max-pooling draws for itself. Shape: (batch, planes, spatial)."""
    return uniform(engine, (batch, planes, spatial), dtype)
