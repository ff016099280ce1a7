"""Tensors given where an op wants a Python number that is a constant of the program: a size, a dimension, a step."""

from __future__ import annotations

import inspect

from funcgrad.engine.state import state
from funcgrad.engine.structure import Op
from funcgrad.engine.values import Handle


def with_numbers(op: Op, args, kwargs) -> tuple[list, dict] | None:
    """The call with the values of such tensors in their places, as PyTorch reads them too; None if there are none."""
    if state.program.traced:
        return None
    parameters = list(inspect.signature(op.function).parameters.values())
    by_name = {p.name: p for p in parameters}
    found = False

    def plain(a, parameter):
        nonlocal found
        if parameter is None or "Array" in str(parameter.annotation):
            return a
        if isinstance(a, tuple | list):
            return type(a)(plain(x, parameter) for x in a) if type(a) in (tuple, list) else a
        if not isinstance(a, Handle) or not _holds_number(a):
            return a
        found = True
        return a.item()

    at = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
    more = at[-1] if at and at[-1].kind is inspect.Parameter.VAR_POSITIONAL else None
    new_args = [plain(a, at[i] if i < len(at) else more) for i, a in enumerate(args)]
    new_kwargs = {k: plain(a, by_name.get(k)) for k, a in (kwargs or {}).items()}
    return (new_args, new_kwargs) if found else None


_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim", "x": "input", "a": "input", "x1": "input", "x2": "other"}


def by_numpy_names(op: Op, args, kwargs) -> tuple[list, dict] | None:
    """The call with NumPy's names for its arguments in PyTorch's words, as its ops take them too; None if it has none."""
    if not kwargs or not kwargs.keys() & _NUMPY_NAMES.keys():
        return None
    parameters = inspect.signature(op.function).parameters
    found = {}
    for name, value in kwargs.items():
        known = _NUMPY_NAMES.get(name) if name not in parameters else None
        found[known if known in parameters else name] = value
    return None if found.keys() == kwargs.keys() else (list(args), found)


def complaint(op: Op, args, kwargs) -> TypeError | None:
    """PyTorch's error for a tensor that stands where a number or a size is meant and cannot be one; None if none does."""
    parameters = [p for p in inspect.signature(op.function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    is_method = bool(parameters) and parameters[0].name == "input"
    for i, a in enumerate(args):
        parameter = parameters[min(i, len(parameters) - 1)] if parameters else None
        if parameter is None or "Array" in str(parameter.annotation):
            continue
        many = parameter.kind is parameter.VAR_POSITIONAL
        name = _SIZES.get(op.name, "size") if many else parameter.name
        wanted = "tuple of ints" if many or name == "size" else "int"
        begin = f"{op.name}(): argument '{name}' (position {parameters.index(parameter) + 1 - is_method}) must be {wanted}, "
        if isinstance(a, Handle):
            return TypeError(begin + "not Tensor")
        at = next((k for k, x in enumerate(a) if isinstance(x, Handle)), -1) if isinstance(a, tuple | list) else -1
        if at >= 0:
            return TypeError(begin + f"but found element of type Tensor at pos {at}")
    return None


_SIZES = {"repeat": "repeats", "permute": "dims", "tile": "dims", "reshape": "shape", "flip": "dims"}


def _holds_number(a: Handle) -> bool:
    """Whether PyTorch takes the tensor for a number: one element, and no gradient that would be lost."""
    aval = (a._value if a._value is not None else a._refresh()).aval
    return all(n == 1 for n in aval.shape) and not a.requires_grad
