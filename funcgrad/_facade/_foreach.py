"""``torch._foreach_add`` and the like: an op on each tensor of a list. Recorded one after the other, they run as one program.

See https://docs.pytorch.org/docs/stable/torch.html#foreach-operations.
"""

from __future__ import annotations

from collections.abc import Callable

from funcgrad import _operators
from funcgrad._tensor import Tensor

_UNARY = """abs acos asin atan ceil cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 neg reciprocal round
    rsqrt sigmoid sign sin sinh sqrt tan tanh trunc zero clone"""
_BINARY = "add sub mul div pow clamp_min clamp_max maximum minimum copy mm"
_SCALED = "addcdiv addcmul"  # by a last operand, which the methods take by name
_METHODS = {"maximum": "clamp_min", "minimum": "clamp_max"}  # which take numbers too
_ONLY_PLAIN, _ONLY_IN_PLACE = ("clone", "mm"), ("zero", "copy")
_KEYWORDS = {"tensor1": 1, "tensors1": 1, "tensor2": 2, "weight": 2, "weights": 2, "value": 3}
_KEYWORDS |= dict.fromkeys(("other", "scalar", "scalars", "exponent", "src", "mat2"), 1)


def _is_list(x) -> bool:
    return isinstance(x, list | tuple)


def _column(operand, count: int) -> list:
    """What each tensor of the list is given of an operand: its part of a list, or all of it."""
    if not _is_list(operand):
        return [operand] * count
    if len(operand) != count:
        if all(isinstance(x, Tensor) for x in operand):
            raise RuntimeError(f"Tensor lists must have the same number of tensors, got {count} and {len(operand)}")
        raise RuntimeError("Tensor list must have same number of elements as scalar list.")
    return list(operand)


def _checked(name: str, tensors) -> list[Tensor]:
    if not _is_list(tensors) or not all(isinstance(t, Tensor) for t in tensors):
        raise TypeError(
            f"{name}(): argument 'self' (position 1) must be tuple of Tensors, not {type(tensors).__name__}"
        )
    if not tensors:
        raise RuntimeError("Tensor list must have at least one tensor.")
    return list(tensors)


def _numbers(x):
    """Numbers, one for each tensor, that may stand in a tensor."""
    return [v.item() for v in x.unbind()] if isinstance(x, Tensor) else x


def _number(x):
    """An operand that is one number for all, if it is a tensor."""
    if isinstance(x, Tensor) and (x.dim() != 0 or x.numel() != 1):
        raise RuntimeError(
            f"scalar tensor expected to be 0 dim but it has {x.dim()} dimensions and {x.numel()} elements."
        )
    return x


def _form(short: str, in_place: bool) -> Callable:
    """The function ``_foreach_<short>``, which calls a method on each tensor."""
    name = f"_foreach_{short}" + "_" * in_place
    method = _METHODS.get(short, short) + "_" * in_place
    scaled = short in _SCALED.split()

    def foreach(self, *args, **kwargs):
        if short == "pow" and not _is_list(self) and args:  # a number to the power of each
            exponents = _checked(name, args[0])
            return tuple(_operators.NAMESPACES["f"]["pow"](self, e) for e in exponents)
        tensors = _checked(name, self)
        given = dict(enumerate(args, 1))
        for key in kwargs.keys() & _KEYWORDS.keys():
            given[3 if scaled and key == "scalars" else _KEYWORDS[key]] = kwargs.pop(key)
        values = _column(_numbers(given.pop(3, 1)), len(tensors)) if scaled else None
        columns = [_column(_number(given[i]), len(tensors)) for i in sorted(given)]
        made = []
        for i, t in enumerate(tensors):
            more = {"value": values[i]} if scaled else kwargs
            made.append(getattr(t, method)(*(column[i] for column in columns), **more))
        return self if in_place else tuple(made)

    foreach.__name__ = foreach.__qualname__ = name
    foreach.__doc__ = f"`Tensor.{method}` of each tensor of a list; other lists and numbers go with them one by one."
    return foreach


def _foreach_norm(self, ord=2, dtype=None):
    """`torch.linalg.vector_norm` of each tensor of a list."""
    norm = _operators.NAMESPACES["l"]["vector_norm"]
    return tuple(norm(t, ord, dtype=dtype) for t in _checked("_foreach_norm", self))


def _foreach_powsum(self, ord=2, dtype=None):
    """The sum of absolute values to a power, of each tensor of a list."""
    return tuple((t if dtype is None else t.to(dtype)).abs().pow(ord).sum() for t in _checked("_foreach_powsum", self))


def _foreach_max(self):
    """The largest element of each tensor of a list."""
    tensors = _checked("_foreach_max", self)
    if any(t.numel() == 0 for t in tensors):
        raise RuntimeError(
            "_foreach_max cannot compute the maximum of an empty tensor; max over zero elements is undefined."
        )
    return tuple(t.max() for t in tensors)


def public() -> dict:
    """The functions of ``torch`` in this file."""
    names = f"{_UNARY} {_BINARY} {_SCALED} lerp".split()
    made = [_form(n, False) for n in names if n not in _ONLY_IN_PLACE]
    made += [_form(n, True) for n in names if n not in _ONLY_PLAIN]
    return {f.__name__: f for f in (*made, _foreach_norm, _foreach_powsum, _foreach_max)}
