"""``torch.backends.openmp``: XLA uses threads of its own."""

from __future__ import annotations


def is_available() -> bool:
    """True, as PyTorch's builds say."""
    return True
