"""Activation layers. See https://docs.pytorch.org/docs/stable/nn.html#non-linear-activations-weighted-sum-nonlinearity.

Most of them only call the function of the same name with their arguments, so most of them are rows of a table.
"""

from __future__ import annotations

import warnings

from funcgrad._facade import _creation
from funcgrad.nn import functional as F
from funcgrad.nn import init as nn_init
from funcgrad.nn.modules._attention import MultiheadAttention as MultiheadAttention
from funcgrad.nn.modules._table import REQUIRED, constructor
from funcgrad.nn.modules.module import Module
from funcgrad.nn.parameter import Parameter


def _layer(name: str, function: str, parameters: dict, summary: str, shown=None) -> type:
    """A layer that calls ``F.<function>(input, *parameters)``.

    Args:
        parameters: the constructor's parameters and their defaults.
        shown: how ``repr`` lists them; by default each as ``name=value``, `inplace` only if it is set.
    """
    names = tuple(parameters)
    listed = [n for n in names if n != "inplace"]

    def forward(self, input):
        return getattr(F, function)(input, *[getattr(self, n) for n in names])

    def extra_repr(self) -> str:
        if shown is not None:
            return shown(self)
        return ", ".join([*[f"{n}={getattr(self, n)}" for n in listed], *_in_place(self)])

    members = {
        "__init__": constructor(name, parameters),
        "forward": forward,
        "extra_repr": extra_repr,
        "__module__": __name__,
        "__doc__": f"""{summary}

    Shape:
        any, unchanged.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.{name}.html
    """,
    }
    return type(name, (Module,), members)


def _in_place(layer: Module) -> list[str]:
    return ["inplace=True"] if getattr(layer, "inplace", False) else []


def _nothing(self) -> str:
    return ""


Threshold = _layer(
    "Threshold",
    "threshold",
    {"threshold": REQUIRED, "value": REQUIRED, "inplace": False},
    "``x if x > threshold else value``.",
)
ReLU = _layer("ReLU", "relu", {"inplace": False}, "``max(0, x)``.")
Sigmoid = _layer("Sigmoid", "sigmoid", {}, "``1 / (1 + exp(-x))``.")
Tanh = _layer("Tanh", "tanh", {}, "``tanh(x)``.")
Hardsigmoid = _layer("Hardsigmoid", "hardsigmoid", {"inplace": False}, "``min(max(x + 3, 0), 6) / 6``.", _nothing)
Hardswish = _layer("Hardswish", "hardswish", {"inplace": False}, "``x * min(max(x + 3, 0), 6) / 6``.", _nothing)
SiLU = _layer("SiLU", "silu", {"inplace": False}, "``x * sigmoid(x)``.")
Mish = _layer("Mish", "mish", {"inplace": False}, "``x * tanh(softplus(x))``.")
ELU = _layer("ELU", "elu", {"alpha": 1.0, "inplace": False}, "``x if x > 0 else alpha * (exp(x) - 1)``.")
CELU = _layer("CELU", "celu", {"alpha": 1.0, "inplace": False}, "``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))``.")
SELU = _layer("SELU", "selu", {"inplace": False}, "A scaled ELU that keeps mean and variance.")
GELU = _layer("GELU", "gelu", {"approximate": "none"}, "``x * Phi(x)``, with the normal distribution function Phi.",
              lambda self: f"approximate={self.approximate!r}")  # fmt: skip
Hardshrink = _layer(
    "Hardshrink", "hardshrink", {"lambd": 0.5}, "``x if |x| > lambd else 0``.", lambda self: f"{self.lambd}"
)
Softshrink = _layer(
    "Softshrink", "softshrink", {"lambd": 0.5}, "``sign(x) * max(|x| - lambd, 0)``.", lambda self: str(self.lambd)
)
LeakyReLU = _layer(
    "LeakyReLU", "leaky_relu", {"negative_slope": 0.01, "inplace": False}, "``max(0, x) + slope * min(0, x)``."
)
LogSigmoid = _layer("LogSigmoid", "logsigmoid", {}, "``log(sigmoid(x))``.")
Softplus = _layer("Softplus", "softplus", {"beta": 1.0, "threshold": 20.0}, "``log(1 + exp(beta * x)) / beta``.")
Softsign = _layer("Softsign", "softsign", {}, "``x / (1 + |x|)``.")
Tanhshrink = _layer("Tanhshrink", "tanhshrink", {}, "``x - tanh(x)``.")
GLU = _layer(
    "GLU", "glu", {"dim": -1}, "``a * sigmoid(b)``, where `a` and `b` are the halves of the input along `dim`."
)


class Hardtanh(Module):
    """``min(max(x, min_val), max_val)``.

    Args:
        min_val, max_val: the bounds.
        inplace: write the result into the input.
        min_value, max_value: the bounds' deprecated names.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardtanh.html
    """

    def __init__(
        self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False, min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        for old, given in (("min", min_value), ("max", max_value)):
            if given is not None:
                warnings.warn(
                    f"keyword argument `{old}_value` is deprecated and renamed to `{old}_val`",
                    FutureWarning,
                    stacklevel=2,
                )
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        if self.max_val <= self.min_val:
            raise AssertionError(f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})")

    def forward(self, input):
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        return ", ".join([f"min_val={self.min_val}", f"max_val={self.max_val}", *_in_place(self)])


class ReLU6(Hardtanh):
    """``min(max(x, 0), 6)``.

    Args:
        inplace: write the result into the input.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU6.html
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return ", ".join(_in_place(self))


class RReLU(Module):
    """Leaky ReLU whose slope is drawn from [lower, upper] in training and their mean in evaluation.

    Args:
        lower, upper: the bounds of the slope.
        inplace: write the result into the input.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.RReLU.html
    """

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False):
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input):
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        return ", ".join([f"lower={self.lower}", f"upper={self.upper}", *_in_place(self)])


class PReLU(Module):
    """``max(0, x) + a * min(0, x)`` with a learned `a`.

    Args:
        num_parameters: one slope for all channels, or one for each.
        init: their first value.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.PReLU.html
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(_creation.creation_form("empty")((num_parameters,), device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set every slope to `init`."""
        nn_init.constant_(self.weight, self.init)

    def forward(self, input):
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


def _along(name: str, function: str, summary: str) -> type:
    """A layer that normalises along one dimension."""

    def __init__(self, dim: int | None = None):
        Module.__init__(self)
        self.dim = dim

    def __setstate__(self, state):
        Module.__setstate__(self, state)
        self.__dict__.setdefault("dim", None)

    def forward(self, input):
        return getattr(F, function)(input, self.dim, _stacklevel=5)

    members = {
        "__init__": __init__,
        "__setstate__": __setstate__,
        "forward": forward,
        "extra_repr": lambda self: f"dim={self.dim}",
        "__module__": __name__,
        "__doc__": f"""{summary}

    Args:
        dim: along which the results add up to one.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.{name}.html
    """,
    }
    return type(name, (Module,), members)


Softmax = _along("Softmax", "softmax", "``exp(x) / sum(exp(x))``.")
Softmin = _along("Softmin", "softmin", "``exp(-x) / sum(exp(-x))``.")
LogSoftmax = _along("LogSoftmax", "log_softmax", "``log(softmax(x))``.")


class Softmax2d(Module):
    """Softmax over the channels at each place of an image.

    Shape:
        ``(N, C, H, W)`` or ``(C, H, W)``, unchanged.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmax2d.html
    """

    def forward(self, input):
        if input.dim() not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead")
        return F.softmax(input, -3, _stacklevel=5)
