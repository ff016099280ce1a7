"""``torch.utils.tensorboard``: importable; its writer is not supported."""

from __future__ import annotations

from funcgrad._errors import unsupported

__all__ = ["FileWriter", "SummaryWriter"]


class SummaryWriter:
    """Not supported: write your metrics with tensorboardX, or ``tf.summary``, whose writers take NumPy values.

    Raises:
        NotImplementedError: when one is made.
    """

    def __init__(self, *args, **kwargs):
        raise unsupported(
            "torch.utils.tensorboard.SummaryWriter", "tensorboardX.SummaryWriter has the same methods and takes floats"
        )


class FileWriter(SummaryWriter):
    """Not supported, like `SummaryWriter`."""
