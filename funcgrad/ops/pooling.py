"""Max pooling and its partial inverse.

Source: https://docs.pytorch.org/docs/stable/nn.functional.html#pooling-functions
"""

from __future__ import annotations

import math
import operator

import jax
import jax.numpy as jnp

from funcgrad import _dtypes, _errors
from funcgrad.ops import _pool_arguments
from funcgrad.ops._max_windows import argmax_windows, max_windows
from funcgrad.ops._number import Array
from funcgrad.ops._pool_arguments import Axis
from funcgrad.ops._sizes import brackets

# -- max pooling ------------------------------------------------------------------------------------------------------


def _pool(name: str, ndim: int, input: Array, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    axes = _pool_arguments.axes(name, input, ndim, kernel_size, stride, padding, dilation, ceil_mode)
    _errors.check_dtype(name, _dtypes.to_dtype(input.dtype), "ihf")
    return _with_indices(input, axes, return_indices)


def _with_indices(input: Array, axes: tuple[Axis, ...], return_indices: bool):
    if 0 in input.shape:
        shape = (*input.shape[: -len(axes)], *[a.count for a in axes])
        values, indices = jnp.zeros(shape, input.dtype), jnp.zeros(shape, jnp.int64)
        return (values, indices) if return_indices else values
    values = max_windows(input, axes)
    return (values, argmax_windows(jax.lax.stop_gradient(input), axes)) if return_indices else values


def _one(argument: str, must: str, value) -> int:
    values = value if isinstance(value, list | tuple) else (value,)
    if len(values) != 1:
        raise RuntimeError(f"max_pool1d() {argument} must be {must} of size 1 but got size {len(values)}")
    return operator.index(values[0])


def _check_max_pool1d(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> None:
    for argument, value in (("kernel_size", kernel), ("stride", stride)):
        if value <= 0:
            raise RuntimeError(f"max_pool1d() {argument} must be greater than zero, but got {value}")
    if padding < 0:
        raise RuntimeError(f"max_pool1d() padding must be non-negative, but got {padding}")
    if padding > kernel // 2:
        raise RuntimeError(
            "max_pool1d() padding should be at most half of kernel size, "
            f"but got padding={padding} and kernel_size={kernel}"
        )
    if dilation <= 0:
        raise RuntimeError(f"max_pool1d() dilation must be greater than zero, but got {dilation}")
    count = Axis.of(size, kernel, stride, padding, dilation, ceil_mode).count
    if count <= 0:
        raise RuntimeError(f"max_pool1d() Invalid computed output size: {count}")


def max_pool1d(
    input: Array, kernel_size, stride=None, padding=0, dilation=1, ceil_mode: bool = False, return_indices: bool = False
) -> Array | tuple[Array, Array]:
    """The largest element of each window of ``[N, C, L]`` or ``[C, L]``; see `max_pool2d`.

    Example:
        >>> max_pool1d(jnp.array([[1.0, 3.0, 2.0, 0.0]]), 2)
        Array([[3., 2.]], dtype=float32)
    """
    inner = input.shape[1:] if input.ndim == 3 else input.shape
    if input.ndim not in (2, 3) or 0 in inner:
        raise RuntimeError(
            "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, "
            f"but got:{brackets(input.shape)}"
        )
    kernel = _one("kernel_size", "an int, list of ints or tuple of ints", kernel_size)
    empty = stride is None or (isinstance(stride, list | tuple) and not stride)
    stride = kernel if empty else _one("stride", "None, an int, list of ints, or tuple of ints", stride)
    padding = _one("padding", "an int, list of ints, or tuple of ints", padding)
    dilation = _one("dilation", "an int, list of ints, or tuple of ints", dilation)
    d = _dtypes.to_dtype(input.dtype)
    if return_indices:
        arguments = ((1, kernel), (1, stride), (0, padding), (1, dilation), ceil_mode)
        axes = _pool_arguments.axes("max_pool2d", input[..., None, :], 2, *arguments)[1:]
        _errors.check_dtype("max_pool2d", d, "ihf")
    else:
        _check_max_pool1d(input.shape[-1], kernel, stride, padding, dilation, ceil_mode)
        axes = (Axis.of(input.shape[-1], kernel, stride, padding, dilation, ceil_mode),)
        _errors.check_dtype("max_pool1d_impl", d, "hf")
    return _with_indices(input, axes, return_indices)


def max_pool2d(
    input: Array, kernel_size, stride=None, padding=0, dilation=1, ceil_mode: bool = False, return_indices: bool = False
) -> Array | tuple[Array, Array]:
    """The largest element of each window of ``[N, C, H, W]`` or ``[C, H, W]``.

    Args:
        stride: distance between windows; `kernel_size` if None.
        padding: elements of minus infinity on each side, at most half the kernel.
        ceil_mode: whether a last window that reaches out of the input counts.
        return_indices: whether to return also the place of each maximum in the flattened ``[H * W]``, as int64.

    Example:
        >>> max_pool2d(jnp.arange(16.0).reshape(1, 4, 4), 2)
        Array([[[ 5.,  7.],
                [13., 15.]]], dtype=float32)
    """
    return _pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Array, kernel_size, stride=None, padding=0, dilation=1, ceil_mode: bool = False, return_indices: bool = False
) -> Array | tuple[Array, Array]:
    """The largest element of each window of ``[N, C, D, H, W]`` or ``[C, D, H, W]``; see `max_pool2d`.

    Example:
        >>> max_pool3d(jnp.arange(8.0).reshape(1, 2, 2, 2), 2).ravel()
        Array([7.], dtype=float32)
    """
    return _pool("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _indexed(function, name: str, ndim: int):
    def with_indices(
        input: Array, kernel_size, stride=None, padding=0, dilation=1, ceil_mode: bool = False, return_indices=False
    ) -> tuple[Array, Array]:
        return function(input, kernel_size, stride, padding, dilation, ceil_mode, True)

    with_indices.__name__ = with_indices.__qualname__ = f"{name}_with_indices"
    with_indices.__doc__ = f"As `{name}` with ``return_indices=True``."
    return with_indices


max_pool1d_with_indices = _indexed(max_pool1d, "max_pool1d", 1)
max_pool2d_with_indices = _indexed(max_pool2d, "max_pool2d", 2)
max_pool3d_with_indices = _indexed(max_pool3d, "max_pool3d", 3)

# -- unpooling --------------------------------------------------------------------------------------------------------


def _scatter(x: Array, indices: Array, size: int) -> Array:
    zeros = jnp.zeros((x.shape[0], size), x.dtype)
    return jax.vmap(lambda z, i, v: z.at[i].set(v, mode="drop"))(zeros, indices, x)


def _gather(indices: Array, grad: Array) -> Array:
    return jnp.take_along_axis(grad, indices, 1)


def _place(x: Array, indices: Array, size: int) -> Array:
    """Rows of zeros of `size` with the rows of `x` at `indices`.

    The gradient of every element is that of the place it was written to, as in PyTorch, also of those that another
    one written to the same place has replaced: hence the transpose given by hand.
    """
    forward = lambda i, v: _scatter(v, i, size)  # noqa: E731
    return jax.custom_derivatives.linear_call(forward, _gather, indices, x)


def _unpool(name: str, ndim: int, input: Array, indices: Array, kernel_size, stride, padding, output_size) -> Array:
    sizes = _pool_arguments.unpooled_size(input, ndim, kernel_size, stride, padding, output_size)
    plane = max(ndim, 2)
    if len(sizes) != ndim:
        exactly = ("two elements (height, width)", "three elements (depth, height, width)")[plane - 2]
        count = len(sizes) + plane - ndim
        raise RuntimeError(f"There should be exactly {exactly} in output_size, but got {count} elements.")
    shape, shown = input.shape, [brackets((*a.shape, *[1] * (plane - ndim))) for a in (input, indices)]
    if indices.dtype != jnp.int64:
        raise RuntimeError(
            f"elements in indices should be type int64 but got: {_dtypes.to_dtype(indices.dtype).scalar_name}"
        )
    if input.ndim not in (ndim + 1, ndim + 2):
        raise RuntimeError(
            f"Input to max_unpooling{plane}d should be a {plane + 1}d or {plane + 2}d Tensor, "
            f"but got a tensor with {input.ndim + plane - ndim} dimensions."
        )
    if ndim == 3:
        stride = kernel_size if stride is None else stride
        stride = tuple(stride) if isinstance(stride, list | tuple) else (stride,) * ndim
        if min(stride) <= 0:
            raise RuntimeError(f"strides should be greater than zero, but got stride: {brackets(stride)}")
    if indices.shape != shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({shown[0]}) "
            f"but got indices tensor with shape: {shown[1]}"
        )
    inner = shape[1:] if input.ndim == ndim + 2 else shape
    if 0 in inner:
        raise RuntimeError(
            f"max_unpooling{plane}d_forward_out_cpu(): Expected input to have non-zero size for non-batch dimensions, "
            f"but got {shown[0]} with dimension {inner.index(0) + input.ndim - len(inner)} being empty."
        )
    _errors.check_dtype(f"max_unpool{plane}d", _dtypes.to_dtype(input.dtype), "hf")
    lead = shape[:-ndim]
    if input.size == 0:
        return jnp.zeros((*lead, *sizes), input.dtype)
    rows = math.prod(lead)
    return _place(input.reshape(rows, -1), indices.reshape(rows, -1), math.prod(sizes)).reshape(*lead, *sizes)


def max_unpool1d(input: Array, indices: Array, kernel_size, stride=None, padding=0, output_size=None) -> Array:
    """Put the maxima that `max_pool1d` found back at their `indices`, with zeros elsewhere; see `max_unpool2d`.

    Example:
        >>> max_unpool1d(jnp.array([[3.0, 2.0]]), jnp.array([[1, 2]], dtype="int64"), 2)
        Array([[0., 3., 2., 0.]], dtype=float32)
    """
    return _unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(input: Array, indices: Array, kernel_size, stride=None, padding=0, output_size=None) -> Array:
    """Put the maxima that `max_pool2d` found back at their `indices`, with zeros elsewhere.

    Args:
        output_size: the size that was pooled, where the sizes that pool to this one differ.

    Raises:
        ValueError: `output_size` could not have been pooled to the size of `input`.

    Example:
        >>> x = jnp.arange(4.0).reshape(1, 2, 2)
        >>> max_unpool2d(*max_pool2d(x, 2, return_indices=True), 2)
        Array([[[0., 0.],
                [0., 3.]]], dtype=float32)
    """
    return _unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(input: Array, indices: Array, kernel_size, stride=None, padding=0, output_size=None) -> Array:
    """Put the maxima that `max_pool3d` found back at their `indices`, with zeros elsewhere; see `max_unpool2d`.

    Example:
        >>> x = jnp.arange(8.0).reshape(1, 2, 2, 2)
        >>> max_unpool3d(*max_pool3d(x, 2, return_indices=True), 2).ravel()
        Array([0., 0., 0., 0., 0., 0., 0., 7.], dtype=float32)
    """
    return _unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)
