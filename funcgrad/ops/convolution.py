"""Convolutions and transposed convolutions in one, two and three dimensions.

Source: https://docs.pytorch.org/docs/stable/nn.functional.html#convolution-functions
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from funcgrad import _dtypes, _errors
from funcgrad.ops._conv_forms import Geometry, convolve, convolve_transposed
from funcgrad.ops._elementwise import HALVES
from funcgrad.ops._matrix_checks import cpp_name, scalar_name
from funcgrad.ops._number import Array, cast
from funcgrad.ops._sizes import brackets

# -- arguments and their errors ---------------------------------------------------------------------------------------


def _per_dim(name: str, value, ndim: int) -> tuple[int, ...]:
    """An integer, or a sequence of 1 or `ndim` of them, as `ndim` integers."""
    values = tuple(map(operator.index, value)) if isinstance(value, list | tuple) else (operator.index(value),)
    if len(values) not in (1, ndim):
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {ndim} values to match the convolution "
            f"dimensions, but got {name}={brackets(values)}"
        )
    return values * ndim if len(values) == 1 else values


def _check_input(name: str, input: Array, ndim: int) -> None:
    if input.ndim not in (ndim + 1, ndim + 2):
        raise RuntimeError(
            f"Expected {ndim + 1}D (unbatched) or {ndim + 2}D (batched) input to {name}, "
            f"but got input of size: {brackets(input.shape)}"
        )


def _check_dtypes(input: Array, weight: Array, bias: Array | None) -> None:
    if bias is not None and bias.dtype != input.dtype and weight.dtype == input.dtype:
        raise RuntimeError(f"Input type ({cpp_name(input)}) and bias type ({cpp_name(bias)}) should be the same")
    if weight.dtype == input.dtype:
        return
    if jnp.issubdtype(input.dtype, jnp.complexfloating):
        kinds = [f"CPU{scalar_name(x)}Type" if x.dtype.kind == "c" else _tensor_type(x) for x in (input, weight)]
        raise RuntimeError(f"Input type ({kinds[0]}) and weight type ({kinds[1]}) should be the same")
    if bias is not None and bias.dtype != input.dtype:
        raise RuntimeError(f"Input type ({cpp_name(input)}) and bias type ({cpp_name(bias)}) should be the same")
    raise RuntimeError(f"expected scalar type {scalar_name(input)} but found {scalar_name(weight)}")


def _tensor_type(x: Array) -> str:
    return f"torch.{scalar_name(x)}Tensor"


def _check_shapes(input: Array, weight: Array, bias: Array | None, groups: int, transposed: bool, gap: str) -> None:
    shown = brackets(weight.shape)
    if weight.ndim != input.ndim:
        raise RuntimeError(
            f"Expected {weight.ndim}-dimensional input for {weight.ndim}-dimensional weight{gap}{shown}, "
            f"but got {input.ndim}-dimensional input of size {brackets(input.shape)} instead"
        )
    if weight.shape[0] < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, "
            f"but got weight of size {shown} instead"
        )
    if weight.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size [{shown}] instead"
        )
    given = "Given transposed=1," if transposed else f"Given groups={groups},"
    channels = weight.shape[0] if transposed else weight.shape[1] * groups
    if input.shape[1] != channels:
        raise RuntimeError(
            f"{given} weight of size {shown}, expected input{brackets(input.shape)} to have {channels} channels, "
            f"but got {input.shape[1]} channels instead"
        )
    outputs = weight.shape[1] * groups if transposed else weight.shape[0]
    if bias is not None and bias.shape != (outputs,):
        raise RuntimeError(
            f"{'Given transposed=1,' if transposed else 'Given'} weight of size {shown}, expected bias to be "
            f"1-dimensional with {outputs} elements, but got bias of size {brackets(bias.shape)} instead"
        )


def _check_numbers(stride, padding, dilation, output_padding) -> None:
    if min(padding) < 0:
        raise RuntimeError("negative padding is not supported")
    if min(output_padding) < 0:
        raise RuntimeError("negative output_padding is not supported")
    if min(stride) <= 0:
        raise RuntimeError("non-positive stride is not supported")
    if min(dilation) <= 0:
        shown = "" if min(dilation) < 0 else f", but got {brackets(dilation)}"
        raise RuntimeError(f"dilation should be greater than zero{shown}")


def _times(sizes) -> str:
    return f"({' x '.join(map(str, sizes))})"


def _labelled(name: str, sizes) -> str:
    words = ("depth", "height", "width")[3 - max(len(sizes), 2) :]
    sizes = (1 if "kernel" in name else 0 if "padding" in name else 1, *sizes) if len(sizes) == 1 else sizes
    return " ".join(f"{name}_{word}: {n}" for word, n in zip(words, sizes))


def _check_kernel(input: Array, weight: Array, padding, dilation) -> None:
    padded = [n + sum(p) for n, p in zip(input.shape[2:], padding)]
    kernel = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:])]
    if any(n < k for n, k in zip(padded, kernel)):
        raise RuntimeError(
            f"Calculated padded input size per channel: {_times(padded)}. Kernel size: {_times(kernel)}. "
            "Kernel size can't be greater than actual input size"
        )
    if 0 in weight.shape[2:]:
        raise RuntimeError(f"kernel size should be greater than zero, but got {_labelled('kernel', weight.shape[2:])}")


# -- the two computations ---------------------------------------------------------------------------------------------


def _convolve(input: Array, weight: Array, bias, stride, padding, dilation, groups: int, gap: str = " ") -> Array:
    padding = tuple((p, p) if isinstance(p, int) else p for p in padding)
    _check_shapes(input, weight, bias, groups, False, gap)
    _check_kernel(input, weight, padding, dilation)
    _check_dtypes(input, weight, bias)
    kernel = "compute_columns3d" if input.ndim == 5 else "slow_conv2d_cpu"
    _errors.check_dtype(kernel, _dtypes.to_dtype(input.dtype), "ihfc")
    geometry = Geometry(stride, padding, dilation, groups)
    counts = geometry.counts(input, weight)
    return _compute(lambda x, w: convolve(x, w, geometry), input, weight, bias, (weight.shape[0], *counts))


def _compute(function, input: Array, weight: Array, bias: Array | None, shape: tuple[int, ...]) -> Array:
    """`function(input, weight)` plus the bias, halves in float32 on the CPU (no slower there, and rounded once)."""
    dtype = input.dtype
    if _dtypes.to_dtype(dtype) in HALVES and jax.default_backend() == "cpu":
        input, weight = cast(input, _dtypes.float32), cast(weight, _dtypes.float32)
        bias = None if bias is None else cast(bias, _dtypes.float32)
    if input.size and weight.size and math.prod(shape):
        y = function(input, weight)
    else:
        y = jnp.zeros((input.shape[0], *shape), input.dtype)
    return cast(y if bias is None else y + bias.reshape(-1, *[1] * (y.ndim - 2)), dtype)


def _transpose_convolve(input: Array, weight: Array, bias, stride, padding, output_padding, groups, dilation) -> Array:
    _check_shapes(input, weight, bias, groups, True, " ")
    if any(o >= s and o >= d for o, s, d in zip(output_padding, stride, dilation)):
        shown = (("output_padding", output_padding), ("stride", stride), ("dilation", dilation))
        raise RuntimeError(
            "output padding must be smaller than either stride or dilation, but got "
            + " ".join(_labelled(name, sizes) for name, sizes in shown)
        )
    rows = zip(input.shape[2:], weight.shape[2:], stride, padding, dilation, output_padding)
    sizes = tuple((n - 1) * s - 2 * p + d * (k - 1) + o + 1 for n, k, s, p, d, o in rows)
    if min(sizes) < 1:
        raise RuntimeError(
            f"Given input size per channel: {_times(input.shape[2:])}. "
            f"Calculated output size per channel: {_times(sizes)}. Output size is too small"
        )
    if weight.dtype != input.dtype:
        _check_dtypes(input, weight, None)
    _check_dtypes(input, weight, bias)
    kernel = f"slow_conv_transpose{max(input.ndim - 2, 2)}d_out_cpu"
    _errors.check_dtype(kernel, _dtypes.to_dtype(input.dtype), "ihfc" if input.dtype == jnp.int64 else "hfc")
    edges = tuple((p, p - o) for p, o in zip(padding, output_padding))
    geometry = Geometry(stride, edges, dilation, groups)
    shape = (weight.shape[1] * groups, *sizes)
    return _compute(lambda x, w: convolve_transposed(x, w, geometry, sizes), input, weight, bias, shape)


def _prepare(input: Array, weight: Array, bias, stride, padding, dilation, output_padding, groups, transposed):
    """`torch.convolution` on a batch: numbers given once or for each dimension, `padding` also 'same' or 'valid'."""
    if weight.ndim < 3:
        raise RuntimeError("weight should have at least three dimensions")
    groups, ndim = operator.index(groups), weight.ndim - 2
    if isinstance(padding, str):
        return _string_padded(input, weight, bias, stride, padding, dilation, groups)
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    stride, dilation = _per_dim("stride", stride, ndim), _per_dim("dilation", dilation, ndim)
    padding = _per_dim("padding", padding, ndim)
    output_padding = _per_dim("output_padding", output_padding, ndim)
    _check_numbers(stride, padding, dilation, output_padding)
    if transposed:
        return _transpose_convolve(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return _convolve(input, weight, bias, stride, padding, dilation, groups)


def _string_padded(input: Array, weight: Array, bias, stride, padding: str, dilation, groups: int) -> Array:
    ndim = weight.ndim - 2
    if padding == "valid":
        return _prepare(input, weight, bias, stride, 0, dilation, 0, groups, False)
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    if weight.ndim != input.ndim:
        _check_shapes(input, weight, bias, 1, False, "")
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    stride, dilation = _per_dim("stride", stride, ndim), _per_dim("dilation", dilation, ndim)
    if any(s != 1 for s in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:])]
    _check_numbers(stride, total, dilation, (0,))
    edges = tuple((n // 2, n - n // 2) for n in total)
    return _convolve(input, weight, bias, stride, edges, dilation, groups, gap="")


def _batched(name: str, ndim: int, input: Array, weight: Array, *arguments) -> Array:
    """`_prepare` for an input with or without a batch dimension."""
    _check_input(name, input, ndim)
    bias, *numbers, groups, transposed = arguments
    numbers = [n if isinstance(n, list | tuple | str) else (n,) * ndim for n in numbers]
    arguments = (bias, *numbers, groups, transposed)
    if input.ndim == ndim + 1:
        return _prepare(input[None], weight, *arguments)[0]
    return _prepare(input, weight, *arguments)


# -- the public functions ---------------------------------------------------------------------------------------------


def conv1d(input: Array, weight: Array, bias: Array | None = None, stride=1, padding=0, dilation=1, groups=1) -> Array:
    """Cross-correlate ``[N, C, L]`` (or ``[C, L]``) with ``[O, C / groups, k]``; see `conv2d`.

    Example:
        >>> conv1d(jnp.array([[[1.0, 2.0, 3.0]]]), jnp.ones((1, 1, 2)))
        Array([[[3., 5.]]], dtype=float32)
    """
    return _batched("conv1d", 1, input, weight, bias, stride, padding, dilation, 0, groups, False)


def conv2d(input: Array, weight: Array, bias: Array | None = None, stride=1, padding=0, dilation=1, groups=1) -> Array:
    """Cross-correlate ``[N, C, H, W]`` (or ``[C, H, W]``) with ``[O, C / groups, kh, kw]`` and add the bias.

    ``y[n, o, i, j] = bias[o] + sum(weight[o, c, k, l] * x[n, c, i * stride + k * dilation - padding, ...])``

    Args:
        padding: zeros added on both sides, ``'valid'`` (none) or ``'same'`` (as many as keep the size; stride 1 only).
        groups: number of blocks into which input and output channels are divided; block i sees only block i.

    Shape:
        ``[N, O, H', W']`` with ``H' = (H + 2 * padding - dilation * (kh - 1) - 1) // stride + 1``.

    Example:
        >>> conv2d(jnp.ones((1, 1, 3, 3)), jnp.ones((1, 1, 3, 3)), padding=1)[0, 0, 0]
        Array([4., 6., 4.], dtype=float32)
    """
    return _batched("conv2d", 2, input, weight, bias, stride, padding, dilation, 0, groups, False)


def conv3d(input: Array, weight: Array, bias: Array | None = None, stride=1, padding=0, dilation=1, groups=1) -> Array:
    """Cross-correlate ``[N, C, D, H, W]`` (or ``[C, D, H, W]``) with ``[O, C / groups, kd, kh, kw]``; see `conv2d`.

    Example:
        >>> conv3d(jnp.ones((1, 1, 2, 2, 2)), jnp.ones((1, 1, 2, 2, 2))).ravel()
        Array([8.], dtype=float32)
    """
    return _batched("conv3d", 3, input, weight, bias, stride, padding, dilation, 0, groups, False)


def _transposed(name: str, ndim: int, input, weight, bias, stride, padding, output_padding, groups, dilation) -> Array:
    if isinstance(padding, str):
        raise TypeError(f"{name}(): argument 'padding' must be tuple of ints, not str")
    return _batched(name, ndim, input, weight, bias, stride, padding, dilation, output_padding, groups, True)


def conv_transpose1d(
    input: Array, weight: Array, bias: Array | None = None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
) -> Array:
    """Transposed convolution of ``[N, C, L]`` (or ``[C, L]``) with ``[C, O / groups, k]``; see `conv_transpose2d`.

    Example:
        >>> conv_transpose1d(jnp.array([[[1.0, 2.0]]]), jnp.ones((1, 1, 2)))
        Array([[[1., 3., 2.]]], dtype=float32)
    """
    arguments = (stride, padding, output_padding, groups, dilation)
    return _transposed("conv_transpose1d", 1, input, weight, bias, *arguments)


def conv_transpose2d(
    input: Array, weight: Array, bias: Array | None = None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
) -> Array:
    """The gradient of `conv2d` by its input, as a layer: ``[N, C, H, W]`` (or ``[C, H, W]``), ``[C, O / groups, *]``.

    Args:
        padding: rows and columns taken off each side of the result.
        output_padding: rows and columns added to one side, to tell apart sizes that a stride makes equal.

    Shape:
        ``[N, O, H', W']`` with
        ``H' = (H - 1) * stride - 2 * padding + dilation * (kh - 1) + output_padding + 1``.

    Example:
        >>> conv_transpose2d(jnp.ones((1, 1, 2, 2)), jnp.ones((1, 1, 2, 2)))[0, 0]
        Array([[1., 2., 1.],
               [2., 4., 2.],
               [1., 2., 1.]], dtype=float32)
    """
    arguments = (stride, padding, output_padding, groups, dilation)
    return _transposed("conv_transpose2d", 2, input, weight, bias, *arguments)


def conv_transpose3d(
    input: Array, weight: Array, bias: Array | None = None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
) -> Array:
    """Transposed convolution of ``[N, C, D, H, W]`` with ``[C, O / groups, kd, kh, kw]``; see `conv_transpose2d`.

    Example:
        >>> conv_transpose3d(jnp.ones((1, 1, 1, 1, 1)), jnp.ones((1, 1, 2, 2, 2))).shape
        (1, 1, 2, 2, 2)
    """
    arguments = (stride, padding, output_padding, groups, dilation)
    return _transposed("conv_transpose3d", 3, input, weight, bias, *arguments)


def convolution(
    input: Array, weight: Array, bias: Array | None, stride, padding, dilation, transposed: bool, output_padding, groups
) -> Array:
    """A convolution of a batch in as many dimensions as `weight` has, transposed or not; see `conv2d`.

    Example:
        >>> convolution(jnp.ones((1, 1, 3)), jnp.ones((1, 1, 2)), None, [1], [0], [1], False, [0], 1)
        Array([[[2., 2.]]], dtype=float32)
    """
    return _prepare(input, weight, bias, stride, padding, dilation, output_padding, groups, transposed)


def conv_tbc(input: Array, weight: Array, bias: Array, pad: int = 0) -> Array:
    """`conv1d` of ``[L, N, C]`` with ``[k, C, O]``: time, batch, channels.

    Example:
        >>> conv_tbc(jnp.ones((3, 1, 1)), jnp.ones((2, 1, 1)), jnp.zeros(1)).ravel()
        Array([2., 2.], dtype=float32)
    """
    if input.shape[2] != weight.shape[1]:
        raise RuntimeError("Input dim 2 (input channels) is not == dim 1 in the weight tensor")
    return conv1d(input.transpose(1, 2, 0), weight.transpose(2, 1, 0), bias, padding=pad).transpose(2, 0, 1)


# -- gradients as functions of their own ------------------------------------------------------------------------------


def _check_gradient(y: Array, grad_output: Array) -> Array:
    if grad_output.shape != y.shape:
        raise RuntimeError(f"Expected grad_output of size {brackets(y.shape)}, but got {brackets(grad_output.shape)}")
    if grad_output.dtype != y.dtype:
        raise RuntimeError(f"expected scalar type {scalar_name(grad_output)} but found {scalar_name(y)}")
    return grad_output


def convolution_input_gradient(
    input_size: Sequence[int], weight: Array, grad_output: Array, stride=1, padding=0, dilation=1, groups=1
) -> Array:
    """The gradient of a convolution of a batch by its input: ``[N, C, *]`` from ``[N, O, *]``.

    Example:
        >>> convolution_input_gradient((1, 1, 3), jnp.ones((1, 1, 2)), jnp.ones((1, 1, 2)))
        Array([[[1., 2., 1.]]], dtype=float32)
    """
    numbers = (None, stride, padding, dilation, 0, groups, False)
    y, pull = jax.vjp(lambda x: _prepare(x, weight, *numbers), jnp.zeros(tuple(input_size), weight.dtype))
    return pull(_check_gradient(y, grad_output))[0]


def convolution_weight_gradient(
    input: Array, weight_size: Sequence[int], grad_output: Array, stride=1, padding=0, dilation=1, groups=1
) -> Array:
    """The gradient of a convolution of a batch by its weight: ``[O, C / groups, *]`` from ``[N, O, *]``.

    Example:
        >>> convolution_weight_gradient(jnp.ones((1, 1, 3)), (1, 1, 2), jnp.ones((1, 1, 2)))
        Array([[[2., 2.]]], dtype=float32)
    """
    numbers = (None, stride, padding, dilation, 0, groups, False)
    y, pull = jax.vjp(lambda w: _prepare(input, w, *numbers), jnp.zeros(tuple(weight_size), input.dtype))
    return pull(_check_gradient(y, grad_output))[0]
