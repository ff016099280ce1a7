"""The C library's memory settings that suit XLA on the CPU."""

from __future__ import annotations

import ctypes
import os

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
_LARGE = 2**31 - 1


def keep_freed_memory() -> bool:
    """Make the C library keep the memory that programs free, for the next step to use again.

    XLA's CPU runtime takes every step's temporaries from ``malloc``. By default glibc maps blocks of 32 MB and more
    from the kernel and gives them back each time, so that every step faults all its pages in again: a third of a GPT
    step (95 ms before, 64 after), a fifth of ResNet-20's (148, 116). The price is that the process keeps its peak
    memory.

    ``python -m funcgrad`` does this unless ``FUNCGRAD_MALLOC=0``. In a program of your own call it first thing, before
    JAX has computed anything.

    Returns:
        Whether it was done: only glibc has these settings.
    """
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018 (raises where there is no glibc)
        mallopt = libc.mallopt
    except (OSError, AttributeError, TypeError):
        return False
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _LARGE), (_M_ARENA_MAX, 1))
    return all([mallopt(ctypes.c_int(name), ctypes.c_int(value)) for name, value in settings])


def wanted() -> bool:
    """Whether the environment leaves ``python -m funcgrad`` free to do it."""
    return os.environ.get("FUNCGRAD_MALLOC", "1") != "0"
