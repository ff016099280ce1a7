"""Operands that are not plain tensors: arrays are lifted, classes with ``__torch_function__`` take over."""

from __future__ import annotations

import sys
from operator import attrgetter

import jax
import numpy as np

from funcgrad._tensor import Tensor
from funcgrad.engine.values import HANDLES


def redirect(form, args, kwargs):
    """Call `form` again with arrays lifted to tensors, or hand the call to an operand's ``__torch_function__``.

    Raises:
        TypeError: an operand is of a type that no op takes.
    """
    operands = [a for a in _flat((args, kwargs)) if not isinstance(a, bool | int | float | complex | str | type(None))]
    types = [type(a) for a in operands if type(a) not in HANDLES and hasattr(type(a), "__torch_function__")]
    pytorch = _pytorch()
    if pytorch and any(issubclass(t, pytorch.Tensor) for t in types):
        raise TypeError(
            f"{form.__name__}(): tensors of funcgrad and of PyTorch do not mix; convert one with from_numpy()"
        )
    for cls in sorted(set(types), key=lambda t: -len(t.__mro__)):
        result = cls.__torch_function__(form, tuple(dict.fromkeys(types)), args, kwargs or {})
        if result is not NotImplemented:
            return result
    if any(isinstance(a, np.ndarray | jax.Array) for a in operands):
        return form(*_lift(args), **_lift(kwargs or {}))
    raise TypeError(f"{form.__name__}(): no implementation for operands of types {[t.__name__ for t in types]}")


def _flat(x):
    if isinstance(x, tuple | list):
        return [y for v in x for y in _flat(v)]
    return [y for v in x.values() for y in _flat(v)] if isinstance(x, dict) else [x]


def _lift(x):
    if isinstance(x, np.ndarray | jax.Array):
        from funcgrad._facade._creation import from_array

        return from_array(np.array(x) if isinstance(x, np.ndarray) else x)
    if isinstance(x, tuple | list):
        return type(x)(_lift(v) for v in x)
    return {k: _lift(v) for k, v in x.items()} if isinstance(x, dict) else x


def _pytorch():
    """PyTorch itself, where the program has loaded it beside funcgrad."""
    module = sys.modules.get("torch")
    return module if hasattr(module, "Tensor") and not issubclass(module.Tensor, Tensor) else None


def own(function):
    """funcgrad's function where PyTorch itself, loaded beside it, hands over one of its own of the same name.

    Raises:
        TypeError: funcgrad has none; calling PyTorch's would only bring the call back.
    """
    pytorch = _pytorch()
    name = pytorch and pytorch.overrides.resolve_name(function)
    if not name:
        return function
    try:
        return attrgetter(name.removeprefix("torch."))(sys.modules["funcgrad"])
    except AttributeError:
        raise TypeError(f"{name}(): a tensor of funcgrad's is not one of PyTorch's") from None


def run_plain(cls: type, function, args: tuple, kwargs: dict):
    """Call `function` on operands that override nothing; its tensors become of the class `cls`, as in PyTorch."""
    function = own(function)
    if cls is Tensor:
        return function(*args, **kwargs)

    def plain(x):
        return x.as_subclass(Tensor) if isinstance(x, Tensor) and type(x) not in HANDLES else x

    def of_class(x):
        return x.as_subclass(cls) if type(x) is Tensor else x

    return _map(of_class, function(*_map(plain, args), **_map(plain, kwargs)))


def _map(change, x):
    if isinstance(x, tuple | list):
        made = [_map(change, v) for v in x]
        return type(x)(*made) if hasattr(x, "_fields") else type(x)(made) if type(x) in (tuple, list) else x
    return {k: _map(change, v) for k, v in x.items()} if isinstance(x, dict) else change(x)


def has_torch_function(args) -> bool:
    """Whether any operand overrides ops."""
    return any(type(a) not in HANDLES and hasattr(type(a), "__torch_function__") for a in args)


def handle_torch_function(function, relevant, *args, **kwargs):
    """Give the call to the operands' ``__torch_function__``."""
    return redirect(function, args, kwargs)


def is_tensor_like(x) -> bool:
    return isinstance(x, Tensor) or hasattr(x, "__torch_function__")
