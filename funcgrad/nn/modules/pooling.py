"""Pooling layers. See https://docs.pytorch.org/docs/stable/nn.html#pooling-layers."""

from __future__ import annotations

from funcgrad.nn import functional as F
from funcgrad.nn.modules.module import Module
from funcgrad.nn.modules.utils import _ntuple, _single


class _MaxPoolNd(Module):
    def __init__(
        self, kernel_size, stride=None, padding=0, dilation=1, return_indices: bool = False, ceil_mode: bool = False
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input):
        return getattr(F, self._function)(
            input, self.kernel_size, self.stride, self.padding, self.dilation, ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class _AvgPoolNd(Module):
    def __init__(
        self,
        kernel_size,
        stride=None,
        padding=0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override=None,
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input):
        return getattr(F, self._function)(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPoolNd):
    """The mean of each window of ``(N, C, L)``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool1d.html
    """

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode: bool = False, count_include_pad: bool = True):
        Module.__init__(self)
        self.kernel_size = _single(kernel_size)
        self.stride = _single(kernel_size if stride is None else stride)
        self.padding = _single(padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input):
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class _LPPoolNd(Module):
    def __init__(self, norm_type: float, kernel_size, stride=None, ceil_mode: bool = False):
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input):
        return getattr(F, self._function)(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, ceil_mode={self.ceil_mode}"


class _AdaptiveAvgPoolNd(Module):
    def __init__(self, output_size):
        super().__init__()
        self.output_size = output_size

    def forward(self, input):
        return getattr(F, self._function)(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _AdaptiveMaxPoolNd(Module):
    def __init__(self, output_size, return_indices: bool = False):
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input):
        return getattr(F, self._function)(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _MaxUnpoolNd(Module):
    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__()
        several = _ntuple(self._rank)
        self.kernel_size = several(kernel_size)
        self.stride = several(stride if stride is not None else kernel_size)
        self.padding = several(padding)

    def forward(self, input, indices, output_size=None):
        return getattr(F, self._function)(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _FractionalMaxPoolNd(Module):
    def __init__(
        self, kernel_size, output_size=None, output_ratio=None, return_indices: bool = False, _random_samples=None
    ):
        super().__init__()
        several = _ntuple(self._rank)
        if self._rank == 3 and any(k <= 0 for k in several(kernel_size)):
            raise ValueError(f"kernel_size must be greater than 0, but got {kernel_size}")
        self.kernel_size = several(kernel_size)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else several(output_size)
        self.output_ratio = None if output_ratio is None else several(output_ratio)
        if output_size is None and output_ratio is None:
            raise ValueError(f"{type(self).__name__} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input):
        return getattr(F, self._function)(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples
        )


def _pool(name: str, base: type, function: str, summary: str) -> type:
    doc = f"""{summary}

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.{name}.html
    """
    rank = int(name[-2])
    return type(name, (base,), {"_function": function, "_rank": rank, "__doc__": doc, "__module__": __name__})


_FAMILIES = {
    "MaxPool": (_MaxPoolNd, "max_pool", "The maximum of each window of the last {} dimensions."),
    "AvgPool": (_AvgPoolNd, "avg_pool", "The mean of each window of the last {} dimensions."),
    "LPPool": (_LPPoolNd, "lp_pool", "The p-norm of each window of the last {} dimensions."),
    "AdaptiveAvgPool": (
        _AdaptiveAvgPoolNd,
        "adaptive_avg_pool",
        "Means of windows that make {} dimensions a given size.",
    ),
    "AdaptiveMaxPool": (
        _AdaptiveMaxPoolNd,
        "adaptive_max_pool",
        "Maxima of windows that make {} dimensions a given size.",
    ),
    "MaxUnpool": (_MaxUnpoolNd, "max_unpool", "Undo max-pooling over {} dimensions, given the maxima's places."),
}
_FRACTIONAL = "The maximum of windows at pseudo-random distances over the last {} dimensions."
for _rank in (2, 3):
    globals()[f"FractionalMaxPool{_rank}d"] = _pool(
        f"FractionalMaxPool{_rank}d", _FractionalMaxPoolNd, f"fractional_max_pool{_rank}d", _FRACTIONAL.format(_rank)
    )
for _family, (_base, _function, _summary) in _FAMILIES.items():
    for _rank in (1, 2, 3):
        if f"{_family}{_rank}d" not in globals():
            globals()[f"{_family}{_rank}d"] = _pool(
                f"{_family}{_rank}d", _base, f"{_function}{_rank}d", _summary.format(_rank)
            )
