"""Trading channels for pixels. See https://docs.pytorch.org/docs/stable/nn.html#vision-layers."""

from __future__ import annotations

from funcgrad.nn import functional as F
from funcgrad.nn.modules.module import Module


class PixelShuffle(Module):
    """Make larger images of more channels: ``(*, C r^2, H, W)`` to ``(*, C, H r, W r)``.

    Args:
        upscale_factor: `r`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelShuffle.html
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input):
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Make more channels of larger images: ``(*, C, H r, W r)`` to ``(*, C r^2, H, W)``.

    Args:
        downscale_factor: `r`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelUnshuffle.html
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input):
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"
