"""PyTorch's TypeErrors for arguments that are no tensors, read off an array function's annotations."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

from funcgrad._warnings import warn_once
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


def old_order(*numbers: str) -> Callable:
    """Let a function be called as it once was, with its keywords `numbers` before one of its tensors.

    Its signature is ``f(*tensors, *deprecated, **keywords)``; ``addmm(beta, input, alpha, mat1, mat2)`` is an example.

    Raises:
        TypeError: too many tensors or numbers.
    """

    def mark(function: Callable) -> Callable:
        names = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]

        @functools.wraps(function)
        def call(*args, **kwargs):
            if len(args) <= len(names):
                return function(*args, **kwargs)
            if len(names) == 2 and len(args) == 3 and _stands_for_number(args[1]) and _number.is_number(args[2]):
                _warn_of_order(call.__name__, numbers, names, (args[0], 1, args[0]))
                return function(args[0], args[2], **{**kwargs, numbers[0]: args[1]})
            given = [a for a in args if _number.is_number(a)]
            tensors = [a for a in args if not _number.is_number(a)]
            if len(tensors) != len(names) or len(given) > len(numbers) or args[-1] is not tensors[-1]:
                n = len(names) if len(names) == 3 else 2
                raise TypeError(f"{call.__name__}() takes {n} positional arguments but {len(args)} were given")
            _warn_of_order(call.__name__, numbers, names, args)
            return function(*tensors, **{**kwargs, **dict(zip(numbers, given))})

        return call

    return mark


def _stands_for_number(x) -> bool:
    return not _number.is_number(x) and not getattr(x, "shape", (1,))


def _warn_of_order(name: str, numbers, names, args) -> None:
    left, tensors = iter(numbers), iter(names)
    old = [f"Number {next(left)}" if _number.is_number(a) else f"Tensor {next(tensors)}" for a in args]
    new = [f"Tensor {n}" for n in names] + ["*"] + [f"Number {n} = 1" for n in numbers]
    warn_once(
        f"This overload of {name} is deprecated:\n\t{name}({', '.join(old)}, *, Tensor out = None)\nConsider using one of the "
        f"following signatures instead:\n\t{name}({', '.join(new)}, Tensor out = None)"
    )


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
