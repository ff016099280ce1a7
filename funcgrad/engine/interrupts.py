"""Ctrl-C during a launch: it must lose no results, as the arrays that a program is given to reuse are gone."""

from __future__ import annotations

import contextlib
import signal
import threading


@contextlib.contextmanager
def deferred():
    """Let Ctrl-C wait until the block has ended.

    JAX runs Python code between a program and its caller for the first few calls; an interrupt there would lose the
    results while the donated arrays are deleted already. Later calls are one C call, which nothing interrupts.
    """
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list = []
    signal.signal(signal.SIGINT, lambda *signum_and_frame: arrived.append(signum_and_frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if arrived:
            handler(*arrived[0])
