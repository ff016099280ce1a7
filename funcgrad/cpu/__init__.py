"""``torch.cpu``: the CPU under the names of the other devices' modules.

See https://docs.pytorch.org/docs/stable/cpu.html.
"""

from __future__ import annotations

from funcgrad.cpu import amp as amp


def is_available() -> bool:
    """True: there is always a CPU."""
    return True


def device_count() -> int:
    """One."""
    return 1


def current_device() -> str:
    """``"cpu"``."""
    return "cpu"


def set_device(device) -> None:
    """Accepted as in PyTorch."""


def synchronize(device=None) -> None:
    """Accepted as in PyTorch."""
