"""What the draws share: the engine's words as numbers, dtypes, and PyTorch's complaints about them."""

from __future__ import annotations

import functools
import math

import numpy as np

from funcgrad import _dtypes
from funcgrad._dtypes import COMPLEX, FLOATING

f4, f8, u4, u8 = np.float32, np.float64, np.uint32, np.uint64
CHUNK = 624 * 104  # elements handled at a time, so that temporaries stay in the cache: whole blocks of the generator

_MASK24, _MASK53 = u4((1 << 24) - 1), u8((1 << 53) - 1)
CPP_NAMES = {
    "bool": "bool", "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int32": "int",
    "int64": "long int", "uint16": "short unsigned int", "uint32": "unsigned int", "uint64": "long unsigned int",
    "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float", "float64": "double",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip
DIGITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
_LARGEST = {"float16": 65504.0, "bfloat16": float.fromhex("0x1.fep127"), "float32": float(np.finfo(f4).max)}


def draw(function):
    """A draw holds its engine's lock from its first word to its last; an engine that has no words makes it itself."""

    @functools.wraps(function)
    def locked(engine, *args, **kwargs):
        with engine.lock:
            if hasattr(engine, "draw"):
                return engine.draw(locked, args, kwargs)
            return function(engine, *args, **kwargs)

    return locked


# -- words as numbers -------------------------------------------------------------------------------------------------


def chunks(n: int, size: int = CHUNK):
    """Slices of at most `size` that cover ``range(n)``."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def unit_floats(engine, n: int) -> np.ndarray:
    """`n` float32 uniforms in [0, 1): 24 bits of one word each."""
    return (engine.take(n) & _MASK24).view(np.int32).astype(f4) * f4(2.0**-24)


def integers53(engine, n: int) -> np.ndarray:
    """The low 53 bits of `n` 64-bit draws."""
    return engine.pairs(n) & _MASK53


def unit_doubles(engine, n: int) -> np.ndarray:
    """`n` float64 uniforms in [0, 1): 53 bits of two words each."""
    return integers53(engine, n).view(np.int64) * 2.0**-53


_ALIGNED = 64  # bytes, at which XLA takes an array as it lies; elsewhere it copies: 20 ms for 10**7 floats


def empty(n: int, dtype) -> np.ndarray:
    """A flat array to be filled, aligned as XLA likes it."""
    dtype = np.dtype(dtype)
    if n < CHUNK:
        return np.empty(n, dtype)
    memory = np.empty(n * dtype.itemsize + _ALIGNED, np.uint8)
    start = -memory.ctypes.data % _ALIGNED
    return memory[start : start + n * dtype.itemsize].view(dtype)


def by_chunks(engine, n: int, dtype: np.dtype, make) -> np.ndarray:
    """A flat array filled by ``make(count)``, a cache-sized piece at a time."""
    if n <= CHUNK:
        return make(n).astype(dtype, copy=False)
    out = empty(n, dtype)
    for piece in chunks(n):
        out[piece] = make(piece.stop - piece.start)
    return out


# -- dtypes -----------------------------------------------------------------------------------------------------------


def count(shape) -> int:
    return math.prod(shape)


def narrow(x: np.ndarray, dtype: _dtypes.dtype) -> np.ndarray:
    """A float64 (or integer) array as `dtype`; the 16-bit types are reached through float32, as in C++."""
    if dtype.itemsize == 2 and dtype.is_floating_point:
        x = x.astype(f4)
    return x.astype(dtype.numpy, copy=False)


def largest(dtype: _dtypes.dtype) -> float:
    return _LARGEST.get(dtype.name, float(np.finfo(f8).max))


def real_view(dtype, shape) -> tuple[_dtypes.dtype, tuple[int, ...], bool]:
    """The dtype and shape to draw for a target: a complex one is drawn as pairs of reals."""
    dtype, shape = _dtypes.to_dtype(dtype), tuple(shape)
    if dtype.category == COMPLEX:
        return dtype.to_real(), (*shape, 2), True
    return dtype, shape, False


def as_complex(x: np.ndarray, is_complex: bool) -> np.ndarray:
    if not is_complex:
        return x
    dtype = np.complex64 if x.dtype == f4 else np.complex128
    return x.view(dtype).reshape(x.shape[:-1])


def not_implemented(kernel: str, dtype: _dtypes.dtype) -> NotImplementedError:
    return NotImplementedError(f"\"{kernel}\" not implemented for '{dtype.scalar_name}'")


def require_floating(kernel: str, dtype: _dtypes.dtype) -> None:
    if dtype.category != FLOATING or dtype.itemsize == 1:
        raise not_implemented(kernel, dtype)


def number(x: float) -> str:
    """A number as C++ prints a double."""
    return f"{x:g}"


# -- one at a time ----------------------------------------------------------------------------------------------------


def one_by_one(engine, guess: int):
    """An iterator over float64 uniforms that takes from the engine exactly what is used.

    `guess` is how many may be needed; they are looked at in blocks of at most 4096.
    """
    block = min(max(guess, 8), 4096)
    while True:
        ahead = engine.peek(2 * block)
        words = ahead.astype(u8)
        values = ((words[::2] << u8(32)) | words[1::2]) & _MASK53
        for value in (values.view(np.int64) * 2.0**-53).tolist():
            engine.skip(2)
            yield value
