"""Forgetting compiled programs that have not run for a while, so that a process can compile any number of them.

NOTE: [Compiled programs take memory maps] XLA maps the machine code of each program for the CPU in a dozen pieces or
more, and Linux allows a process 65,530 of them: after some 4,000 small programs XLA reports "Cannot allocate memory" and
the process dies. So when half of the maps are in use, the programs that ran longest ago lose their machine code. Their
structure stays; one that comes again is compiled again.
"""

from __future__ import annotations

import gc

import jax

CHECKED_EVERY = 64
"""Compilations between two looks at the number of maps: reading it takes some milliseconds."""
MOST = 4096
"""How many compiled programs are kept where the system does not tell its maps."""

_compiled: list = []
_count = 0


def note(executable=None) -> None:
    """Something was compiled: `executable`, or a program of a single op."""
    global _count
    _count += 1
    if executable is not None:
        _compiled.append(executable)
    if _count % CHECKED_EVERY == 0 and _is_full():
        forget()


def forget() -> None:
    """Drop the machine code of the half of all programs that ran longest ago."""
    from funcgrad.engine import interpret

    _compiled.sort(key=lambda executable: executable.used)
    half = len(_compiled) // 2
    for executable in _compiled[:half]:
        executable.uncompile()
    del _compiled[:half]
    interpret.forget()
    gc.collect()
    if _is_full():
        jax.clear_caches()


def _is_full() -> bool:
    try:
        with open("/proc/sys/vm/max_map_count") as limit, open("/proc/self/maps", "rb") as maps:
            return maps.read().count(b"\n") > int(limit.read()) // 2
    except OSError:
        return len(_compiled) > MOST
