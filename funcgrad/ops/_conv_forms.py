"""The ways to write a convolution in XLA, and which one is used for what.

XLA's speed on the CPU depends on the way, and differs between a convolution and its two gradients. Milliseconds on two
cores of an AMD EPYC, float32, forward / gradient by input / gradient by weight, smallest of 15 to 40 runs that take
turns (``benchmarks/lowering.py`` repeats them); `direct` is `lax.conv_general_dilated` on channels-last arrays, 0 to
40 % faster than channels-first:

    input, weight, stride                            direct                by columns          other
    [64, 1, 28, 28], [6, 1, 5, 5]                 0.9 /  3.3 / 0.7      0.4 / 0.7 / 1.0
    [64, 3, 32, 32], [16, 3, 3, 3]                2.1 /  2.9 / 1.1      0.9 / 0.8 / 2.5
    [64, 6, 14, 14], [16, 6, 5, 5]                0.4 /  1.1 / 0.5      0.4 / 0.7 / 0.8
    [64, 16, 32, 32], [16, 16, 3, 3]              3.7 /  2.9 / 4.5      8.2 / 5.8 /  12
    [64, 32, 16, 16], [32, 32, 3, 3]              2.3 /  2.4 / 4.3      4.4 / 3.0 / 6.0
    [32, 64, 28, 28], [128, 64, 1, 1]             7.1 /  8.0 / 8.7      3.4 / 5.3 / 3.6
    [32, 32, 16, 16], [32, 1, 3, 3], groups 32    6.4 /  9.3 / 2.6      1.0 / 0.7 / 1.9     0.3 / 0.1 / 1.8 by taps, shifts
    [16, 128, 14, 14], [128, 1, 7, 7], 128         22 /   33 /  19       11 /  32 /  10     1.0 / 1.0 / 7.3 by taps, shifts
    [8, 128, 28, 28], [128, 4, 3, 3], groups 32    15 /   15 / 1938     6.1 / 4.1 / 7.8
    [16, 64, 32, 32], [64, 16, 3, 3], groups 4      -                8.6 / 6.0 /  13     4.8 / 5.0 / 6.3 by groups
    [16, 64, 32, 32], [64, 4, 3, 3], groups 16      -                7.0 / 5.7 /  12      12 /  12 / 6.5 by groups
    [2, 32, 8, 28, 28], [32, 32, 3, 3, 3]          52 /   26 /  50       17 /  66 /  12     4.7 / 5.0 / 6.4 by depth
    [2, 16, 8, 28, 28], [32, 16, 3, 3, 3], 2      2.5 /  248 / 8.3      1.0 / 3.2 / 1.1     0.6 / 0.7 / 0.6 by depth

In whole training steps: two bottleneck blocks with 1x1 convolutions 145 -> 61 ms, two MobileNet blocks 184 -> 57 ms,
LeNet 9.1 -> 6.8 ms. Shifted multiply-adds are fastest for one channel alone (0.15 ms), but not in a network: XLA
fuses them into every reader and computes them again for each.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from funcgrad.ops._number import Array
from funcgrad.ops._windows import output_size, pad_last, taps, window

FEW_TERMS = 32
FEW_CHANNELS = 8
MANY_GROUPS = 32
MANY_TAPS = 64
LARGE = 2**26


class Geometry(NamedTuple):
    """How the windows of a convolution lie; one item for each spatial dimension, and the number of groups."""

    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int

    def counts(self, x: Array, w: Array) -> tuple[int, ...]:
        """The spatial sizes of the result."""
        sizes = zip(x.shape[2:], w.shape[2:], self.stride, self.padding, self.dilation)
        return tuple(output_size(n, k, s, sum(p), d) for n, k, s, p, d in sizes)


def direct(x: Array, w: Array, g: Geometry) -> Array:
    """XLA's convolution, channels last."""
    letters = "DHW"[5 - x.ndim :]
    y = lax.conv_general_dilated(
        jnp.moveaxis(x, 1, -1),
        jnp.moveaxis(w, (1, 0), (-2, -1)),
        g.stride,
        g.padding,
        rhs_dilation=g.dilation,
        dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
        feature_group_count=g.groups,
    )
    return jnp.moveaxis(y, -1, 1)


def by_columns(x: Array, w: Array, g: Geometry) -> Array:
    """The windows copied into the columns of a matrix, which the weight multiplies.

    Channels come before the batch, so that the product is one matrix; for a 1x1 kernel there is nothing to copy.
    """
    counts = g.counts(x, w)
    padded = jnp.swapaxes(pad_last(x, g.padding), 0, 1)
    parts = [part for _, part in taps(padded, w.shape[2:], counts, g.stride, g.dilation)]
    flat = (g.groups, w.shape[0] // g.groups, -1)
    if len(parts) * math.prod(parts[0].shape) > LARGE and g.groups > 1:
        weights = w.reshape(*w.shape[:2], -1)
        columns = [part.reshape(g.groups, w.shape[1], -1) for part in parts]
        y = sum(_grouped_dot(weights[:, :, i].reshape(flat), column) for i, column in enumerate(columns))
    else:
        y = _grouped_dot(w.reshape(flat), jnp.stack(parts, 1).reshape(g.groups, w[0].size, -1))
    return jnp.swapaxes(y.reshape(w.shape[0], x.shape[0], *counts), 0, 1)


def _grouped_dot(a: Array, b: Array) -> Array:
    if a.shape[0] == 1:
        return (a[0] @ b[0])[None]
    return lax.dot_general(a, b, (((2,), (1,)), ((0,), (0,))))


def by_taps(x: Array, w: Array, g: Geometry) -> Array:
    """A depthwise convolution as a sum of shifted inputs, each times its weights."""
    padded = pad_last(x, g.padding)
    repeats = w.shape[0] // g.groups
    padded = jnp.repeat(padded, repeats, 1) if repeats > 1 else padded
    y = None
    for position, part in taps(padded, w.shape[2:], g.counts(x, w), g.stride, g.dilation):
        term = part * w[(slice(None), 0, *position)].reshape(-1, *[1] * len(position))
        y = term if y is None else y + term
    return y


def by_shifts(x: Array, w: Array, g: Geometry) -> Array:
    """As `by_taps`, each product moved to its place instead: the form whose transpose is fast.

    The gradient by the input of the first convolution with 64 groups in ``benchmarks/ops.py``: 0.5 ms, by taps 2.1.
    """
    repeats = w.shape[0] // g.groups
    x = jnp.repeat(x, repeats, 1) if repeats > 1 else x
    spans = [(k - 1) * d for k, d in zip(w.shape[2:], g.dilation)]
    whole, zero = None, jnp.zeros((), x.dtype)
    for position in itertools.product(*map(range, w.shape[2:])):
        edges = [(span - k * d, k * d, 0) for span, k, d in zip(spans, position, g.dilation)]
        term = x * w[(slice(None), 0, *position)].reshape(-1, *[1] * len(position))
        term = lax.pad(term, zero, [(0, 0, 0), (0, 0, 0), *edges])
        whole = term if whole is None else whole + term
    cut = [(lo - span, hi - span, 0) for span, (lo, hi) in zip(spans, g.padding)]
    whole = lax.pad(whole, zero, [(0, 0, 0), (0, 0, 0), *cut])
    return lax.slice(whole, (0,) * x.ndim, whole.shape, (1, 1, *g.stride))


def depth_stacked(x: Array, w: Array, g: Geometry) -> Array:
    """A convolution in three dimensions as one in two, whose channels are those of all depths under the kernel."""
    n, c, _, *plane = x.shape
    depth, *counts = g.counts(x, w)
    padded = jnp.moveaxis(pad_last(x, (g.padding[0], (0, 0), (0, 0))), 1, -1)
    layers = [window(padded, 1, k * g.dilation[0], depth, g.stride[0]) for k in range(w.shape[2])]
    y = lax.conv_general_dilated(
        jnp.concatenate(layers, -1).reshape(n * depth, *plane, c * w.shape[2]),
        w.transpose(3, 4, 2, 1, 0).reshape(*w.shape[3:], -1, w.shape[0]),
        g.stride[1:],
        g.padding[1:],
        rhs_dilation=g.dilation[1:],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return jnp.moveaxis(y.reshape(n, depth, *counts, -1), -1, 1)


def by_groups(x: Array, w: Array, g: Geometry) -> Array:
    """A convolution for each group."""
    form = depth_stacked if x.ndim == 5 else direct
    parts = zip(jnp.split(x, g.groups, 1), jnp.split(w, g.groups, 0))
    return jnp.concatenate([form(*part, g._replace(groups=1)) for part in parts], 1)


def choose(x_shape: tuple[int, ...], w_shape: tuple[int, ...], g: Geometry) -> tuple:
    """The forms of a convolution, of its gradient by the input and of its gradient by the weight."""
    if jax.default_backend() != "cpu":
        return direct, direct, direct
    kernel, (out_channels, channels) = math.prod(w_shape[2:]), w_shape[:2]
    whole = depth_stacked if len(x_shape) == 5 else direct
    if g.groups > 1 and channels == 1 and kernel <= MANY_TAPS:
        return by_taps, by_shifts, by_taps
    if kernel == 1 or (g.groups > MANY_GROUPS and channels < FEW_CHANNELS):
        return by_columns, by_columns, by_columns
    if g.groups > 1:
        return (by_columns, by_columns, by_groups) if channels < FEW_CHANNELS else (by_groups, by_groups, by_groups)
    if channels * kernel <= FEW_TERMS:
        return by_columns, by_columns, whole
    # Where padding makes the result larger than the input, XLA's gradient by the weight takes 166 ms instead of 2.7.
    grows = any(sum(p) > d * (k - 1) for p, d, k in zip(g.padding, g.dilation, w_shape[2:]))
    by_input = by_columns if channels < FEW_CHANNELS < out_channels else whole
    return whole, by_input, by_columns if grows else whole


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def convolve(x: Array, w: Array, geometry: Geometry) -> Array:
    """Cross-correlation of ``[N, C, *]`` with ``[O, C / groups, *]``, each derivative in the form chosen for it."""
    return choose(x.shape, w.shape, geometry)[0](x, w, geometry)


@convolve.defjvp
def _(geometry, primals, tangents):
    x, w = primals
    _, by_input, by_weight = choose(x.shape, w.shape, geometry)
    # A gradient is the transpose of the tangent, so the form of the tangent decides how the gradient is computed.
    return convolve(x, w, geometry), by_input(tangents[0], w, geometry) + by_weight(x, tangents[1], geometry)


def convolve_transposed(x: Array, w: Array, geometry: Geometry, sizes: tuple[int, ...]) -> Array:
    """The gradient by its input, at `x`, of a convolution whose input has spatial `sizes`."""
    if not jnp.issubdtype(x.dtype, jnp.inexact):  # JAX transposes no function of integers
        return _by_placing(x, w, geometry, sizes)
    if max(geometry.stride) > 1 == max(geometry.dilation):
        return _by_phases(x, w, geometry, sizes)
    channels = w.shape[1] * geometry.groups
    target = jax.ShapeDtypeStruct((x.shape[0], channels, *sizes), x.dtype)
    form = choose(target.shape, w.shape, geometry)[1]
    return jax.linear_transpose(lambda t: form(t, w, geometry), target)(x)[0]


def _by_phases(x: Array, w: Array, g: Geometry, sizes: tuple[int, ...]) -> Array:
    """A transposed convolution as one of stride 1 that computes ``prod(stride)`` neighbouring results at each point.

    The gradient by the weight of [16, 64, 32, 32], [64, 32, 2, 2], stride 2 takes 4.3 ms so, 156 by XLA's own.
    """
    n = len(sizes)
    taps = [-(-k // s) for k, s in zip(w.shape[2:], g.stride)]
    w = pad_last(w, tuple((0, t * s - k) for t, s, k in zip(taps, g.stride, w.shape[2:])))
    # [groups, C, O, taps, stride, taps, stride] to [groups, O, stride, stride, C, taps, taps], the taps reversed
    w = w.reshape(g.groups, -1, w.shape[1], *[size for pair in zip(taps, g.stride) for size in pair])
    w = w.transpose(0, 2, *range(4, 4 + 2 * n, 2), 1, *range(3, 3 + 2 * n, 2))
    out_channels, channels = w.shape[0] * w.shape[1], w.shape[2 + n]
    w = jnp.flip(w, range(-n, 0)).reshape(-1, channels, *taps)
    plain = Geometry((1,) * n, tuple((t - 1, t - 1) for t in taps), (1,) * n, g.groups)
    y = convolve(x, w, plain)
    counts = y.shape[2:]
    y = y.reshape(x.shape[0], out_channels, *g.stride, *counts)
    y = y.transpose(0, 1, *[axis for i in range(n) for axis in (2 + n + i, 2 + i)])
    y = y.reshape(x.shape[0], out_channels, *[q * s for q, s in zip(counts, g.stride)])
    return pad_last(y, tuple((-lo, size + lo - m) for (lo, _), size, m in zip(g.padding, sizes, y.shape[2:])))


def _by_placing(x: Array, w: Array, g: Geometry, sizes: tuple[int, ...]) -> Array:
    """A transposed convolution as a sum over the kernel: each position's products, put where they belong."""
    samples, counts = x.shape[0], x.shape[2:]
    split_x = x.reshape(samples, g.groups, -1, math.prod(counts))
    split_w = w.reshape(g.groups, -1, *w.shape[1:])
    out = jnp.zeros((samples, g.groups * w.shape[1], *sizes), x.dtype)
    for position in itertools.product(*map(range, w.shape[2:])):
        part = jnp.einsum("ngcs,gco->ngos", split_x, split_w[(..., *position)]).reshape(samples, -1, *counts)
        starts = [k * d - lo for k, d, (lo, _) in zip(position, g.dilation, g.padding)]
        edges = [(a, n - a - (m - 1) * s - 1, s - 1) for a, n, m, s in zip(starts, sizes, counts, g.stride)]
        out += lax.pad(part, jnp.zeros((), x.dtype), [(0, 0, 0), (0, 0, 0), *edges])
    return out
