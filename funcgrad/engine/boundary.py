"""Where a loop without gradients repeats itself: the outermost call of a module."""

from __future__ import annotations

import threading

from funcgrad.engine import launch as _launch
from funcgrad.engine.state import state


class _Depth(threading.local):
    depth = 0
    seen: tuple = (0, set())


_calls = _Depth()


def no_grad_call(owner, function, args, kwargs):
    """Call `function`; when `owner` was already called in the pending program, launch that program first.

    A validation loop never differentiates and may not look at a value before its end. Launching once per outermost
    call of the same module gives it one program per batch instead of one that grows with the loop.
    """
    if _calls.depth == 0 and not state.program.traced and state.capture is None:
        serial, owners = _calls.seen
        if serial != state.program.serial:
            _calls.seen = (state.program.serial, {id(owner)})
        elif id(owner) in owners:
            _launch.launch("a module was called again without gradients")
            _calls.seen = (state.program.serial, {id(owner)})
        else:
            owners.add(id(owner))
    _calls.depth += 1
    try:
        return function(*args, **kwargs)
    finally:
        _calls.depth -= 1
