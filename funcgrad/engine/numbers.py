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


def _holds_number(a: Handle) -> bool:
    """Whether PyTorch takes the tensor for a number: one element, and no gradient that would be lost."""
    aval = (a._value if a._value is not None else a._refresh()).aval
    return all(n == 1 for n in aval.shape) and not a.requires_grad
