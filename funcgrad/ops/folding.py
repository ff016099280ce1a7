"""Sliding blocks (`unfold`, `fold`) and moves between channels and space (`pixel_shuffle`, `channel_shuffle`).

Source: https://docs.pytorch.org/docs/stable/nn.functional.html
"""

from __future__ import annotations

import math
import operator

import jax
import jax.numpy as jnp

from funcgrad import _dtypes, _errors
from funcgrad.ops._number import Array
from funcgrad.ops._sizes import brackets
from funcgrad.ops._windows import output_size as _output_size
from funcgrad.ops._windows import pad_last, taps

# -- unfold and fold --------------------------------------------------------------------------------------------------


def _pair(name: str, value) -> tuple[int, int]:
    values = tuple(map(operator.index, value)) if isinstance(value, list | tuple) else (operator.index(value),)
    if len(values) not in (1, 2):
        raise RuntimeError(f"It is expected {name} equals to 2, but got size {len(values)}")
    return values if len(values) == 2 else values * 2


def _block_arguments(kernel_size, dilation, padding, stride) -> tuple:
    kernel, dilation = _pair("kernel_size", kernel_size), _pair("dilation", dilation)
    padding, stride = _pair("padding", padding), _pair("stride", stride)
    rows = (
        ("kernel size should be greater than zero", "kernel", kernel, 1),
        ("dilation should be greater than zero", "dilation", dilation, 1),
        ("padding should be non-negative", "pad", padding, 0),
        ("stride should be greater than zero", "stride", stride, 1),
    )
    for text, name, values, least in rows:
        if min(values) < least:
            raise RuntimeError(f"{text}, but got {name}_height: {values[0]} {name}_width: {values[1]}")
    return kernel, dilation, padding, stride


def _counts(sizes, kernel, dilation, padding, stride) -> tuple[int, ...]:
    rows = zip(sizes, kernel, stride, padding, dilation)
    return tuple(_output_size(n, k, s, 2 * p, d) for n, k, s, p, d in rows)


def _blocks(x: Array, kernel, dilation, padding, stride, counts) -> Array:
    """``[N, C, H, W]`` to ``[N, C * kh * kw, blocks]``."""
    padded = pad_last(x, tuple((p, p) for p in padding))
    parts = [part for _, part in taps(padded, kernel, counts, stride, dilation)]
    return jnp.stack(parts, 2).reshape(x.shape[0], x.shape[1] * math.prod(kernel), math.prod(counts))


def unfold(input: Array, kernel_size, dilation=1, padding=0, stride=1) -> Array:
    """The sliding blocks of ``[N, C, H, W]`` (or ``[C, H, W]``) as columns: ``[N, C * kh * kw, blocks]``.

    Example:
        >>> unfold(jnp.arange(6.0).reshape(1, 2, 3), 2)
        Array([[0., 1.],
               [1., 2.],
               [3., 4.],
               [4., 5.]], dtype=float32)
    """
    if input.ndim < 3:
        bound = max(input.ndim, 1)
        raise IndexError(f"Dimension out of range (expected to be in range of [-{bound}, {bound - 1}], but got 2)")
    arguments = _block_arguments(kernel_size, dilation, padding, stride)
    inner = input.shape[1:] if input.ndim == 4 else input.shape
    if input.ndim > 4 or 0 in inner:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for "
            f"input, but got: {brackets(input.shape)}"
        )
    counts = _counts(input.shape[-2:], *arguments)
    if min(counts) < 1:
        kernel, dilation, padding, _ = arguments
        counts = tuple(max(n, 0) for n in counts)
        raise RuntimeError(
            f"Given input with spatial size {tuple(input.shape[-2:])}, kernel_size={kernel}, dilation={dilation}, "
            f"padding={padding}, calculated shape of the array of sliding blocks as {counts}, but its components must "
            "be at least one."
        )
    _errors.check_dtype("im2col_out_cpu", _dtypes.to_dtype(input.dtype), "bhfc")
    result = _blocks(input if input.ndim == 4 else input[None], *arguments, counts)
    return result if input.ndim == 4 else result[0]


def im2col(input: Array, kernel_size, dilation, padding, stride) -> Array:
    """As `unfold`, with every argument given."""
    return unfold(input, kernel_size, dilation, padding, stride)


def _check_blocks(input: Array, sizes, kernel, dilation, padding, stride) -> None:
    inner = input.shape[1:] if input.ndim == 3 else input.shape
    if input.ndim not in (2, 3) or 0 in inner:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            f"input, but got: {brackets(input.shape)}"
        )
    rows = input.ndim - 2
    if input.shape[rows] % math.prod(kernel):
        raise RuntimeError(
            f"Expected size of input's dimension {rows} to be divisible by the product of kernel_size, but got "
            f"input.size({rows})={input.shape[rows]} and kernel_size={kernel}."
        )
    high, wide = _counts(sizes, kernel, dilation, padding, stride)
    if input.shape[-1] != high * wide or min(high, wide) < 1:
        raise RuntimeError(
            f"Given output_size={sizes}, kernel_size={kernel}, dilation={dilation}, padding={padding}, "
            f"stride={stride}, expected size of input's dimension {rows + 1} to match the calculated number of sliding "
            f"blocks {high} * {wide} = {high * wide}, but got input.size({rows + 1})={input.shape[-1]}."
        )


def fold(input: Array, output_size, kernel_size, dilation=1, padding=0, stride=1) -> Array:
    """Add up blocks, ``[N, C * kh * kw, blocks]``, into an image of `output_size`; the transpose of `unfold`.

    Example:
        >>> fold(jnp.ones((4, 2)), (2, 3), 2)
        Array([[[1., 2., 1.],
                [1., 2., 1.]]], dtype=float32)
    """
    sizes = _pair("output_size", output_size)
    kernel, dilation, padding, stride = arguments = _block_arguments(kernel_size, dilation, padding, stride)
    _check_blocks(input, sizes, *arguments)
    _errors.check_dtype("col2im_out_cpu", _dtypes.to_dtype(input.dtype), "bhfc")
    x = input if input.ndim == 3 else input[None]
    image = jax.ShapeDtypeStruct((x.shape[0], x.shape[1] // math.prod(kernel), *sizes), x.dtype)
    counts = _counts(sizes, *arguments)
    if x.size:
        result = jax.linear_transpose(lambda t: _blocks(t, *arguments, counts), image)(x)[0]
    else:
        result = jnp.zeros(image.shape, image.dtype)
    return result if input.ndim == 3 else result[0]


def col2im(input: Array, output_size, kernel_size, dilation, padding, stride) -> Array:
    """As `fold`, with every argument given."""
    return fold(input, output_size, kernel_size, dilation, padding, stride)


# -- shuffles ---------------------------------------------------------------------------------------------------------


def _check_factor(name: str, argument: str, input: Array, factor: int) -> None:
    if input.ndim < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        )
    if factor <= 0:
        raise RuntimeError(f"{name} expects a positive {argument}, but got {factor}")


def pixel_shuffle(input: Array, upscale_factor: int) -> Array:
    """Move channels to space: ``[..., C * r * r, H, W]`` to ``[..., C, H * r, W * r]``.

    Example:
        >>> pixel_shuffle(jnp.arange(4.0).reshape(4, 1, 1), 2)
        Array([[[0., 1.],
                [2., 3.]]], dtype=float32)
    """
    r = upscale_factor
    _check_factor("pixel_shuffle", "upscale_factor", input, r)
    *lead, c, h, w = input.shape
    if c % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={c} is not divisible by {r * r}"
        )
    split = input.reshape(*lead, c // (r * r), r, r, h, w)
    n = len(lead)
    moved = split.transpose(*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    return moved.reshape(*lead, c // (r * r), h * r, w * r)


def pixel_unshuffle(input: Array, downscale_factor: int) -> Array:
    """Move space to channels, the inverse of `pixel_shuffle`: ``[..., C, H * r, W * r]`` to ``[..., C * r * r, H, W]``.

    Example:
        >>> pixel_unshuffle(jnp.arange(4.0).reshape(1, 2, 2), 2).ravel()
        Array([0., 1., 2., 3.], dtype=float32)
    """
    r = downscale_factor
    _check_factor("pixel_unshuffle", "downscale_factor", input, r)
    *lead, c, h, w = input.shape
    for axis, (name, n) in enumerate((("height", h), ("width", w))):
        if n % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, "
                f"but input.size({axis - 2})={n} is not divisible by {r}"
            )
    split = input.reshape(*lead, c, h // r, r, w // r, r)
    n = len(lead)
    moved = split.transpose(*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    return moved.reshape(*lead, c * r * r, h // r, w // r)


def channel_shuffle(input: Array, groups: int) -> Array:
    """Interleave the `groups` blocks into which the channels of ``[N, C, *]`` fall.

    Example:
        >>> channel_shuffle(jnp.arange(4.0).reshape(1, 4, 1), 2).ravel()
        Array([0., 2., 1., 3.], dtype=float32)
    """
    if input.ndim < 3:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {brackets(input.shape)}"
        )
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    n, c, *rest = input.shape
    if c % groups:
        raise RuntimeError(f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups.")
    return jnp.swapaxes(input.reshape(n, groups, c // groups, *rest), 1, 2).reshape(input.shape)


def native_channel_shuffle(input: Array, groups: int) -> Array:
    """As `channel_shuffle`."""
    return channel_shuffle(input, groups)
