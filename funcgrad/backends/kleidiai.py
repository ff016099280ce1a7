"""``torch.backends.kleidiai``: never there."""

from __future__ import annotations


def is_available() -> bool:
    """False."""
    return False
