"""``torch.backends.nnpack``: never used."""

from __future__ import annotations

import contextlib


def is_available() -> bool:
    """False."""
    return False


def flags(enabled=False):
    """Accepted; nothing changes."""
    return contextlib.nullcontext()
