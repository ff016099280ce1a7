"""Sobol' sequences: direction numbers, scrambling and points, as NumPy arrays.

The primitive polynomials and the initial direction numbers are Joe and Kuo's table ``new-joe-kuo-6.21201`` (licence in
``joe_kuo_licence.txt``), packed into ``joe_kuo.npz``: the polynomials as steps from one to the next, and for each
degree the numbers m_1, m_2, ... of its polynomials, m_i in i bits, low bit first.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

BITS = 30
LARGEST = 21201  # dimensions that the table has
_TABLE = Path(__file__).with_name("joe_kuo.npz")


@functools.lru_cache(maxsize=8)
def directions(dimension: int) -> np.ndarray:
    """The direction numbers ``v_j = m_j 2**(29 - j)`` of the first `dimension` dimensions; do not write to it.

    Shape: (dimension, 30), int64.
    """
    numbers = np.ones((dimension, BITS), np.int64)
    with np.load(_TABLE) as table:
        polynomials = np.cumsum(table["steps"][:dimension], dtype=np.int64)
        degrees = np.frexp(polynomials)[1] - 1
        for degree in range(1, int(degrees.max()) + 1):
            rows = np.flatnonzero(degrees == degree)
            numbers[rows] = _extended(_unpacked(table[f"m{degree}"], degree, len(rows)), polynomials[rows], degree)
    return numbers << np.arange(BITS - 1, -1, -1)


def _unpacked(packed: np.ndarray, degree: int, rows: int) -> np.ndarray:
    width = degree * (degree + 1) // 2
    bits = np.unpackbits(packed)[: rows * width].reshape(rows, width).astype(np.int64)
    ends = np.cumsum(np.arange(degree + 1))
    return np.stack([bits[:, ends[i] : ends[i + 1]] @ (1 << np.arange(i + 1)) for i in range(degree)], 1)


def _extended(first: np.ndarray, polynomials: np.ndarray, degree: int) -> np.ndarray:
    """All thirty numbers: ``m_j = m_{j-s} ^ 2**s m_{j-s} ^ (2**k a_k m_{j-k} for each coefficient a_k)``."""
    m = np.empty((len(first), BITS), np.int64)
    m[:, :degree] = first
    for j in range(degree, BITS):
        value = m[:, j - degree] ^ (m[:, j - degree] << degree)
        for k in range(1, degree):
            value = value ^ (((polynomials >> (degree - k)) & 1) * m[:, j - k] << k)
        m[:, j] = value
    return m


def scrambled(state: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Direction numbers multiplied, as bit vectors, by lower triangular 0-1 matrices with ones on the diagonal.

    Args:
        state: direction numbers. Shape: (dimension, 30).
        matrices: only what is below the diagonal counts. Shape: (dimension, 30, 30).
    """
    lower = np.tril(matrices, -1) + np.eye(BITS, dtype=np.int64)
    rows = lower @ (1 << np.arange(BITS - 1, -1, -1, dtype=np.int64))
    result = np.zeros_like(state)
    for p in range(BITS):
        odd = np.bitwise_count(rows[:, p, None] & state) & 1
        result |= odd.astype(np.int64) << (BITS - 1 - p)
    return result


def points(state: np.ndarray, quasi: np.ndarray, n: int, generated: int, dtype: np.dtype):
    """The next `n` points after `generated` of them, and the integers of the last one.

    Shape: (n, dimension) and (dimension,).
    """
    if n <= 0:
        return np.empty((0, len(state)), dtype), quasi
    flips = state.T[_lowest_zero(np.arange(generated, generated + n))]
    flips[0] ^= quasi
    integers = np.bitwise_xor.accumulate(flips, 0)
    return unit(integers, dtype), integers[-1].copy()


def _lowest_zero(index: np.ndarray) -> np.ndarray:
    """The position of each number's lowest zero bit."""
    return np.bitwise_count(index & ~(index + 1))


def skipped(state: np.ndarray, quasi: np.ndarray, n: int, generated: int) -> np.ndarray:
    """The integers after `n` more points: those of the bits in which the Gray codes of the two counts differ."""
    if n <= 0:
        return quasi
    last = generated + n
    differ = (generated ^ (generated >> 1)) ^ (last ^ (last >> 1))
    for bit in range(differ.bit_length()):
        if differ >> bit & 1:
            quasi = quasi ^ state[:, bit]
    return quasi


def unit(integers: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Integers of 30 bits as numbers in [0, 1)."""
    return integers.astype(dtype) * np.asarray(2.0**-BITS, dtype)
