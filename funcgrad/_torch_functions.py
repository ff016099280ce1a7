"""Functions of ``torch`` that do more than compute: in-place forms, dropout, running statistics, recurrent networks.

See https://docs.pytorch.org/docs/stable/torch.html.
"""

from __future__ import annotations

import builtins
import math

from funcgrad import _dtypes, _operators, _random
from funcgrad._operators import write
from funcgrad._tensor import Tensor

# -- forms of methods -------------------------------------------------------------------------------------------------


def _of_method(name: str):
    """``torch.x(input, ...)`` for the method ``input.x(...)``."""

    def form(input: Tensor, *args, **kwargs):
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
        return getattr(input, name)(*args, **kwargs)

    form.__name__ = form.__qualname__ = name
    form.__doc__ = f"`Tensor.{name}` as a function."
    return form


_METHODS = "detach_ fill_ zero_ resize_as_ as_strided_ get_device is_inference is_signed is_conj is_neg"


def _is_distributed(input: Tensor) -> bool:
    """False: no tensor is."""
    return False


def where(*args, **kwargs):
    """``where(condition, input, other)``, or with `condition` alone its nonzero indices, one tensor a dimension."""
    if len(args) + len(kwargs) == 1:
        return _operators.NAMESPACES["f"]["nonzero"](*args, *kwargs.values(), as_tuple=True)
    return _operators.NAMESPACES["f"]["where"](*args, **kwargs)


# -- dropout ----------------------------------------------------------------------------------------------------------


def _check_dropout(p: float) -> None:
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p:g}")


def _dropout(name: str, channels: bool, alpha: bool):
    op = "nn.functional.alpha_dropout_mask" if alpha else "nn.functional.dropout_mask"
    draw = _random.feature_dropout_mask if channels else _random.dropout_mask

    def form(input: Tensor, p: float, train: bool) -> Tensor:
        _check_dropout(p)
        if not train or p == 0 or input.numel() == 0:
            return input
        if channels and input.dim() < 2:
            raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
        if p == 1:  # PyTorch multiplies with zero, which keeps NaN
            return input * 0
        return _operators.call(op, input, draw(tuple(input.shape), p), p)

    def form_(input: Tensor, p: float, train: bool) -> Tensor:
        _operators.check_writable(input)
        out = form(input, p, train)
        if out is not input:
            write(input, out._read())
        return input

    form.__name__ = form.__qualname__ = name
    form_.__name__ = form_.__qualname__ = name + "_"
    form.__doc__ = f"As `torch.nn.functional.{name}`, with every argument required."
    form_.__doc__ = f"`{name}` in place."
    return {name: form, name + "_": form_}


def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """Dropout, and the mask of what it kept."""
    if train is False:
        return input.clone(), _operators.call("isreal", input)
    if p == 1:
        return input * 0, _operators.call("zeros_like", input, dtype=_dtypes.bool_)
    mask = _random.dropout_mask(tuple(input.shape), p)
    return _operators.call("nn.functional.dropout_mask", input, mask, p), mask.to(_dtypes.bool_)


# -- normalisation with running statistics ----------------------------------------------------------------------------


def batch_norm(
    input: Tensor, weight, bias, running_mean, running_var, training: bool, momentum: float, eps: float, cudnn_enabled: bool
) -> Tensor:  # fmt: skip
    """As `torch.nn.functional.batch_norm`, with the arguments in the order of PyTorch's kernel."""
    from funcgrad.nn._functional.statistics import batch_norm

    return batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def native_batch_norm(
    input: Tensor, weight, bias, running_mean, running_var, training: bool, momentum: float, eps: float
):
    """`batch_norm` with the mean and the reciprocal deviation it used; updates the running statistics in training."""
    out = _operators.call("native_batch_norm", input, weight, bias, running_mean, running_var, training, momentum, eps)
    if training and running_mean is not None and running_var is not None:
        batch_norm(input.detach(), None, None, running_mean, running_var, True, momentum, eps, False)
    return out


# -- recurrent networks -----------------------------------------------------------------------------------------------


def _recurrent(name: str):
    def form(input: Tensor, *args) -> tuple[Tensor, ...]:
        packed = isinstance(args[0], Tensor) and not args[0].is_floating_point()  # then args[0] is the batch sizes
        hx, params, has_biases, layers, dropout, train, bidirectional = args[1:8] if packed else args[:7]
        masks = None
        if train and dropout > 0 and layers > 1:
            state = hx[0] if isinstance(hx, tuple | list) else hx
            width = state.size(-1) * (2 if bidirectional else 1)
            steps = tuple(input.shape[:-1])
            if not packed and args[7]:
                steps = (steps[1], steps[0])
            masks = [_random.dropout_mask((*steps, width), dropout) for _ in builtins.range(layers - 1)]
        return _operators.call(name, input, *args, dropout_masks=masks)

    form.__name__ = form.__qualname__ = name
    form.__doc__ = f"``{name}(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)``."
    return form


_CELLS = ("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
_ACTIVATIONS = ("celu_", "selu_", "threshold_", "rrelu", "rrelu_")

# -- numbers that may be symbols under a tracer: here they are plain ones ---------------------------------------------


def sym_int(a):
    """`a` as an int, rounded towards zero."""
    return math.trunc(a)


def sym_float(a):
    """`a` as a float."""
    return float(a)


def sym_not(a) -> bool:
    """``not a``."""
    return not a


def sym_max(a, b):
    """The larger; a float if either is."""
    return float(builtins.max(a, b)) if isinstance(a, float) or isinstance(b, float) else builtins.max(a, b)


def sym_min(a, b):
    """The smaller; a float if either is."""
    return float(builtins.min(a, b)) if isinstance(a, float) or isinstance(b, float) else builtins.min(a, b)


def sym_sum(args):
    """The sum of a sequence of numbers."""
    return builtins.sum(args)


def sym_ite(b, t, f):
    """`t` if `b`, else `f`."""
    return t if b else f


_FUNCTIONS = (
    where, native_dropout, batch_norm, native_batch_norm, sym_int, sym_float, sym_not, sym_max, sym_min, sym_sum, sym_ite,
)  # fmt: skip


def public() -> dict:
    """The functions of ``torch`` in this file."""
    made = {name: _of_method(name) for name in _METHODS.split() if hasattr(Tensor, name)}
    made["is_distributed"] = _is_distributed
    for name, channels, alpha in (("dropout", False, False), ("feature_dropout", True, False),
                                  ("alpha_dropout", False, True), ("feature_alpha_dropout", True, True)):  # fmt: skip
        made |= _dropout(name, channels, alpha)
    made |= {name: _recurrent(name) for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")}
    made |= {f.__name__: f for f in _FUNCTIONS}
    made |= {name: _operators.function_form(_operators.op(name), name) for name in _CELLS}
    from funcgrad.nn import functional

    return made | {name: getattr(functional, name) for name in _ACTIVATIONS}
