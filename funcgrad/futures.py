"""``torch.futures``: results that come later. See https://docs.pytorch.org/docs/stable/futures.html."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Future:
    """A result that some thread sets and others wait for.

    Example:
        >>> f = Future()
        >>> f.set_result(3)
        >>> f.wait()
        3
    """

    def __init__(self, *, devices=None):
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable] = []
        self._result = self._error = None

    def done(self) -> bool:
        """Whether it is there."""
        return self._done.is_set()

    def wait(self):
        """Wait for the result and return it, or raise the error that was set instead."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result

    def value(self):
        """The result, which must be there."""
        if not self.done():
            raise RuntimeError("Future has not been completed. Call wait() first.")
        return self.wait()

    def set_result(self, result) -> None:
        """Set the result; only once."""
        self._finish(result, None)

    def set_exception(self, result: BaseException) -> None:
        """Have `wait` raise an error."""
        if not isinstance(result, BaseException):
            raise AssertionError(f"{result} is of type {type(result)}, not an Exception.")
        self._finish(None, result)

    def _finish(self, result, error) -> None:
        with self._lock:
            if self.done():
                raise RuntimeError(
                    "Future can only be marked completed once; this one has a result or an error already."
                )
            self._result, self._error = result, error
            self._done.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def add_done_callback(self, callback: Callable[[Future], None]) -> None:
        """Call ``callback(self)`` when the result is there, at once if it is."""
        with self._lock:
            if not self.done():
                self._callbacks.append(callback)
                return
        callback(self)

    def then(self, callback: Callable[[Future], object]) -> Future:
        """A future of ``callback(self)``."""
        following = Future()

        def run(future: Future) -> None:
            try:
                following.set_result(callback(future))
            except Exception as e:
                following.set_exception(e)

        self.add_done_callback(run)
        return following


def collect_all(futures: list[Future]) -> Future:
    """A future of all of them, once all are done."""
    together, left = Future(), [len(futures)]

    def one_done(_) -> None:
        left[0] -= 1
        if not left[0]:
            together.set_result(futures)

    for future in futures:
        future.add_done_callback(one_done)
    if not futures:
        together.set_result(futures)
    return together


def wait_all(futures: list[Future]) -> list:
    """The results of all of them."""
    return [future.wait() for future in futures]
