"""The activations' ``inplace`` argument and their forms that end in an underscore."""

from __future__ import annotations

from funcgrad import _draws, _operators
from funcgrad._generator import drawn
from funcgrad._operators import check_writable, write
from funcgrad._tensor import Tensor

PARAMETERS = {
    "relu": 0, "relu6": 0, "elu": 1, "selu": 0, "celu": 1, "leaky_relu": 1, "threshold": 2, "hardtanh": 2, "silu": 0,
    "mish": 0, "hardswish": 0, "hardsigmoid": 0,
}  # fmt: skip
"""Activations that can work in place, and how many parameters stand between the input and ``inplace``."""
UNDERSCORED = ("relu", "elu", "selu", "celu", "leaky_relu", "threshold", "hardtanh")


def stored(input: Tensor, out: Tensor, inplace: bool) -> Tensor:
    """`out`, or with `inplace` the input, which then holds it."""
    if not inplace:
        return out
    check_writable(input)
    write(input, out._read())
    return input


def _activation(name: str):
    """The form of `nn.functional`, with an ``inplace`` argument that the array function ignores."""
    plain, last = _operators.NAMESPACES["n"][name], PARAMETERS[name] + 1

    def activation(input, *args, inplace: bool = False, **kwargs):
        if len(args) >= last:
            *args, inplace = args
        out = plain(input, *args, **kwargs)
        return stored(input, out, True) if inplace else out

    activation.__name__ = activation.__qualname__ = name
    activation.__doc__ = plain.__doc__
    return activation


def _underscored(name: str, plain):
    def activation_(input, *args, **kwargs):
        return plain(input, *args, inplace=True, **kwargs)

    activation_.__name__ = activation_.__qualname__ = name + "_"
    activation_.__doc__ = f"`{name}` in place."
    return activation_


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """``x if x > 0 else a * x``, with `a` drawn from [lower, upper) in training and their mean in evaluation.

    The draw depends on which elements are negative, so in training the input is computed first.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.rrelu.html
    """
    if not training:
        return stored(input, _operators.call("nn.functional.rrelu", input, lower, upper), inplace)
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    values = input._host()
    noise = drawn(None, lambda engine: _draws.rrelu_slopes(engine, values, lower, upper), input.device)
    return stored(input, _operators.call("nn.functional.rrelu_with_noise", input, noise), inplace)


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """`rrelu` in place."""
    return rrelu(input, lower, upper, training, True)


FUNCTIONS = {name: _activation(name) for name in PARAMETERS}
FUNCTIONS |= {f"{name}_": _underscored(name, FUNCTIONS[name]) for name in UNDERSCORED}
FUNCTIONS |= {"rrelu": rrelu, "rrelu_": rrelu_}
