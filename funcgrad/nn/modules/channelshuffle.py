"""Channel shuffle. See https://docs.pytorch.org/docs/stable/generated/torch.nn.ChannelShuffle.html."""

from __future__ import annotations

from funcgrad.nn import functional as F
from funcgrad.nn.modules.module import Module


class ChannelShuffle(Module):
    """Split the channels into groups and interleave these.

    Args:
        groups: how many.
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input):
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"
