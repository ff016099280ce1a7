"""PyTorch's TypeErrors for arguments that are no tensors, read off an array function's annotations."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

from funcgrad.ops import _number

_NUMBERS_SUFFICE = {"add", "sub", "mul", "div", "true_divide", "floor_divide"}
_ONE_SIGNATURE = {"add", "sub", "mul", "div", "addcmul", "addcdiv"}  # whose errors name the argument


def checked(function: Callable | None = None, *, name: str | None = None) -> Callable:
    """Refuse a number where a parameter is annotated ``Array``, and numbers alone where ``Array | Scalar`` are.

    Raises:
        TypeError: with PyTorch's words: ``exp(): argument 'input' (position 1) must be Tensor, not int``, or, of a
            function that has overloads, ``eq() received an invalid combination of arguments - got (int, Tensor)``.
    """
    if function is None:
        return functools.partial(checked, name=name)
    rules = functools.cache(lambda: _rules(function))

    @functools.wraps(function)
    def call(*args, **kwargs):
        _check(name or call.__name__, rules(), args, kwargs)
        return function(*args, **kwargs)

    return call


def _rules(function: Callable) -> tuple[list[tuple[int, str, set[str]]], str]:
    """Position, name and kinds of each parameter that takes a tensor or a number; the signature in words."""
    rules, words = [], []
    for i, p in enumerate(inspect.signature(function).parameters.values()):
        if p.kind is p.VAR_POSITIONAL:
            continue
        kinds = {part.strip() for part in str(p.annotation).replace("Exponent", "Array | Scalar").split("|")}
        if kinds <= {"Array", "Scalar", "None"}:
            rules.append((i if p.kind is not p.KEYWORD_ONLY else -1, p.name, kinds))
        kind = "Tensor" if "Array" in kinds else "Number" if "Scalar" in kinds else str(p.annotation)
        words.append(f"{kind} {p.name}")
    return rules, ", ".join(words)


def _check(name: str, rules, args, kwargs) -> None:
    tensors = numbers = 0
    overloaded = name not in _ONE_SIGNATURE and any({"Array", "Scalar"} <= kinds for *_, kinds in rules[0])
    for position, parameter, kinds in rules[0]:
        if 0 <= position < len(args):
            value = args[position]
        elif parameter in kwargs:
            value = kwargs[parameter]
        else:
            continue  # left out: a default, or Python's own TypeError
        is_tensor, is_number = _is_tensor(value), _number.is_number(value)
        if "Array" in kinds and "None" not in kinds:
            tensors += is_tensor
            numbers += is_number
        # A tensor passes for a number: PyTorch takes its item.
        if not (is_tensor or (is_number and "Scalar" in kinds) or (value is None and "None" in kinds)):
            if overloaded and "Array" in kinds:
                raise _combination(name, rules[1], args)
            at = f" (position {position + 1})" if position >= 0 else ""
            wanted = "Tensor" if "Array" in kinds else "Number"
            raise TypeError(f"{name}(): argument '{parameter}'{at} must be {wanted}, not {_type(value)}")
    if overloaded and numbers and not tensors and name not in _NUMBERS_SUFFICE:
        raise _combination(name, rules[1], args)


def _is_tensor(x) -> bool:
    return not isinstance(x, _number.Number) and hasattr(x, "dtype")


def _type(value) -> str:
    if isinstance(value, _number.Number):
        return value.kind.__name__
    return "Tensor" if _is_tensor(value) else type(value).__name__


def _combination(name: str, signature: str, args) -> TypeError:
    got = ", ".join(map(_type, args))
    return TypeError(
        f"{name}() received an invalid combination of arguments - got ({got}), but expected one of:\n * ({signature})\n"
    )
