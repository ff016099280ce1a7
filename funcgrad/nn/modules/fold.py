"""Sliding blocks. See https://docs.pytorch.org/docs/stable/generated/torch.nn.Unfold.html."""

from __future__ import annotations

from funcgrad.nn import functional as F
from funcgrad.nn.modules.module import Module


class Fold(Module):
    """Add sliding blocks up to an image: ``(N, C * block, L)`` to ``(N, C, *output_size)``.

    Args:
        output_size: of the image.
        kernel_size, dilation, padding, stride: of the blocks; one number, or one for each dimension.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Fold.html
    """

    _shown = ("output_size", "kernel_size", "dilation", "padding", "stride")

    def __init__(self, output_size, kernel_size, dilation=1, padding=0, stride=1) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input):
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)}" for name in self._shown)


class Unfold(Module):
    """Cut an image into sliding blocks: ``(N, C, *)`` to ``(N, C * block, L)``.

    Args:
        kernel_size, dilation, padding, stride: of the blocks; one number, or one for each dimension.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Unfold.html
    """

    _shown = ("kernel_size", "dilation", "padding", "stride")

    def __init__(self, kernel_size, dilation=1, padding=0, stride=1) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input):
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    extra_repr = Fold.extra_repr
