"""Integer draws: `randint`, `random_` for every dtype and range, and `randperm`.

PyTorch's page: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.random_.html
"""

from __future__ import annotations

import functools
import warnings

import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes
from funcgrad._draws import _bulk, _stream
from funcgrad._draws._cpu_program import CpuProgram
from funcgrad._draws._stream import u8
from funcgrad._dtypes import BOOL, COMPLEX, FLOATING

INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1
LONG_RANGE = 1 << 28  # from this range on, 64-bit draws keep the remainder's bias small
LONG_PERM = ((1 << 32) - 1) // 20  # the same for permutations
_WIDE = ("uint16", "uint32", "uint64")


def randint(engine, low: int, high: int, shape, dtype=_dtypes.int64) -> np.ndarray:
    """Integers on [low, high), as ``torch.randint``: the remainder of one word, or of two where the range is large."""
    return random(engine, shape, dtype, low, high)


@_stream.draw
def random(engine, shape, dtype, low: int | None = None, high: int | None = None) -> np.ndarray:
    """Discrete uniform draws of ``Tensor.random_``.

    With neither bound: all non-negative values of an integer dtype, ``[0, 2**digits]`` of a floating one. With `low`
    alone: from there to the largest value. With both: [low, high).

    Raises:
        RuntimeError: ``low >= high``, or a bound that `dtype` cannot hold.
        NotImplementedError: `dtype` has no such draw.
    """
    dtype, shape = _dtypes.to_dtype(dtype), tuple(shape)
    n = _stream.count(shape)
    if low is None and high is None:
        if not n:
            return np.empty(shape, dtype.numpy)
        return _natural(engine, n, dtype).reshape(shape)
    low = 0 if low is None else low
    if high is None and low == INT64_MIN:
        return _any_int64(engine, n, dtype).reshape(shape)
    low, span = _range(dtype, low, high)
    return _remainders(engine, n, dtype, low, span, span >= LONG_RANGE).reshape(shape)


def _remainders(engine, n: int, dtype, low: int, span: int, long: bool) -> np.ndarray:
    """``low + word % span`` in int64, cast to `dtype`."""
    base = np.int64(low)
    if not long and dtype is _dtypes.int64:
        out = _stream.empty(n, np.int64)
        _SHORT.fill(engine, out, np.uint32(span), base)
        return out

    def make(k: int) -> np.ndarray:
        if long:
            value = (engine.pairs(k) % u8(span) if span < 1 << 64 else engine.pairs(k)).view(np.int64)
        else:
            value = (engine.take(k) % np.uint32(span)).astype(np.int64)
        return _cast(value + base if low else value, dtype)

    return _stream.by_chunks(engine, n, dtype.numpy, make)


_SHORT = _bulk.Bulk(
    lambda engine, n, span, base: (engine.take(n) % span).astype(np.int64) + base,
    lambda words, span, base: (words % span).astype(jnp.int64) + base,
    words=1,
    parameters=(np.uint32(1000), np.int64(-5)),
    worth=1 << 24,
)


def _cast(x: np.ndarray, dtype) -> np.ndarray:
    return x != 0 if dtype.category == BOOL else _stream.narrow(x, dtype)


def _natural(engine, n: int, dtype) -> np.ndarray:
    if dtype.category == COMPLEX or dtype.name in _WIDE or (dtype.itemsize == 1 and dtype.is_floating_point):
        raise _stream.not_implemented("random_kernel_cpu", dtype)
    if dtype.category == FLOATING:
        span = (1 << _stream.DIGITS.get(dtype.name, 0)) + 1
    else:
        span = 2 if dtype.category == BOOL else np.iinfo(dtype.numpy).max + 1
    return _remainders(engine, n, dtype, 0, span, dtype.name in ("int64", "float64"))


def _any_int64(engine, n: int, dtype) -> np.ndarray:
    kernel = "random_full_64_bits_range_kernel_cpu"
    if n and (
        dtype.category in (BOOL, COMPLEX) or dtype.name in (*_WIDE, "float16") or dtype.name.startswith("float8")
    ):
        raise _stream.not_implemented(kernel, dtype)
    if n and dtype.name not in ("int64", "float64", "float32", "bfloat16"):
        raise RuntimeError(f"{kernel} handles only int64, double, float and bfloat16")
    return _stream.by_chunks(engine, n, dtype.numpy, lambda k: _cast(engine.pairs(k).view(np.int64), dtype))


# -- ranges -----------------------------------------------------------------------------------------------------------


def _range(dtype, low: int, high: int | None) -> tuple[int, int]:
    """The first value and the number of values, after PyTorch's adjustments to what a floating dtype can hold."""
    floating = dtype.category == FLOATING
    if high is not None and not low < high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    if floating:
        _stream.require_floating("random_from_to_range_calc" if high is None else "random_update_from_to", dtype)
    if high is not None:
        if floating:
            low, high = _first_held(low, dtype), _last_held(high, dtype)
            if not low < high:
                raise RuntimeError(
                    "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but got "
                    f"from={low} >= to={high}"
                )
        _check_range(dtype, low, high - 1)
        return low, high - low
    if dtype.category == COMPLEX:
        raise RuntimeError("random_from_to_impl handles only integral, floating-point and boolean types")
    if floating:
        last = 1 << _stream.DIGITS[dtype.name]
        low = _first_held(low, dtype)
        if not low < last:
            raise RuntimeError(
                "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted to dtype, but got "
                f"from={low} > to_inc={last}"
            )
    else:
        last = 1 if dtype.category == BOOL else int(np.iinfo(dtype.numpy).max)
        if dtype.name == "uint64":
            last = -1  # its largest value, seen as int64
    _check_range(dtype, low, last)
    return low, (last - low + 1) % (1 << 64)


def _check_range(dtype, low: int, last: int) -> None:
    if dtype.category == COMPLEX:
        raise RuntimeError("check_random_bounds handles only integral, floating-point and boolean types")
    name = _stream.CPP_NAMES[dtype.name]
    if dtype.category == FLOATING:
        bound = _stream.largest(dtype)
        limits = -bound, bound
    elif dtype.category == BOOL:
        limits = 0, 1
    else:
        info = np.iinfo(dtype.numpy)
        limits = int(info.min), min(int(info.max), INT64_MAX)
    for label, value in (("from", low), ("to - 1", last)):
        if not limits[0] <= value <= limits[1]:
            raise RuntimeError(f"{label} is out of bounds for {name}")
    if dtype.category == FLOATING:
        digits = _stream.DIGITS[dtype.name]
        for label, value in (("from", low), ("to - 1", last)):
            if abs(value) > 1 << digits:
                warnings.warn(
                    f"{label} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision limitations {name} can "
                    "support discrete uniform distribution only within this range. This warning will become an error "
                    "in version 1.7 release, please fix the code in advance",
                    UserWarning,
                    stacklevel=6,
                )


def _held(value: int, dtype) -> int:
    """`value` rounded to what `dtype` can hold."""
    rounded = float(_stream.narrow(np.array(value, np.int64), dtype))
    return int(rounded) if abs(rounded) < 1 << 63 else INT64_MIN  # which is what x86 makes of the others


def _first_held(low: int, dtype) -> int:
    """`low`, or where rounding could bring a draw below it, the next value up that `dtype` holds."""
    rounded = _held(low + 1, dtype)
    return low if rounded >= low else rounded + _spacing(low + 1, dtype)


def _last_held(high: int, dtype) -> int:
    rounded = _held(high - 1, dtype)
    return high if rounded < high else rounded - _spacing(high - 1, dtype)


def _spacing(value: int, dtype) -> int:
    shift = abs(value).bit_length() - _stream.DIGITS[dtype.name]
    return 1 << shift if shift >= 0 else 0


# -- permutations -----------------------------------------------------------------------------------------------------


@_stream.draw
def randperm(engine, n: int, dtype=_dtypes.int64) -> np.ndarray:
    """A random permutation of ``0 .. n - 1``.

    Below 214,748,364 elements: for each place i but the last, a swap with place ``i + word % (n - i)``. From there on:
    for each i, a swap with place ``word % (i + 1)``, the words of 64 bits.

    Raises:
        RuntimeError: `n` is negative or more than `dtype` can hold.
        NotImplementedError: `dtype` is bool, complex or wide unsigned.
    """
    dtype = _dtypes.to_dtype(dtype)
    _check_perm(n, dtype)
    if n < 2:
        return np.arange(n).astype(dtype.numpy)
    if n >= LONG_PERM:
        return _inside_out(engine, n, dtype)
    words = engine.take(n - 1)
    size = max(n.bit_length(), _LEAST_BITS)
    if n > _LOOP and (run := _swaps(size).after(n)) is not None:
        padded = np.zeros(1 << size, np.uint32)
        padded[: n - 1] = words
        return _stream.narrow(np.asarray(run(padded, np.int32(n)))[:n], dtype)
    offsets = (words % np.arange(n, 1, -1, dtype=np.uint32)).astype(np.int64)
    swap = _swap_by_loop if n < 300 else _swap_by_sort
    return _stream.narrow(swap(offsets), dtype)


def _check_perm(n: int, dtype) -> None:
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    if dtype.category in (BOOL, COMPLEX) or dtype.name in _WIDE:
        raise _stream.not_implemented("randperm", dtype)
    if dtype.name in _PERM_LARGEST:
        most, text = _PERM_LARGEST[dtype.name]
        if n > most:
            raise RuntimeError(f"n cannot be greater than {text} for {dtype.scalar_name} type.")
    elif not dtype.is_floating_point and n - 1 > np.iinfo(dtype.numpy).max:
        raise RuntimeError(f"value cannot be converted to type {_PERM_NAMES[dtype.name]} without overflow")


_PERM_LARGEST = {"float16": (2049, "2049"), "float32": ((1 << 24) + 1, "2^24+1"), "float64": ((1 << 53) + 1, "2^53+1")}
_PERM_NAMES = {"uint8": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int"}


_LEAST_BITS, _LOOP = 12, 64


@functools.cache
def _swaps(bits: int) -> CpuProgram:
    """The swaps one after the other for permutations of up to ``2**bits`` elements: 4 ns each while they fit the cache."""
    size = 1 << bits

    def swaps(words, n):
        def step(i, carry):
            # the write of the step before comes first: an array that is read and then written would be copied
            places, result, j, value = carry
            places = lax.dynamic_update_slice(places, value[None], (j,))
            j = i + (words[i] % (n - i).astype(jnp.uint32)).astype(jnp.int32)
            result = lax.dynamic_update_slice(result, places[j].astype(jnp.int64)[None], (i,))
            return places, result, j, places[i]

        zero = np.int32(0)
        start = jnp.arange(size, dtype=jnp.int32), jnp.zeros(size, jnp.int64), zero, zero
        return lax.fori_loop(zero, n, step, start)[1]

    # elements: 0.15 s of the forms below
    return CpuProgram(swaps, [((size,), np.uint32), ((), np.int32)], worth=1 << 20)


def _swap_by_loop(offsets: np.ndarray) -> np.ndarray:
    result = list(range(len(offsets) + 1))
    for i, k in enumerate(offsets.tolist()):
        if k:
            result[i], result[i + k] = result[i + k], result[i]
    return np.array(result)


def _swap_by_sort(offsets: np.ndarray) -> np.ndarray:
    """All swaps (i, j) with j = i + offset at once, 4 to 8 times faster than the loop.

    Step i makes place i final: it gets what place j held. What place p holds just before step t is what the last
    earlier step m with that j left there, which is what place m held before step m, and so on back to a place that no
    step had touched, which holds its own index. So each step points to one earlier step, and following the pointers
    to the end (doubling the stride each time) gives all the values.
    """
    n = len(offsets) + 1
    steps = np.arange(n)
    places = steps.copy()
    places[:-1] += offsets
    bits = n.bit_length()
    keys = np.sort((places << bits) | steps)  # by place, then by step
    step = keys & ((1 << bits) - 1)
    again = np.flatnonzero((keys[1:] ^ keys[:-1]) >> bits == 0)
    root = steps.copy()  # the place whose first value is at place k just before step k
    moved = np.flatnonzero(offsets)
    root[places[moved]] = moved  # of several steps the last one counts
    while True:
        further = root[root]
        if np.array_equal(further, root):
            break
        root = further
    result = np.where(places == steps, root, places)
    follow = step[again + 1]
    earlier = step[again]
    result[follow] = np.where(places[follow] == follow, root[follow], root[earlier])
    return result


def _inside_out(engine, n: int, dtype) -> np.ndarray:
    """Swaps of each i with an earlier place, a chunk at a time.

    A swap whose two places no other swap of the chunk touches can be done at once with its like; the few others (a
    chunk is small against its place) follow one by one.
    """
    result = np.arange(n).astype(dtype.numpy)
    start = 0
    while start < n:
        size = min(max(64, min(start >> 6, _stream.CHUNK)), n - start)
        steps = np.arange(start, start + size)
        places = (engine.pairs(size) % (steps + 1).view(u8)).view(np.int64)
        order = np.argsort(places, kind="stable")
        twice = places[order[1:]] == places[order[:-1]]
        alone = places < start
        alone[order[1:][twice]] = alone[order[:-1][twice]] = False
        alone[places[places >= start] - start] = False
        one, other = steps[alone], places[alone]
        result[one], result[other] = result[other], result[one]
        for i, j in zip(steps[~alone].tolist(), places[~alone].tolist()):
            result[i], result[j] = result[j], result[i]
        start += size
    return result
