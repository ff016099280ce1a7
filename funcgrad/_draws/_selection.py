"""The indices of the largest values in the order in which PyTorch's CPU `topk` gives them, ties included.

Among equal values the order is whatever the C++ library's selection leaves: heap selection where few of many are
wanted, else quick selection by medians of three and a sort of the same kind (heaps again where the splits are bad).
Without ties any sort gives the same, so only rows that have some are taken through those steps here.
"""

from __future__ import annotations

import numpy as np

_FEW = 64  # times as many values as wanted: heap selection
_SMALL = 16  # values that are sorted by insertion


def largest(rows: np.ndarray, k: int) -> np.ndarray:
    """Indices of the `k` largest values of each row, NaN counting as the largest. Shape: (rows, k)."""
    keys = -rows.astype(np.float64)
    keys[np.isnan(keys)] = -np.inf
    order = np.argsort(keys, axis=1, kind="stable")
    first = np.take_along_axis(keys, order[:, : k + 1], 1)
    for row in np.flatnonzero((first[:, 1:] == first[:, :-1]).any(1)):
        order[row, :k] = _selected(keys[row].tolist(), k)
    return order[:, :k]


def _selected(keys: list[float], k: int) -> list[int]:
    items = list(zip(keys, range(len(keys))))
    if k * _FEW <= len(items):
        _partial_sort(items, 0, k, len(items))
    else:
        _nth_element(items, k - 1)
        _sort(items, k - 1)
    return [index for _, index in items[:k]]


# -- quick selection and sorting --------------------------------------------------------------------------------------


def _nth_element(q: list, nth: int) -> None:
    first, last, depth = 0, len(q), 2 * (len(q).bit_length() - 1)
    while last - first > 3:
        if not depth:
            _heap_select(q, first, nth + 1, last)
            q[first], q[nth] = q[nth], q[first]
            return
        depth -= 1
        cut = _partition(q, first, last)
        first, last = (cut, last) if cut <= nth else (first, cut)
    _insertion_sort(q, first, last)


def _sort(q: list, n: int) -> None:
    if n < 1:
        return
    _quick_sort(q, 0, n, 2 * (n.bit_length() - 1))
    _insertion_sort(q, 0, min(n, _SMALL))
    for i in range(_SMALL, n):
        _insert(q, i)


def _quick_sort(q: list, first: int, last: int, depth: int) -> None:
    while last - first > _SMALL:
        if not depth:
            _partial_sort(q, first, last, last)
            return
        depth -= 1
        cut = _partition(q, first, last)
        _quick_sort(q, cut, last, depth)
        last = cut


def _partition(q: list, first: int, last: int) -> int:
    """Split around the median of the second, middle and last value, moved to the front."""
    a, b, c = first + 1, first + (last - first) // 2, last - 1
    x, y, z = q[a][0], q[b][0], q[c][0]
    if x < y:
        median = b if y < z else c if x < z else a
    else:
        median = a if x < z else c if y < z else b
    q[first], q[median] = q[median], q[first]
    pivot, low, high = q[first][0], first + 1, last
    while True:
        while q[low][0] < pivot:
            low += 1
        high -= 1
        while pivot < q[high][0]:
            high -= 1
        if low >= high:
            return low
        q[low], q[high] = q[high], q[low]
        low += 1


def _insertion_sort(q: list, first: int, last: int) -> None:
    for i in range(first + 1, last):
        if q[i][0] < q[first][0]:
            q.insert(first, q.pop(i))
        else:
            _insert(q, i)


def _insert(q: list, i: int) -> None:
    place = i
    while q[i][0] < q[place - 1][0]:
        place -= 1
    q.insert(place, q.pop(i))


# -- heaps, the last in order on top ----------------------------------------------------------------------------------


def _partial_sort(q: list, first: int, middle: int, last: int) -> None:
    _heap_select(q, first, middle, last)
    for end in range(middle - 1, first, -1):
        _replace_top(q, first, end, end)


def _heap_select(q: list, first: int, middle: int, last: int) -> None:
    size = middle - first
    for parent in range((size - 2) // 2, -1, -1):
        _sink(q, first, parent, size, q[first + parent])
    for i in range(middle, last):
        if q[i][0] < q[first][0]:
            _replace_top(q, first, middle, i)


def _replace_top(q: list, first: int, end: int, i: int) -> None:
    """Swap the top of the heap ``q[first:end]`` with ``q[i]`` and put the heap in order."""
    item, q[i] = q[i], q[first]
    _sink(q, first, 0, end - first, item)


def _sink(q: list, first: int, hole: int, size: int, item) -> None:
    """Let the hole go down to a leaf along the later children, then `item` up from there."""
    top, child = hole, hole
    while child < (size - 1) // 2:
        child = 2 * (child + 1)
        if q[first + child][0] < q[first + child - 1][0]:
            child -= 1
        q[first + hole], hole = q[first + child], child
    if size % 2 == 0 and child == (size - 2) // 2:
        child = 2 * child + 1
        q[first + hole], hole = q[first + child], child
    parent = (hole - 1) // 2
    while hole > top and q[first + parent][0] < item[0]:
        q[first + hole], hole = q[first + parent], parent
        parent = (hole - 1) // 2
    q[first + hole] = item
