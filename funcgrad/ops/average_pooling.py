"""Average and power-average pooling.

Source: https://docs.pytorch.org/docs/stable/nn.functional.html#pooling-functions
"""

from __future__ import annotations

import functools
import math

import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes, _errors
from funcgrad.ops import _pool_arguments
from funcgrad.ops._elementwise import HALVES
from funcgrad.ops._max_windows import MOST_SLICES, pad_axis
from funcgrad.ops._number import Array, cast
from funcgrad.ops._pool_arguments import Axis
from funcgrad.ops._windows import window

# -- sums over windows ------------------------------------------------------------------------------------------------


def sum_along(x: Array, axis: int, a: Axis) -> Array:
    """The sum of each window along `axis`.

    As slices added up: [64, 16, 28, 28] with kernel and stride 2 takes 1.5 ms with its gradient, where `reduce_window`
    takes 2.3 and a matrix product 1.9; [16, 64, 28, 28] with kernel 3 and stride 2 takes 1.9, 4.6 and 2.0.
    """
    x = pad_axis(x, axis, a, 0)
    if a.stride == a.kernel and (a.count == 1 or a.kernel > MOST_SLICES):
        return x.reshape(*x.shape[:axis], a.count, a.kernel, *x.shape[axis + 1 :]).sum(axis + 1, dtype=x.dtype)
    if a.kernel <= MOST_SLICES:
        return functools.reduce(lax.add, [window(x, axis, i, a.count, a.stride) for i in range(a.kernel)])
    size, step = [1] * x.ndim, [1] * x.ndim
    size[axis], step[axis] = a.kernel, a.stride
    return lax.reduce_window(x, np.zeros((), x.dtype), lax.add, size, step, "VALID")


def _sum_windows(x: Array, axes: tuple[Axis, ...]) -> Array:
    for i in reversed(range(len(axes))):
        x = sum_along(x, x.ndim - len(axes) + i, axes[i])
    return x


def _counts(a: Axis, size: int, include_pad: bool) -> np.ndarray:
    """The number of elements in each window along an axis; a ceil-mode window ends where the padding does."""
    first = np.arange(a.count) * a.stride - a.low
    last = np.minimum(first + a.kernel, size + a.low)
    if not include_pad:
        first, last = np.maximum(first, 0), np.minimum(last, size)
    return last - first


def _divisors(axes: tuple[Axis, ...], sizes, include_pad: bool) -> np.ndarray | int:
    result = functools.reduce(np.multiply.outer, [_counts(a, n, include_pad) for a, n in zip(axes, sizes)])
    return int(result.flat[0]) if (result == result.flat[0]).all() else result


def _average(input: Array, axes: tuple[Axis, ...], include_pad: bool, divisor: int | None) -> Array:
    if 0 in input.shape:
        return jnp.zeros((*input.shape[: -len(axes)], *[a.count for a in axes]), input.dtype)
    sizes = input.shape[-len(axes) :]
    counts = _divisors(axes, sizes, include_pad) if divisor is None else divisor
    wide = cast(input, _dtypes.float32) if _dtypes.to_dtype(input.dtype) in HALVES else input
    total = _sum_windows(wide, axes)
    counts = jnp.asarray(counts, total.dtype)
    # Integers are divided as C++ divides them, towards zero.
    mean = (
        total / counts if jnp.issubdtype(total.dtype, jnp.floating) else lax.div(*jnp.broadcast_arrays(total, counts))
    )
    return cast(mean, input.dtype)


def _pool(name: str, ndim: int, input: Array, kernel, stride, padding, ceil_mode, include_pad, divisor) -> Array:
    if divisor == 0:
        raise RuntimeError("divisor must be not zero")
    axes = _pool_arguments.axes(name, input, ndim, kernel, stride, padding, 1, ceil_mode)
    kernel_name = "avg_pool3d_out_frame" if ndim == 3 else "avg_pool2d"
    _errors.check_dtype(kernel_name, _dtypes.to_dtype(input.dtype), "ihf" if input.dtype == jnp.int64 else "hf")
    return _average(input, axes, include_pad, divisor)


# -- the public functions ---------------------------------------------------------------------------------------------


def avg_pool1d(
    input: Array, kernel_size, stride=None, padding=0, ceil_mode: bool = False, count_include_pad: bool = True
) -> Array:
    """The mean of each window of ``[N, C, L]`` or ``[C, L]``; see `avg_pool2d`.

    Example:
        >>> avg_pool1d(jnp.array([[1.0, 3.0, 2.0, 0.0]]), 2)
        Array([[2., 1.]], dtype=float32)
    """
    check_rank("avg_pool1d", input)
    kernel = _pool_arguments.one_integer("avg_pool1d", "kernel_size", kernel_size)
    empty = stride is None or (isinstance(stride, list | tuple) and not stride)
    stride = kernel if empty else _pool_arguments.one_integer("avg_pool1d", "stride", stride)
    padding = _pool_arguments.one_integer("avg_pool1d", "padding", padding)
    arguments = ((1, kernel), (1, stride), (0, padding), ceil_mode, count_include_pad, None)
    return _pool("avg_pool2d", 2, input[..., None, :], *arguments)[..., 0, :]


def check_rank(name: str, input: Array) -> None:
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"Expected 2 to 3 dimensions, but got {input.ndim}-dimensional tensor for argument #1 'self' "
            f"(while checking arguments for {name})"
        )


def avg_pool2d(
    input: Array,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """The mean of each window of ``[N, C, H, W]`` or ``[C, H, W]``.

    Args:
        stride: distance between windows; `kernel_size` if None.
        padding: zeros on each side, at most half the kernel.
        ceil_mode: whether a last window that reaches out of the input counts.
        count_include_pad: whether the padding counts in the divisor.
        divisor_override: divide each sum by this instead of the number of elements.

    Example:
        >>> avg_pool2d(jnp.arange(16.0).reshape(1, 4, 4), 2)
        Array([[[ 2.5,  4.5],
                [10.5, 12.5]]], dtype=float32)
    """
    arguments = (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return _pool("avg_pool2d", 2, input, *arguments)


def avg_pool3d(
    input: Array,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """The mean of each window of ``[N, C, D, H, W]`` or ``[C, D, H, W]``; see `avg_pool2d`.

    Example:
        >>> avg_pool3d(jnp.arange(8.0).reshape(1, 2, 2, 2), 2).ravel()
        Array([3.5], dtype=float32)
    """
    arguments = (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return _pool("avg_pool3d", 3, input, *arguments)


def _lp_pool(average, ndim: int, input: Array, norm_type: float, kernel_size, stride, ceil_mode: bool) -> Array:
    p = float(norm_type)
    numbers = tuple(kernel_size) if isinstance(kernel_size, list | tuple) else (kernel_size,) * ndim
    mean = average(_power(input, p), kernel_size, stride, 0, ceil_mode)
    # The root has no derivative at 0, where PyTorch's is 0.
    zero = mean == 0
    total = jnp.where(zero, jnp.ones((), mean.dtype), mean) * jnp.asarray(math.prod(numbers), mean.dtype)
    return jnp.where(zero, jnp.zeros((), mean.dtype), _power(total, 1 / p))


def _power(x: Array, exponent: float) -> Array:
    return x ** int(exponent) if exponent.is_integer() else x ** jnp.asarray(exponent, x.dtype)


def lp_pool1d(input: Array, norm_type: float, kernel_size, stride=None, ceil_mode: bool = False) -> Array:
    """``(sum of x ** p) ** (1 / p)`` over each window of ``[N, C, L]`` or ``[C, L]``.

    Example:
        >>> lp_pool1d(jnp.array([[3.0, 4.0]]), 2, 2)
        Array([[5.]], dtype=float32)
    """
    return _lp_pool(avg_pool1d, 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input: Array, norm_type: float, kernel_size, stride=None, ceil_mode: bool = False) -> Array:
    """``(sum of x ** p) ** (1 / p)`` over each window of ``[N, C, H, W]`` or ``[C, H, W]``.

    Example:
        >>> lp_pool2d(jnp.ones((1, 2, 2)), 2, 2)
        Array([[[2.]]], dtype=float32)
    """
    return _lp_pool(avg_pool2d, 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input: Array, norm_type: float, kernel_size, stride=None, ceil_mode: bool = False) -> Array:
    """``(sum of x ** p) ** (1 / p)`` over each window of ``[N, C, D, H, W]`` or ``[C, D, H, W]``.

    Example:
        >>> lp_pool3d(jnp.ones((1, 2, 2, 2)), 3, 2).ravel()
        Array([2.], dtype=float32)
    """
    return _lp_pool(avg_pool3d, 3, input, norm_type, kernel_size, stride, ceil_mode)
