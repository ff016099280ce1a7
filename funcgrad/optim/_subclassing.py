"""What optimizers written like PyTorch's own import from `torch.optim.optimizer`, under its names."""

from __future__ import annotations

import functools
from collections.abc import Callable

from funcgrad import _dtypes, _operators
from funcgrad._tensor import Tensor
from funcgrad.engine.state import state as thread

_params_doc = "params: tensors, ``(name, tensor)`` pairs, or parameter groups."
_foreach_doc = _capturable_doc = _fused_doc = "accepted; every step is one fused program."
_maximize_doc = "maximize: climb instead of descending."
_differentiable_doc = "differentiable: record gradients through the step."


def _use_grad_for_differentiable(func: Callable) -> Callable:
    """`func`, a ``step`` method, without recording gradients unless the optimizer is differentiable."""

    @functools.wraps(func)
    def with_grad_mode(self, *args, **kwargs):
        before, thread.grad = thread.grad, self.defaults["differentiable"]
        try:
            return func(self, *args, **kwargs)
        finally:
            thread.grad = before

    return with_grad_mode


def _get_value(x):
    """A tensor's value as a Python number."""
    return x.item() if isinstance(x, Tensor) else x


def _to_scalar(x):
    """A tensor of one element, without its dimensions."""
    return x.squeeze() if isinstance(x, Tensor) and x.dim() else x


def _stack_if_compiling(x):
    """The list itself: nothing is compiled in PyTorch's sense."""
    return x


def _get_scalar_dtype(is_fused: bool | None = None) -> _dtypes.dtype:
    """The dtype of step counts."""
    wide = _dtypes.default_dtype() is _dtypes.float64 and not is_fused
    return _dtypes.float64 if wide else _dtypes.float32


def _default_to_fused_or_foreach(params, differentiable: bool, use_fused: bool = False) -> tuple[bool, bool]:
    """Neither the fused nor the foreach version: here they are the same."""
    return False, False


def _disable_dynamo_if_unsupported(single_tensor_fn: Callable | None = None) -> Callable[[Callable], Callable]:
    """A decorator that changes nothing."""
    return lambda func: func


def _view_as_real(params: list[Tensor], *state_and_grads: list[Tensor]) -> None:
    """Replace the complex tensors of these lists by views as pairs of reals."""
    for i, p in enumerate(params):
        if p.is_complex():
            for some in (params, *state_and_grads):
                some[i] = _operators.NAMESPACES["f"]["view_as_real"](some[i])
