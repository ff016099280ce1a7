"""``torch.library``: functions of one's own as ops. Here a custom op is its Python function.

See https://docs.pytorch.org/docs/stable/library.html.
"""

from __future__ import annotations

import functools

from funcgrad._errors import unsupported
from funcgrad.autograd.function import Function


class CustomOpDef:
    """What `custom_op` returns: callable, with a gradient if one was registered."""

    def __init__(self, name: str, function):
        functools.update_wrapper(self, function)
        self._name, self._function, self._differentiable = name, function, None

    def __call__(self, *args, **kwargs):
        if self._differentiable is None or kwargs:
            return self._function(*args, **kwargs)
        return self._differentiable.apply(*args)

    def register_autograd(self, backward, /, *, setup_context=None) -> None:
        """Give it the gradient ``backward(ctx, *grads)``; ``setup_context(ctx, inputs, output)`` saves what that needs."""
        function = self._function
        setup = setup_context or (lambda ctx, inputs, output: None)
        members = {
            "forward": staticmethod(lambda *args: function(*args)),
            "setup_context": staticmethod(lambda ctx, inputs, output: setup(ctx, inputs, output)),
            "backward": staticmethod(backward),
        }
        self._differentiable = type(self._name.replace("::", "_"), (Function,), members)

    def register_fake(self, fn, /):
        """Accepted: shapes come from running the function itself."""
        return fn

    def register_kernel(self, device_types, fn=None, /):
        """Accepted for the CPU and None: the function then replaces the first one."""
        if fn is None:
            return lambda f: self.register_kernel(device_types, f)
        if device_types in (None, "cpu") or "cpu" in device_types:
            self._function = fn
        return fn

    register_vmap = register_torch_dispatch = register_fake


def custom_op(name: str, fn=None, /, *, mutates_args=(), device_types=None, schema=None, tags=None):
    """Make a Python function an op; usable as a decorator.

    Example:
        >>> import funcgrad as torch
        >>> @torch.library.custom_op("mine::double", mutates_args=())
        ... def double(x: torch.Tensor) -> torch.Tensor:
        ...     return x * 2
        >>> double(torch.ones(2))
        tensor([2., 2.])
    """
    return functools.partial(CustomOpDef, name) if fn is None else CustomOpDef(name, fn)


triton_op = custom_op


def _of(op):
    if not isinstance(op, CustomOpDef):
        raise unsupported("torch.library", f"{op} is no op made by torch.library.custom_op")
    return op


def register_autograd(op, backward, /, *, setup_context=None, lib=None) -> None:
    """`CustomOpDef.register_autograd`."""
    _of(op).register_autograd(backward, setup_context=setup_context)


def register_fake(op, func=None, /, *, lib=None, _stacklevel=1, allow_override=False):
    """Accepted: shapes come from running the function itself."""
    return (lambda f: f) if func is None else func


impl_abstract = register_fake


def register_kernel(op, device_types, func=None, /, *, lib=None):
    """`CustomOpDef.register_kernel`."""
    return _of(op).register_kernel(device_types, func)


class Library:
    """Not supported: schemas and dispatch keys."""

    def __init__(self, *args, **kwargs):
        raise unsupported("torch.library.Library")
