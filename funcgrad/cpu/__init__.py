"""``torch.cpu``: the CPU under the names of the other devices' modules.

See https://docs.pytorch.org/docs/stable/cpu.html.
"""

from __future__ import annotations

import contextlib

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


def is_initialized() -> bool:
    """True."""
    return True


def get_capabilities() -> dict:
    """What PyTorch says of the CPU's instructions; XLA looks for itself."""
    return {}


class Stream:
    """The CPU's only stream."""


class Event:
    """Accepted as in PyTorch; on the CPU events record nothing."""

    def record(self, stream=None) -> None:
        """Accepted as in PyTorch."""

    def query(self) -> bool:
        """True."""
        return True

    def synchronize(self) -> None:
        """Accepted as in PyTorch."""

    wait = record


_STREAM = Stream()


def current_stream(device=None) -> Stream:
    """The only stream."""
    return _STREAM


class StreamContext(contextlib.nullcontext):
    """``with torch.cpu.stream(s)``: nothing changes."""


def stream(stream: Stream) -> StreamContext:
    """A context in which `stream` is current."""
    return StreamContext(stream)
