"""Convolutions. See https://docs.pytorch.org/docs/stable/nn.html#convolution-layers."""

from __future__ import annotations

import math

from funcgrad._facade import _creation
from funcgrad.nn import functional as F
from funcgrad.nn import init
from funcgrad.nn.modules.lazy import LazyModuleMixin
from funcgrad.nn.modules.module import Module
from funcgrad.nn.modules.utils import _ntuple
from funcgrad.nn.parameter import Parameter, UninitializedParameter

_empty = _creation.creation_form("empty")


class _ConvNd(Module):
    """What all convolutions share: checks, weights, padding modes, repr."""

    def __init__(
        self, in_channels, out_channels, kernel_size, stride, padding, dilation, transposed, output_padding, groups,
        bias, padding_mode, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        _check(in_channels, out_channels, groups, padding, stride, padding_mode)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.output_padding = output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = _each_side(padding, kernel_size, dilation)
        first, second = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        self.weight = Parameter(_empty((first, second // groups, *kernel_size), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(_empty((out_channels,), device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights and bias uniformly from ``±1/sqrt(fan_in)``."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * len(self.padding):
            text += f", padding={self.padding}"
        if self.dilation != (1,) * len(self.dilation):
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * len(self.output_padding):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        return text + (f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else "")

    def __setstate__(self, state) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("padding_mode", "zeros")


def _check(in_channels, out_channels, groups, padding, stride, padding_mode) -> None:
    if groups <= 0:
        raise ValueError("groups must be a positive integer")
    if in_channels % groups != 0:
        raise ValueError("in_channels must be divisible by groups")
    if out_channels % groups != 0:
        raise ValueError("out_channels must be divisible by groups")
    if isinstance(padding, str):
        valid = {"same", "valid"}
        if padding not in valid:
            raise ValueError(f"Invalid padding string {padding!r}, should be one of {valid}")
        if padding == "same" and any(s != 1 for s in stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
    modes = {"zeros", "reflect", "replicate", "circular"}
    if padding_mode not in modes:
        raise ValueError(f"padding_mode must be one of {modes}, but got padding_mode='{padding_mode}'")


def _each_side(padding, kernel_size, dilation) -> list[int]:
    """What `F.pad` takes: the padding before and after each dimension, the last dimension first."""
    if not isinstance(padding, str):
        return [p for p in reversed(padding) for _ in range(2)]
    sides = [0, 0] * len(kernel_size)
    if padding == "same":
        for i, (d, k) in enumerate(zip(dilation, kernel_size)):
            total = d * (k - 1)
            at = 2 * (len(kernel_size) - 1 - i)
            sides[at], sides[at + 1] = total // 2, total - total // 2
    return sides


def _convolution(rank: int, name: str, shape: str) -> type:
    tuple_ = _ntuple(rank)
    function = f"conv{rank}d"

    class Conv(_ConvNd):
        def __init__(
            self, in_channels: int, out_channels: int, kernel_size, stride=1, padding=0, dilation=1, groups: int = 1,
            bias: bool = True, padding_mode: str = "zeros", device=None, dtype=None,
        ):  # fmt: skip
            padding = padding if isinstance(padding, str) else tuple_(padding)
            super().__init__(
                in_channels, out_channels, tuple_(kernel_size), tuple_(stride), padding, tuple_(dilation), False,
                tuple_(0), groups, bias, padding_mode, device, dtype,
            )  # fmt: skip

        def _conv_forward(self, input, weight, bias):
            padding = self.padding
            if self.padding_mode != "zeros":
                input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
                padding = (0,) * rank
            return getattr(F, function)(input, weight, bias, self.stride, padding, self.dilation, self.groups)

        def forward(self, input):
            return self._conv_forward(input, self.weight, self.bias)

    return _finished(Conv, name, "A convolution: each output is a weighted sum over a window of the input.", shape)


def _transposed(rank: int, name: str, shape: str) -> type:
    tuple_ = _ntuple(rank)
    function = f"conv_transpose{rank}d"

    class ConvTranspose(_ConvTransposeNd):
        def __init__(
            self, in_channels: int, out_channels: int, kernel_size, stride=1, padding=0, output_padding=0,
            groups: int = 1, bias: bool = True, dilation=1, padding_mode: str = "zeros", device=None, dtype=None,
        ):  # fmt: skip
            super().__init__(
                in_channels, out_channels, tuple_(kernel_size), tuple_(stride), tuple_(padding), tuple_(dilation), True,
                tuple_(output_padding), groups, bias, padding_mode, device, dtype,
            )  # fmt: skip

        def forward(self, input, output_size=None):
            if self.padding_mode != "zeros":
                raise ValueError(f"Only `zeros` padding mode is supported for {name}")
            extra = self._output_padding(input, output_size, rank)
            return getattr(F, function)(
                input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
            )

    return _finished(ConvTranspose, name, "The transpose of a convolution: what its gradient does to an input.", shape)


class _ConvTransposeNd(_ConvNd):
    def __init__(self, *args):
        if args[10] != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(*args)

    def _output_padding(self, input, output_size, rank: int):
        """The output padding that gives `output_size`."""
        if output_size is None:
            return self.output_padding
        spatial = input.dim() - rank
        if len(output_size) == rank + spatial:
            output_size = output_size[spatial:]
        if len(output_size) != rank:
            raise ValueError(
                f"ConvTranspose{rank}D: for {input.dim()}D input, output_size must have {rank} or {spatial + rank} elements "
                f"(got {len(output_size)})"
            )
        low = [
            (input.size(d + spatial) - 1) * self.stride[d]
            - 2 * self.padding[d]
            + self.dilation[d] * (self.kernel_size[d] - 1)
            + 1
            for d in range(rank)
        ]
        high = [low[d] + self.stride[d] - 1 for d in range(rank)]
        for size, least, most in zip(output_size, low, high):
            if size < least or size > most:
                raise ValueError(
                    f"requested an output size of {output_size}, but valid sizes range from {low} to {high} (for an input of "
                    f"{input.size()[2:]})"
                )
        return tuple(output_size[d] - low[d] for d in range(rank))


def _finished(cls: type, name: str, summary: str, shape: str) -> type:
    cls.__name__ = cls.__qualname__ = name
    cls.__doc__ = f"""{summary}

    Args:
        in_channels, out_channels: the numbers of channels.
        kernel_size, stride, padding, dilation: of the window; one number, or one for each dimension.
        groups: split the channels into so many independent convolutions.
        bias: whether to add a learned bias.
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.

    Shape:
        ``{shape}``, with or without the batch dimension.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.{name}.html
    """
    return cls


Conv1d = _convolution(1, "Conv1d", "(N, C, L)")
Conv2d = _convolution(2, "Conv2d", "(N, C, H, W)")
Conv3d = _convolution(3, "Conv3d", "(N, C, D, H, W)")
ConvTranspose1d = _transposed(1, "ConvTranspose1d", "(N, C, L)")
ConvTranspose2d = _transposed(2, "ConvTranspose2d", "(N, C, H, W)")
ConvTranspose3d = _transposed(3, "ConvTranspose3d", "(N, C, D, H, W)")


_BIAS_AT = 4  # where behind the kernel's size all convolutions take `bias`


class _LazyConvXdMixin(LazyModuleMixin):
    """A convolution that takes `in_channels` from its first input."""

    _rank: int

    def __init__(self, out_channels: int, kernel_size, *args, bias: bool = True, device=None, dtype=None, **kwargs):
        options = {"device": device, "dtype": dtype}
        if len(args) > _BIAS_AT:
            bias, args = args[_BIAS_AT], (*args[:_BIAS_AT], False, *args[_BIAS_AT + 1 :])
        else:
            kwargs["bias"] = False
        super().__init__(0, 0, kernel_size, *args, **options, **kwargs)
        self.weight = UninitializedParameter(**options)
        self.out_channels = out_channels
        if bias:
            self.bias = UninitializedParameter(**options)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input, *args, **kwargs) -> None:
        """Take `in_channels` from `input`."""
        if not self.has_uninitialized_params():
            return
        self.in_channels = self._get_in_channels(input)
        if self.in_channels % self.groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        pair = (self.in_channels, self.out_channels) if self.transposed else (self.out_channels, self.in_channels)
        self.weight.materialize((pair[0], pair[1] // self.groups, *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()

    def _get_in_channels(self, input) -> int:
        plain = self._rank + 1
        if input.dim() not in (plain, plain + 1):
            raise RuntimeError(
                f"Expected {plain}D (unbatched) or {plain + 1}D (batched) input to {type(self).__name__}, but got input "
                f"of size: {input.shape}"
            )
        return input.shape[input.dim() - plain]

    def _get_num_spatial_dims(self) -> int:
        return self._rank


def _lazy(full: type) -> type:
    name = full.__name__
    doc = f"`{name}` that takes `in_channels` from its first input.\n\n    Args:\n        as of `{name}`.\n    "
    members = {"cls_to_become": full, "_rank": int(name[-2]), "__doc__": doc, "__module__": __name__}
    return type(f"Lazy{name}", (_LazyConvXdMixin, full), members)


LazyConv1d, LazyConv2d, LazyConv3d = map(_lazy, (Conv1d, Conv2d, Conv3d))
LazyConvTranspose1d, LazyConvTranspose2d, LazyConvTranspose3d = map(
    _lazy, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
)
