"""What was compiled, why, and how long it took, in words."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import warnings

from funcgrad.engine import eviction, interpret

SLOW = 2.0
"""Compiles that take longer than this many seconds say so on stderr."""

_log: list = []


@contextlib.contextmanager
def compiling(executable):
    """Around a launch: the first one of an executable traces and compiles it."""
    if executable.is_compiled or executable.interpreted:
        yield
        return
    size = sum(e.op is not None for e in executable.path)
    notice = threading.Timer(SLOW, _announce, (size, site(executable)))
    notice.daemon = True
    notice.start()
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an op's warnings were given at its line, when it was recorded
            yield
    finally:
        notice.cancel()
        executable.seconds = time.perf_counter() - start
    executable.is_compiled = True
    _log.append(executable)
    eviction.note(executable)
    if os.environ.get("FUNCGRAD_EXPLAIN"):
        print("funcgrad: " + describe(executable), file=sys.stderr)


def _announce(size: int, where: str) -> None:
    print(f"funcgrad: compiling a program of {size} ops that begins at {where} ...", file=sys.stderr, flush=True)


def site(executable) -> str:
    return next((e.site for e in executable.path if e.site), "?")


def compiles() -> int:
    """How many programs have been compiled so far in this process."""
    return len(_log)


def describe(executable) -> str:
    size = sum(e.op is not None for e in executable.path)
    times = f"{executable.launches} time{'s' if executable.launches != 1 else ''}"
    return (
        f"program of {size} ops from {site(executable)}, compiled in {executable.seconds:.2f} s because "
        f"{executable.reason}; {cause(executable)}; ran {times}"
    )


def cause(executable) -> str:
    """Why no earlier executable would do: where this structure parted from an earlier one, or what is held."""
    node = executable.node
    if len(node.executables or ()) > 1:
        return "the same ops ran before, but other values of them are still held now"
    while node.parent is not None:
        if len(node.parent.children) > 1:
            return _difference(node)
        node = node.parent
    return "it is the first of its kind"


def _difference(node) -> str:
    entry = node.entry
    siblings = [c for c in node.parent.children.values() if c is not node]
    for other in siblings:
        theirs = other.entry
        if entry.op is None and theirs.op is None:
            return f"an input is {entry.outs[0][0]} where it was {theirs.outs[0][0]}"
        if entry.op is theirs.op and entry.op is not None:
            if entry.reads != theirs.reads:
                return f"{entry.op} reads other values than before, at {entry.site}"
            return f"{entry.op} has other constants than before, at {entry.site}: {_constants(entry)} instead of {_constants(theirs)}"
    return f"{entry.op or 'an input'} where {siblings[0].entry.op or 'an input'} was recorded before, at {entry.site}"


def _constants(entry) -> str:
    kwargs = [f"{k}={v!r}" for k, v in (entry.kwargs or {}).items()]
    return "(" + ", ".join([*map(repr, entry.args), *kwargs]) + ")"


def explain(file=None) -> None:
    """Say which programs were compiled, how long each took, how often each ran, and why each was needed.

    Args:
        file: where to print; standard output by default.

    Example:
        >>> import funcgrad as torch
        >>> torch.explain()  # doctest: +SKIP
    """
    total = sum(e.seconds for e in _log)
    print(f"funcgrad compiled {len(_log)} programs in {total:.2f} s", file=file)
    for executable in _log:
        print("  " + describe(executable), file=file)
    for where, (count, seconds) in interpret.runs.items():
        print(
            f"  {count} programs that end at {where}, new almost each time: run op by op in {seconds:.2f} s", file=file
        )
