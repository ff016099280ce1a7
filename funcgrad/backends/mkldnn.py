"""``torch.backends.mkldnn``: oneDNN: kept; XLA has its own kernels."""

from __future__ import annotations

import contextlib

enabled = True
deterministic = False
allow_tf32 = True
VERBOSE_OFF, VERBOSE_ON = 0, 1


def is_available() -> bool:
    """True, as PyTorch's builds say."""
    return True


def flags(enabled=False, deterministic=False, allow_tf32=True, fp32_precision="none"):
    """Accepted; nothing changes."""
    return contextlib.nullcontext()


class verbose(contextlib.nullcontext):
    """Accepted; nothing is printed."""
