"""``torch.overrides``: classes that take over ops by ``__torch_function__``.

See https://docs.pytorch.org/docs/stable/torch.overrides.html.
"""

from __future__ import annotations

import contextlib
import functools

from funcgrad import _operators
from funcgrad._errors import unsupported
from funcgrad._facade._overrides import handle_torch_function as handle_torch_function
from funcgrad._facade._overrides import has_torch_function as has_torch_function
from funcgrad._facade._overrides import is_tensor_like as is_tensor_like
from funcgrad._tensor import Tensor

__all__ = [
    "enable_reentrant_dispatch", "get_ignored_functions", "get_overridable_functions", "get_testing_overrides",
    "handle_torch_function", "has_torch_function", "is_tensor_like", "is_tensor_method_or_property", "resolve_name",
    "wrap_torch_function",
]  # fmt: skip


@functools.cache
def get_overridable_functions() -> dict:
    """The functions that ask their operands' ``__torch_function__``, by the namespace they are in."""
    import funcgrad

    found = {funcgrad: list(_operators.NAMESPACES["f"].values()), Tensor: [], funcgrad.nn.functional: []}
    found[funcgrad.nn.functional] = list(_operators.NAMESPACES["n"].values())
    found[Tensor] = [f for f in vars(Tensor).values() if hasattr(f, "op")]
    return found


def get_testing_overrides() -> dict:
    """For each overridable function, one of the same signature that returns -1."""
    return {f: (lambda *args, **kwargs: -1) for functions in get_overridable_functions().values() for f in functions}


def get_ignored_functions() -> set:
    """The functions of ``torch`` that never ask."""
    import funcgrad

    asking = {f for functions in get_overridable_functions().values() for f in functions}
    return {f for f in vars(funcgrad).values() if callable(f) and f not in asking and not isinstance(f, type)}


def is_tensor_method_or_property(func) -> bool:
    """Whether `func` is one of Tensor's methods."""
    return func in set(get_overridable_functions()[Tensor]) or func.__name__ == "__get__"


def resolve_name(f) -> str | None:
    """The name of an overridable function (``torch.Tensor.add``)."""
    import funcgrad

    prefix = {funcgrad: "torch", Tensor: "torch.Tensor", funcgrad.nn.functional: "torch.nn.functional"}
    for space, functions in get_overridable_functions().items():
        if f in functions:
            return f"{prefix[space]}.{f.__name__}"
    return None


def wrap_torch_function(dispatcher):
    """A decorator that makes a function ask the operands that ``dispatcher(*args)`` returns."""

    def decorate(function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return function(*args, **kwargs)

        return wrapped

    return decorate


def enable_reentrant_dispatch():
    """Accepted; there is no dispatcher to enter again."""
    return contextlib.nullcontext()


class TorchFunctionMode:
    """Not supported: a mode that sees every call."""

    def __enter__(self):
        raise unsupported("torch.overrides.TorchFunctionMode")

    def __exit__(self, *error) -> None:
        return None


BaseTorchFunctionMode = TorchFunctionMode
