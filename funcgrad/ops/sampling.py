"""Sampling an image at given places (`grid_sample`) and the places of an affine transformation (`affine_grid`).

Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.grid_sample.html
"""

from __future__ import annotations

import functools
import itertools
import math
import warnings

import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes, _errors
from funcgrad.ops._elementwise import HALF_BITS, HALVES
from funcgrad.ops._matrix_checks import scalar_name
from funcgrad.ops._number import Array, cast
from funcgrad.ops._positions import PROMISE
from funcgrad.ops._sizes import brackets

_MODES = ("bilinear", "nearest", "bicubic")
_PADDING_MODES = ("zeros", "border", "reflection")

# -- coordinates ------------------------------------------------------------------------------------------------------


def _pixel(x: Array, size: int, align_corners: bool, planar: bool, bits) -> Array:
    """From -1 ... 1 to an index, in the order of PyTorch's operations; halves (`bits`) are rounded after each."""

    def rounded(y):
        return y if bits is None else lax.reduce_precision(y, *bits)

    one, half = jnp.ones((), x.dtype), jnp.asarray(0.5, x.dtype)
    if planar:
        factor = jnp.asarray((size - 1) / 2 if align_corners else size / 2, x.dtype)
        scaled = rounded(rounded(x + one) * factor)
        return scaled if align_corners else rounded(scaled - half)
    if align_corners:
        return rounded((rounded(x + one) * half) * jnp.asarray(size - 1, x.dtype))
    return rounded(rounded(rounded(x + one) * jnp.asarray(size, x.dtype)) - one) * half


def _clipped(x: Array, size: int) -> Array:
    """Into the image; the derivative is 0 at the limits too."""
    top = jnp.asarray(size - 1, x.dtype)
    return jnp.where(x <= 0, jnp.zeros((), x.dtype), jnp.where(x >= top, top, x))


def _reflected(x: Array, size: int, align_corners: bool) -> Array:
    low, high = (0.0, size - 1.0) if align_corners else (-0.5, size - 0.5)
    if low == high:
        return jnp.zeros_like(x)
    span, low = jnp.asarray(high - low, x.dtype), jnp.asarray(low, x.dtype)
    distance = jnp.where(x < low, low - x, x - low)
    flips = lax.stop_gradient(jnp.floor(distance / span))
    rest = distance - flips * span
    return jnp.where(flips % 2 == 0, rest + low, span - rest + low)


def _inside(x: Array, size: int, padding_mode: str, align_corners: bool) -> Array:
    """The pixel coordinate that `padding_mode` puts in the place of `x`."""
    if padding_mode == "border":
        return _clipped(x, size)
    if padding_mode == "reflection":
        return _clipped(_reflected(x, size, align_corners), size)
    return x


# -- sampling ---------------------------------------------------------------------------------------------------------


def _read(flat: Array, places: list[Array], sizes: tuple[int, ...]) -> Array:
    """``[N, *grid, C]``: the pixels of ``[N * pixels, C]`` at whole coordinates (floats), 0 outside the image.

    Channels last, so that each place is a row. The gradient of [16, 64, 32, 32] at as many places adds 65 thousand rows
    to the image, 1 ms; the other way round it adds 4 million single numbers, 57 ms.
    """
    kind = jnp.int32 if flat.shape[0] < 2**31 else jnp.int64
    zero, within = jnp.zeros((), places[0].dtype), jnp.ones(places[0].shape, bool)
    index = lax.broadcasted_iota(kind, places[0].shape, 0)
    for place, size in zip(places, sizes):
        inside = (place >= 0) & (place <= size - 1)
        index = index * jnp.asarray(size, kind) + jnp.where(inside, place, zero).astype(kind)
        within &= inside
    return jnp.where(within[..., None], flat.at[index].get(**PROMISE), jnp.zeros((), flat.dtype))


def _linear(flat: Array, coordinates: list[Array], sizes: tuple[int, ...]) -> Array:
    lows = [lax.stop_gradient(jnp.floor(x)) for x in coordinates]
    one = jnp.ones((), flat.dtype)
    parts = [(low + one - x, x - low) for x, low in zip(coordinates, lows)]
    terms = []
    for corner in itertools.product((0, 1), repeat=len(sizes)):
        weight = math.prod(pair[i] for pair, i in zip(parts, corner))
        places = [low + jnp.asarray(i, low.dtype) for low, i in zip(lows, corner)]
        terms.append(_read(flat, places, sizes) * weight[..., None])
    return functools.reduce(lax.add, terms)


def _cubic_weights(t: Array) -> list[Array]:
    """The weights of the four neighbours at distances 1 + t, t, 1 - t and 2 - t (a = -0.75)."""

    def near(x):
        return ((1.25 * x - 2.25) * x) * x + 1.0

    def far(x):
        return ((-0.75 * x + 3.75) * x - 6.0) * x + 3.0

    return [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)]


def _cubic(flat: Array, coordinates: list[Array], sizes: tuple[int, ...], inside) -> Array:
    lows = [lax.stop_gradient(jnp.floor(x)) for x in coordinates]
    weights = [_cubic_weights(x - low) for x, low in zip(coordinates, lows)]
    rows = []
    for i in range(4):
        row = [
            _read(
                flat, [inside(low + jnp.asarray(k - 1, low.dtype), n) for low, k, n in zip(lows, (i, j), sizes)], sizes
            )
            * weights[1][j][..., None]
            for j in range(4)
        ]
        rows.append(functools.reduce(lax.add, row) * weights[0][i][..., None])
    return functools.reduce(lax.add, rows)


def _sample(input: Array, grid: Array, mode: str, padding_mode: str, align_corners: bool) -> Array:
    n, c, *sizes = input.shape
    d = _dtypes.to_dtype(input.dtype)
    if 0 in grid.shape or input.size == 0:
        return jnp.zeros((n, c, *grid.shape[1:-1]), input.dtype)
    wide = _dtypes.float32 if d in HALVES else d
    flat, places = jnp.moveaxis(cast(input, wide), 1, -1).reshape(-1, c), cast(grid, wide)
    # The grid's last axis is (x, y, z), the image's axes are (z, y, x).
    planar, bits = len(sizes) == 2, HALF_BITS.get(d)
    pixels = [_pixel(places[..., -1 - i], size, align_corners, planar, bits) for i, size in enumerate(sizes)]
    if mode == "bicubic":
        out = _cubic(flat, pixels, sizes, lambda x, n: _inside(x, n, padding_mode, align_corners))
    else:
        pixels = [_inside(x, size, padding_mode, align_corners) for x, size in zip(pixels, sizes)]
        if mode == "nearest":
            out = _read(flat, [lax.stop_gradient(jnp.round(x)) for x in pixels], sizes)
        else:
            out = _linear(flat, pixels, sizes)
    return jnp.moveaxis(cast(out, d), -1, 1)


def _check(input: Array, grid: Array, mode: str) -> None:
    dims = input.ndim - 2
    shapes = f"input with sizes {brackets(input.shape)} and grid with sizes {brackets(grid.shape)}"
    if grid.shape[0] != input.shape[0]:
        raise RuntimeError(f"grid_sampler(): expected grid and input to have same batch size, but got {shapes}")
    if grid.shape[-1] != dims:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {dims} in last dimension, "
            f"but got grid with sizes {brackets(grid.shape)}"
        )
    for i, n in enumerate(input.shape[2:], 2):
        if n == 0:
            raise RuntimeError(
                "grid_sampler(): expected input to have non-empty spatial dimensions, "
                f"but input has sizes {brackets(input.shape)} with dimension {i} being empty"
            )
    if dims not in (2, 3) or grid.ndim != input.ndim:
        raise RuntimeError(
            f"grid_sampler(): expected {'5' if dims == 3 else '4'}D input and grid with same number of dimensions, "
            f"but got {shapes}"
        )
    if mode == "bicubic" and dims == 3:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    _errors.check_dtype(f"grid_sampler_{dims}d_cpu_kernel_impl", _dtypes.to_dtype(input.dtype), "hf")
    if grid.dtype != input.dtype:
        raise RuntimeError(f"expected scalar type {scalar_name(input)} but found {scalar_name(grid)}")


def _warn_of_default(align_corners: bool | None) -> bool:
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please "
            "specify align_corners=True if the old behavior is desired. See the documentation of grid_sample for "
            "details.",
            stacklevel=3,
        )
    return bool(align_corners)


def grid_sample(
    input: Array,
    grid: Array,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Array:
    """Sample ``[N, C, H, W]`` at ``grid[N, H', W', 2]``, (x, y) from -1 to 1; or five-dimensional, (x, y, z).

    Args:
        mode: ``'bilinear'`` (trilinear in five dimensions), ``'nearest'`` or ``'bicubic'``.
        padding_mode: what lies outside: ``'zeros'``, the ``'border'``'s pixels, or the image's ``'reflection'``.
        align_corners: whether -1 and 1 are the centres of the edge pixels instead of their outer edges.

    Shape:
        ``[N, C, H', W']``.

    Example:
        >>> image = jnp.arange(4.0).reshape(1, 1, 2, 2)
        >>> grid_sample(image, jnp.zeros((1, 1, 1, 2)), align_corners=False).ravel()
        Array([1.5], dtype=float32)
    """
    if mode not in _MODES:
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in _PADDING_MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', "
            f"but got: '{padding_mode}'"
        )
    align_corners = _warn_of_default(align_corners)
    _check(input, grid, mode)
    return _sample(input, grid, mode, padding_mode, align_corners)


def grid_sampler(input: Array, grid: Array, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Array:
    """As `grid_sample`, with the modes numbered: bilinear, nearest, bicubic; zeros, border, reflection."""
    return grid_sample(input, grid, _MODES[interpolation_mode], _PADDING_MODES[padding_mode], bool(align_corners))


grid_sampler_2d = grid_sampler_3d = grid_sampler


# -- affine grids -----------------------------------------------------------------------------------------------------


def _axis_points(n: int, align_corners: bool, dtype) -> Array:
    points = jnp.linspace(-1, 1, n, dtype=dtype) if n > 1 else jnp.zeros(1, dtype)
    return points if align_corners else points * jnp.asarray((n - 1) / n, dtype)


def affine_grid(theta: Array, size, align_corners: bool | None = None) -> Array:
    """The `grid_sample` grid of affine maps ``theta[N, 2, 3]`` (or ``[N, 3, 4]``) for images of `size`.

    Example:
        >>> affine_grid(jnp.array([[[1.0, 0, 0], [0, 1, 0]]]), (1, 1, 1, 2), align_corners=False)[0, 0]
        Array([[-0.5,  0. ],
               [ 0.5,  0. ]], dtype=float32)
    """
    size = tuple(map(int, size))
    align_corners = _check_affine(theta, size, align_corners)
    n, _, *spatial = size
    dims = len(spatial)
    axes = [_axis_points(m, align_corners, theta.dtype) for m in spatial]
    base = jnp.stack([*reversed(jnp.meshgrid(*axes, indexing="ij")), jnp.ones(spatial, theta.dtype)], -1)
    if theta.shape[0] != n:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{n}, {dims + 1}] "
            f"but got: [{theta.shape[0]}, {dims + 1}]."
        )
    grid = jnp.einsum("pk,nik->npi", base.reshape(-1, dims + 1), theta, preferred_element_type=theta.dtype)
    return grid.reshape(n, *spatial, dims)


def _check_affine(theta: Array, size: tuple[int, ...], align_corners: bool | None) -> bool:
    if not jnp.issubdtype(theta.dtype, jnp.floating):
        raise ValueError(f"Expected theta to have floating point type, but got {_dtypes.to_dtype(theta.dtype)}")
    chosen = _warn_of_default(align_corners)
    dims = len(size) - 2
    if dims not in (2, 3):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. "
            f"Got size {size}."
        )
    if theta.ndim != 3 or theta.shape[1:] != (dims, dims + 1):
        raise ValueError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size {size}. "
            f"Got torch.Size({list(theta.shape)})."
        )
    if chosen and min(size[2:]) == 1:
        warnings.warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when align_corners=True. "
            "This is not an intended use case of affine_grid. See the documentation of affine_grid for details.",
            stacklevel=3,
        )
    elif min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    return chosen


def affine_grid_generator(theta: Array, size, align_corners: bool) -> Array:
    """As `affine_grid`."""
    return affine_grid(theta, size, bool(align_corners))
