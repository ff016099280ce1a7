"""Switching the recording of gradients off and on: context managers that are also decorators."""

from __future__ import annotations

import functools
import inspect

from funcgrad.engine.state import state


class _Mode:
    """Sets the thread's grad mode on entry and restores it on exit."""

    mode = True

    def __enter__(self):
        self.before = state.grad
        state.grad = self.mode or state.tangents > 0  # tangents go on under no_grad
        return None

    def __exit__(self, *exc) -> None:
        state.grad = self.before

    def clone(self):
        return type(self)()

    def __call__(self, function):
        if inspect.isgeneratorfunction(function):
            return self._generator(function)
        if isinstance(function, type):
            function.__init__ = self(function.__init__)
            return function

        @functools.wraps(function)
        def decorated(*args, **kwargs):
            with self.clone():
                return function(*args, **kwargs)

        return decorated

    def _generator(self, function):
        @functools.wraps(function)
        def decorated(*args, **kwargs):
            generator = function(*args, **kwargs)
            request = None
            while True:
                try:
                    with self.clone():
                        response = generator.send(request)
                except StopIteration as stop:
                    return stop.value
                request = yield response

        return decorated


class no_grad(_Mode):
    """Record no gradients inside: results do not require grad.

    Example:
        >>> import funcgrad as torch
        >>> x = torch.ones(2, requires_grad=True)
        >>> with torch.no_grad():
        ...     (x * 2).requires_grad
        False

    Source: https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
    """

    mode = False

    def __new__(cls, function=None):
        made = object.__new__(cls)
        return made if function is None else made(function)


class enable_grad(_Mode):
    """Record gradients inside, even within `no_grad`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.enable_grad.html
    """

    mode = True

    def __new__(cls, function=None):
        made = object.__new__(cls)
        return made if function is None else made(function)


class inference_mode(_Mode):
    """As `no_grad`; the tensors made inside cannot require grad later.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
    """

    mode = False

    def __new__(cls, mode=True):
        made = object.__new__(cls)
        if callable(mode):
            made.enabled = True
            return made(mode)
        return made

    def __init__(self, mode=True):
        self.enabled = bool(mode)

    def __enter__(self):
        self.before = state.grad, state.inference
        if self.enabled:
            state.grad, state.inference = False, True
        else:
            state.inference = False

    def __exit__(self, *exc) -> None:
        state.grad, state.inference = self.before

    def clone(self):
        return inference_mode(self.enabled)


class set_grad_enabled(_Mode):
    """Switch recording on or off, at once and for good, or for a ``with`` block.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.set_grad_enabled.html
    """

    def __init__(self, mode: bool):
        self.before = state.grad
        self.mode = bool(mode)
        state.grad = self.mode

    def __call__(self, function):
        state.grad = self.before
        return super().__call__(function)

    def __enter__(self):
        state.grad = self.mode

    def clone(self):
        return set_grad_enabled(self.mode)


class set_multithreading_enabled:
    """Accepted: backward is one program; XLA decides on its threads."""

    def __init__(self, mode: bool):
        self.mode = mode

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc) -> None:
        pass


def is_grad_enabled() -> bool:
    """Whether gradients are being recorded in this thread."""
    return state.grad


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode`."""
    return state.inference
