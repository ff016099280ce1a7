"""Resizing: `interpolate` and the functions it stands for.

Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
"""

from __future__ import annotations

import functools
import math
import operator
import warnings

import jax.numpy as jnp
import numpy as np

from funcgrad import _dtypes, _errors
from funcgrad.ops import _resampling
from funcgrad.ops._elementwise import HALVES
from funcgrad.ops._number import Array, cast
from funcgrad.ops._sizes import brackets
from funcgrad.ops.adaptive_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d

_MODES = "nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact"
_DIMS = {"linear": 3, "bilinear": 4, "trilinear": 5}
_AREA = {3: adaptive_avg_pool1d, 4: adaptive_avg_pool2d, 5: adaptive_avg_pool3d}

# -- sizes and scales -------------------------------------------------------------------------------------------------


def _mismatch(input: Array, what: str, shown: str, item: str, letter: str) -> ValueError:
    return ValueError(
        f"Input and {what} must have the same number of spatial dimensions, but got input with spatial dimensions of "
        f"{list(input.shape[2:])} and {shown}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and {item} "
        f"in ({letter}1, {letter}2, ...,{letter}K) format."
    )


def _sizes_and_scales(input: Array, size, scale_factor, recompute: bool | None, area: bool) -> tuple[tuple, tuple]:
    """The output sizes, and for each axis the factor that decides where to sample (None: the ratio of the sizes)."""
    dims = input.ndim - 2
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if size is not None:
        sizes = _given_sizes(input, size)
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        return sizes, (None,) * dims
    factors = tuple(scale_factor) if isinstance(scale_factor, list | tuple) else (scale_factor,) * dims
    if len(factors) != dims:
        raise _mismatch(input, "scale_factor", f"scale_factor of shape {scale_factor}", "scale_factor", "s")
    sizes = tuple(math.floor(float(n) * factor) for n, factor in zip(input.shape[2:], factors))
    if not recompute and not area:
        sizes = tuple(int(float(n) * factor) for n, factor in zip(input.shape[2:], factors))
    return sizes, (None,) * dims if recompute or area else tuple(map(float, factors))


def _given_sizes(input: Array, size) -> tuple[int, ...]:
    if not isinstance(size, list | tuple):
        return (operator.index(size),) * (input.ndim - 2)
    if len(size) != input.ndim - 2:
        raise _mismatch(input, "output", f"output size of {size}", "output size", "o")
    if not all(hasattr(n, "__index__") for n in size):
        raise TypeError(
            "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], "
            f"but got size with types {[type(n) for n in size]}"
        )
    return tuple(map(operator.index, size))


def _check(input: Array, sizes: tuple[int, ...], kernel: str, kinds: str) -> None:
    if min(input.shape[2:]) < 1 or min(sizes) < 1:
        letters = "DHW"[3 - len(sizes) :]
        old, new = (", ".join(f"{c}: {n}" for c, n in zip(letters, ns)) for ns in (input.shape[2:], sizes))
        if len(sizes) == 1:
            old, new = f"W: {input.shape[2]}", f"W: {sizes[0]}"
        raise RuntimeError(f"Input and output sizes should be greater than 0, but got input ({old}) output ({new})")
    if input.shape[1] == 0:
        raise RuntimeError(
            f"Non-empty {input.ndim}D data tensor expected but got a tensor with sizes {brackets(input.shape)}"
        )
    d = _dtypes.to_dtype(input.dtype)
    if d is not _dtypes.uint8 or kernel == "compute_indices_weights_linear":
        _errors.check_dtype(kernel, d, kinds)


# -- resampling -------------------------------------------------------------------------------------------------------


def _resample(input: Array, sizes: tuple[int, ...], scales, table) -> Array:
    """Resample the last axes, the last one first; ``table(size, count, scale, dtype)`` gives each axis's table."""
    if input.size == 0:
        return jnp.zeros((*input.shape[:2], *sizes), input.dtype)
    d = _dtypes.to_dtype(input.dtype)
    x = cast(input, _dtypes.float32) if d in HALVES else input
    precision = np.float32 if x.dtype == jnp.float32 else np.float64
    along = _resampling.resample_bytes if d is _dtypes.uint8 else _resampling.resample
    for i in reversed(range(len(sizes))):
        size, scale = input.shape[2 + i], scales[i]
        x = along(x, 2 + i, table(size, sizes[i], scale, precision))
    return cast(x, d)


def _nearest(input: Array, sizes: tuple[int, ...], scales, exact: bool) -> Array:
    name = "upsample_nearest2d_channels_last" if input.ndim == 4 else "compute_indices_weights_nearest"
    _check(input, sizes, name, "hf")
    planar = input.ndim == 4
    return _resample(input, sizes, scales, lambda n, m, s, dtype: _resampling.nearest(n, m, s, exact, planar, dtype))


def _smooth(input: Array, sizes: tuple[int, ...], scales, mode: str, align_corners: bool, antialias: bool) -> Array:
    kernel = "upsample_bilinear2d_channels_last" if mode == "bilinear" else f"compute_indices_weights_{mode[-6:]}"
    _check(input, sizes, kernel, "hf")
    if mode == "bicubic" and not antialias and sizes == input.shape[2:]:
        return input
    if antialias:
        make = functools.partial(_resampling.antialiased, mode)
    else:
        make = _resampling.cubic if mode == "bicubic" else _resampling.linear
    return _resample(input, sizes, scales, lambda n, m, s, dtype: make(n, m, s, align_corners, dtype))


# -- the public functions ---------------------------------------------------------------------------------------------


def interpolate(
    input: Array,
    size=None,
    scale_factor=None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Array:
    """Resize ``[N, C, *]``, with one to three spatial axes, to `size` or by `scale_factor`.

    Args:
        mode: ``'nearest'``, ``'nearest-exact'`` and ``'area'`` (adaptive averages) for any input; ``'linear'`` (3D),
            ``'bilinear'``, ``'bicubic'``, ``'lanczos'`` (4D) and ``'trilinear'`` (5D).
        align_corners: whether the centres of the corner elements stay where they are, instead of their outer edges.
        recompute_scale_factor: sample at the ratio of the sizes instead of at `scale_factor`.
        antialias: widen the filter when shrinking (bilinear, bicubic and lanczos).

    Example:
        >>> interpolate(jnp.array([[[1.0, 2.0]]]), 4, mode="linear")
        Array([[[1.  , 1.25, 1.75, 2.  ]]], dtype=float32)
    """
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: "
                "linear | bilinear | bicubic | trilinear"
            )
    sizes, scales = _sizes_and_scales(input, size, scale_factor, recompute_scale_factor, mode == "area")
    if antialias and not (mode in _resampling.FILTERS and input.ndim == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
    if mode == "lanczos" and not antialias:
        raise ValueError("Lanczos mode requires antialias=True")
    if mode == "lanczos" and align_corners:
        raise ValueError("Lanczos mode does not support align_corners=True")
    if mode in _DIMS and input.ndim in (3, 4, 5) and input.ndim != _DIMS[mode]:
        raise NotImplementedError(f"Got {input.ndim}D input, but {mode} mode needs {_DIMS[mode]}D input")
    if input.ndim in (3, 4, 5) and mode in ("nearest", "nearest-exact"):
        return _nearest(input, sizes, scales, mode == "nearest-exact")
    if input.ndim in (3, 4, 5) and mode == "area":
        return _AREA[input.ndim](input, sizes)
    if mode in _DIMS or (input.ndim == 4 and mode in _resampling.FILTERS):
        return _smooth(input, sizes, scales, mode, bool(align_corners), antialias)
    raise NotImplementedError(
        f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.ndim}D) for the modes: {_MODES} "
        f"(got {mode})"
    )


def _deprecated(name: str) -> None:
    warnings.warn(f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=3)


def upsample(
    input: Array, size=None, scale_factor=None, mode: str = "nearest", align_corners: bool | None = None
) -> Array:
    """As `interpolate`; deprecated."""
    _deprecated("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Array, size=None, scale_factor=None) -> Array:
    """As `interpolate` in the mode 'nearest'; deprecated."""
    _deprecated("upsample_nearest")
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input: Array, size=None, scale_factor=None) -> Array:
    """As `interpolate` in the mode 'bilinear' with aligned corners; deprecated."""
    _deprecated("upsample_bilinear")
    return interpolate(input, size, scale_factor, "bilinear", True)


def _upsample_aa(mode: str, input: Array, output_size, align_corners: bool, scales: tuple, scale_factors) -> Array:
    if scale_factors is not None:
        sizes, scales = _sizes_and_scales(input, output_size, scale_factors, None, False)
    else:
        sizes = _given_sizes(input, output_size)
    return _smooth(input, sizes, scales, mode, align_corners, True)


def _upsample_bilinear2d_aa(
    input: Array, output_size, align_corners: bool, scales_h=None, scales_w=None, scale_factors=None
) -> Array:
    """`interpolate` in the mode 'bilinear' with `antialias`, by PyTorch's internal name."""
    return _upsample_aa("bilinear", input, output_size, align_corners, (scales_h, scales_w), scale_factors)


def _upsample_bicubic2d_aa(
    input: Array, output_size, align_corners: bool, scales_h=None, scales_w=None, scale_factors=None
) -> Array:
    """`interpolate` in the mode 'bicubic' with `antialias`, by PyTorch's internal name."""
    return _upsample_aa("bicubic", input, output_size, align_corners, (scales_h, scales_w), scale_factors)
