"""``torch.backends.mha``: the fast path of attention."""

from __future__ import annotations

_fast = [True]


def get_fastpath_enabled() -> bool:
    """What was set last."""
    return _fast[0]


def set_fastpath_enabled(value: bool) -> None:
    """Accepted and kept; attention is always XLA's."""
    _fast[0] = bool(value)
