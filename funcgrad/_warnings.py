"""Warnings that PyTorch gives once in a program, unless ``torch.set_warn_always(True)``."""

from __future__ import annotations

import sys
import warnings

_given: set[str] = set()
_always = [False]
PACKAGE = __name__.split(".")[0]


def warn_once(message: str, category: type = UserWarning, key: str | None = None) -> None:
    """Warn at the line of the user's code, the first time only.

    Args:
        key: what counts as the same warning; by default its text.
    """
    key = key or message
    if key in _given and not _always[0]:
        return
    _given.add(key)
    frame, level = sys._getframe(1), 2
    while frame is not None and _is_inside(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _is_inside(module: str) -> bool:
    return module.split(".")[0] in (PACKAGE, "jax", "contextlib")


def set_warn_always(b: bool) -> None:
    """Whether warnings that come once in a program come every time.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.set_warn_always.html
    """
    _always[0] = bool(b)


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` was last given."""
    return _always[0]
