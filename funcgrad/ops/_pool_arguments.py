"""The arguments of pooling functions: sizes for each dimension, and PyTorch's errors for those that cannot be."""

from __future__ import annotations

import operator
from typing import NamedTuple

from funcgrad.ops._number import Array
from funcgrad.ops._sizes import brackets
from funcgrad.ops._windows import output_size

_TUPLES = {1: "one int", 2: "a tuple of two ints", 3: "a tuple of three ints"}
_LETTERS = {1: "W", 2: "HW", 3: "THW"}
_RANKS = {1: "2D or 3D", 2: "3D or 4D", 3: "4D or 5D"}


class Axis(NamedTuple):
    """The windows along one axis: their number, size, step, the padding on each side and the gap between elements.

    `low` and `high` make the padded axis just as long as the windows reach (`high` may be negative).
    """

    count: int
    kernel: int
    stride: int
    low: int
    high: int
    dilation: int = 1

    @classmethod
    def of(cls, size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> Axis:
        count = output_size(size, kernel, stride, 2 * padding, dilation, ceil_mode)
        reach = (count - 1) * stride + dilation * (kernel - 1) + 1
        return cls(count, kernel, stride, padding, reach - size - padding, dilation)


def integers(value, ndim: int, complaint: str) -> tuple[int, ...]:
    """An integer, or a sequence of 1 or `ndim` of them, as `ndim` integers."""
    values = tuple(map(operator.index, value)) if isinstance(value, list | tuple) else (operator.index(value),)
    if len(values) not in (1, ndim):
        raise RuntimeError(complaint)
    return values * ndim if len(values) == 1 else values


def one_integer(name: str, argument: str, value) -> int:
    """An integer or a sequence of exactly one."""
    values = value if isinstance(value, list | tuple) else (value,)
    if len(values) != 1:
        raise RuntimeError(f"{name}() argument '{argument}' should contain one int (got {len(values)})")
    return operator.index(values[0])


def window_arguments(name: str, ndim: int, kernel_size, stride, padding, dilation=1) -> list[tuple[int, ...]]:
    """Kernel, stride (the kernel where None or empty), padding and dilation for each dimension."""
    either = "" if name == "avg_pool3d" else "either "
    must = {"kernel_size": f"must {either}be", "stride": f"must {either}be omitted,", "padding": f"must {either}be"}
    given = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    result = []
    for argument, value in given.items():
        if argument == "stride" and (value is None or (isinstance(value, list | tuple) and not value)):
            result.append(result[0])
            continue
        text = f"{name}: {argument} {must.get(argument, 'must be either')} a single int, or {_TUPLES[ndim]}"
        result.append(integers(value, ndim, text))
    return result


def _labelled(letters: str, prefix: str, values) -> str:
    return " ".join(f"{prefix}{letter}: {n}" for letter, n in zip(letters, values))


def check_padding(kernel, stride, padding, dilation) -> None:
    if 0 in stride:
        raise RuntimeError("stride should not be zero")
    for p, k, d in zip(padding, kernel, dilation):
        if p < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {p}")
        if p > ((k - 1) * d + 1) // 2:
            raise RuntimeError(
                "pad should be at most half of effective kernel size, "
                f"but got pad={p}, kernel_size={k} and dilation={d}"
            )


def _check_positive(ndim: int, kernel, stride, dilation) -> None:
    letters = _LETTERS[ndim]
    for what, prefix, values in (
        ("kernel size", "k", kernel),
        ("stride", "d", stride),
        ("dilation", "dilation", dilation),
    ):
        if min(values) <= 0:
            raise RuntimeError(f"{what} should be greater than zero, but got {_labelled(letters, prefix, values)}")


def _check_half(ndim: int, kernel, padding) -> None:
    """The kernel without its dilation holds twice the padding."""
    if all(p <= k // 2 for p, k in zip(padding, kernel)):
        return
    if ndim == 2:
        shown = f"padW = {padding[1]}, padH = {padding[0]}, kW = {kernel[1]}, kH = {kernel[0]}"
    else:
        order = [[values[i] for i in (0, 2, 1)] for values in (kernel, padding)]
        shown = f"{_labelled('TWH', 'k', order[0])} {_labelled('TWH', 'pad', order[1])}"
    raise RuntimeError(f"pad should be smaller than or equal to half of kernel size, but got {shown}")


def _check_rank(name: str, input: Array, ndim: int) -> None:
    if input.ndim in (ndim + 1, ndim + 2):
        return
    if name == "avg_pool2d" and input.ndim < 3:
        bound = max(input.ndim, 1)
        raise IndexError(f"Dimension out of range (expected to be in range of [-{bound}, {bound - 1}], but got -3)")
    raise RuntimeError(f"non-empty {_RANKS[ndim]} (batch mode) tensor expected for input")


def _check_empty(name: str, input: Array, ndim: int) -> None:
    """No dimension but the batch is empty."""
    inner = input.shape[1:] if input.ndim == ndim + 2 else input.shape
    if 0 not in inner:
        return
    if ndim == 3:
        kernel = "max_pool3d_with_indices" if name == "max_pool3d" else name
        raise RuntimeError(
            f"{kernel}_out_cpu_template(): Expected input's non-batch dimensions to have positive length, but input "
            f"has a shape of {brackets(input.shape)} and non-batch dimension 0 has length zero!"
        )
    raise RuntimeError(
        f"Expected {_RANKS[ndim]} (batch mode) tensor with optional 0 dim batch size for input, "
        f"but got:{brackets(input.shape)}"
    )


def axes(
    name: str, input: Array, ndim: int, kernel_size, stride, padding, dilation=1, ceil_mode: bool = False
) -> tuple[Axis, ...]:
    """The windows along each of the last `ndim` axes of `input`, all arguments checked."""
    arguments = window_arguments(name, ndim, kernel_size, stride, padding, dilation)
    _check_rank(name, input, ndim)
    kernel, stride, padding, dilation = arguments
    check_padding(*arguments)
    _check_positive(ndim, kernel, stride, dilation)
    _check_empty(name, input, ndim)
    _check_half(ndim, kernel, padding)
    sizes = input.shape[-ndim:]
    result = tuple(Axis.of(*numbers, ceil_mode) for numbers in zip(sizes, *arguments))
    if name == "avg_pool3d" and any(n + 2 * p < k for n, p, k in zip(sizes, padding, kernel)):
        shown = _labelled("THW", "", sizes), _labelled("THW", "k", kernel)
        raise RuntimeError(f"input image ({shown[0]}) smaller than kernel size ({shown[1]})")
    if any(axis.count < 1 for axis in result):
        before, after = (input.shape[-ndim - 1], *sizes), (input.shape[-ndim - 1], *[a.count for a in result])
        raise RuntimeError(
            f"Given input size: ({'x'.join(map(str, before))}). Calculated output size: "
            f"({'x'.join(map(str, after))}). Output size is too small"
        )
    return result


def unpooled_size(input: Array, ndim: int, kernel_size, stride=None, padding=0, output_size=None) -> tuple[int, ...]:
    """The spatial size of what `max_unpool2d` returns; the lengths of the arguments are checked elsewhere."""

    def numbers(value):
        return tuple(value) if isinstance(value, list | tuple) else (value,) * ndim

    kernel, padding = numbers(kernel_size), numbers(padding)
    stride = kernel if stride is None else numbers(stride)
    dims = len(kernel)
    if min(len(stride), len(padding)) < dims:
        raise IndexError("tuple index out of range")
    default = [(n - 1) * s + k - 2 * p for n, k, s, p in zip(input.shape[-dims:], kernel, stride, padding)]
    if output_size is None:
        return tuple(default)
    wanted = tuple(output_size)
    if len(wanted) == dims + 2:
        wanted = wanted[2:]
    if len(wanted) != dims:
        raise ValueError(
            f"output_size should be a sequence containing {dims} or {dims + 2} elements, "
            f"but it has a length of '{len(wanted)}'"
        )
    for d, (n, middle, s) in enumerate(zip(wanted, default, stride)):
        if not middle - s < n < middle + s:
            raise ValueError(f'invalid output_size "{wanted}" (dim {d} must be between {middle - s} and {middle + s})')
    return wanted
