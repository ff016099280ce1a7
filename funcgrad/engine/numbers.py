"""Tensors given where an op wants a Python number that is a constant of the program: a size, a dimension, a step."""

from __future__ import annotations

import inspect
import re

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
_PLACES = {"input": 0, "input2": 1, "input3": 2, "other": 1, "b": 1}
"""Where parameters stand that PyTorch's own ops name so, whatever its documentation calls them."""
_SECTIONS = dict.fromkeys(("sections", "indices", "tensor_indices_or_sections"), "indices_or_sections")
_OTHER_NAMES = _NUMPY_NAMES.keys() | _PLACES.keys() | _SECTIONS.keys()


def in_own_names(op: Op, args, kwargs) -> tuple[tuple, dict] | None:
    """The call with other names that PyTorch knows for its arguments (NumPy's among them) in the op's own.

    The first argument comes to stand first. None if there was nothing to change.
    """
    if not kwargs or (args and not kwargs.keys() & _OTHER_NAMES):
        return None
    known = [name for name, _, how in op.parameters]
    places = [name for name, _, how in op.parameters if how is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    found = {}
    for name, value in kwargs.items():
        if name not in known:
            own = _NUMPY_NAMES.get(name, name)
            own = own if own in known else _SECTIONS.get(name, own)
            at = _PLACES.get(own, len(places))
            name = own if own in known else places[at] if at < len(places) else name
        found[name] = value
    args = tuple(args)
    if not args and places and places[0] in found:
        args = (found.pop(places[0]),)
    return None if len(args) == 0 and found.keys() == kwargs.keys() else (args, found)


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


_MISSING = re.compile(r"\w+\(\) missing (\d+) required .* arguments?: (.*)")


def missing(op: Op, error: TypeError) -> TypeError | None:
    """Python's error for arguments that were left out, in PyTorch's words; None if it is another one."""
    found = _MISSING.fullmatch(str(error))
    if found is None:
        return None
    names = ", ".join(f'"{name}"' for name in re.findall(r"'(\w+)'", found[2]))
    plural = "arguments" if found[1] == "1" else "argument"  # sic
    return TypeError(f"{op.name}() missing {found[1]} required positional {plural}: {names}")


def _holds_number(a: Handle) -> bool:
    """Whether PyTorch takes the tensor for a number: one element, and no gradient that would be lost."""
    aval = (a._value if a._value is not None else a._refresh()).aval
    return all(n == 1 for n in aval.shape) and not a.requires_grad
