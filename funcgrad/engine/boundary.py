"""Where a loop without gradients repeats itself: the outermost call of a module."""

from __future__ import annotations

import threading
import weakref

from funcgrad.engine import launch as _launch
from funcgrad.engine.explain import compiles
from funcgrad.engine.state import state

PATIENCE = 3


class _Calls(threading.local):
    """The outermost calls of this thread.

    Attributes:
        depth: how many calls deep we are.
        serial, owners: a pending program, and the modules called in it.
        compiled: how many programs had been compiled at the last launch made here.
        misses: for each module, how many launches in a row made here had to compile.
    """

    def __init__(self):
        self.depth = 0
        self.serial = 0
        self.owners: set[int] = set()
        self.compiled = 0
        self.misses = weakref.WeakKeyDictionary()


_calls = _Calls()


def no_grad_call(owner, function, args, kwargs):
    """Call `function`; when `owner` was already called in the pending program, launch that program first.

    A validation loop never differentiates and may not look at a value before its end. Launching once per outermost
    call of the same module gives it one program per batch instead of one that grows with the loop. Where what happens
    between the calls has other shapes each time (text that grows by a token), that would compile the module anew each
    time: after `PATIENCE` such launches the module's call becomes a program of its own.
    """
    if _calls.depth or state.program.traced or state.capture is not None:
        return _nested(function, args, kwargs)
    alone = _calls.misses.get(owner, 0) >= PATIENCE
    if alone:
        _launch.launch("a module was called")
    elif _calls.serial != state.program.serial:
        _begin(owner)
    elif id(owner) in _calls.owners:
        _launch.launch("a module was called again without gradients")
        missed = compiles() != _calls.compiled
        _calls.misses[owner] = _calls.misses.get(owner, 0) + 1 if missed else 0
        _calls.compiled = compiles()
        _begin(owner)
    else:
        _calls.owners.add(id(owner))
    result = _nested(function, args, kwargs)
    if alone:
        _launch.launch("a module was called")
    return result


def _begin(owner) -> None:
    _calls.serial = state.program.serial
    _calls.owners = {id(owner)}


def _nested(function, args, kwargs):
    _calls.depth += 1
    try:
        return function(*args, **kwargs)
    finally:
        _calls.depth -= 1
