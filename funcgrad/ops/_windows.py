"""Sliding windows over the spatial (last) axes: size arguments, output sizes, and the windows themselves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from jax import lax

from funcgrad.ops._number import Array


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int = 1, ceil_mode: bool = False) -> int:
    """How many windows fit, with `padding` in all; `ceil_mode` counts a last one that starts inside but ends outside.

    PyTorch's rule for `ceil_mode`: the last window must start inside the input or its left padding, which is taken to
    be half of `padding`.
    """
    span = size + padding - dilation * (kernel - 1) - 1
    count = (span + (stride - 1 if ceil_mode else 0)) // stride + 1
    if ceil_mode and (count - 1) * stride >= size + padding // 2:
        count -= 1
    return count


def pad_last(x: Array, padding: tuple[tuple[int, int], ...], value=0) -> Array:
    """`x` padded (cropped where negative) along its last ``len(padding)`` axes."""
    if not any(itertools.chain(*padding)):
        return x
    lead = [(0, 0, 0)] * (x.ndim - len(padding))
    return lax.pad(x, lax.full((), value, x.dtype), lead + [(lo, hi, 0) for lo, hi in padding])


def window(x: Array, axis: int, start: int, count: int, stride: int) -> Array:
    """Elements ``start, start + stride, ...`` of `x` along `axis`, `count` of them."""
    return lax.slice_in_dim(x, start, start + (count - 1) * stride + 1, stride, axis)


def taps(x: Array, kernel, counts, stride, dilation) -> Iterator[tuple[tuple[int, ...], Array]]:
    """For each position in the kernel, the elements of `x` under it in every window: (position, array).

    The windows slide over the last axes of `x`, which is padded already.
    """
    lead = x.ndim - len(kernel)
    for position in itertools.product(*map(range, kernel)):
        part = x
        for i, k in enumerate(position):
            part = window(part, lead + i, k * dilation[i], counts[i], stride[i])
        yield position, part
