"""``torch.autograd.Variable``, which has long been the same as a tensor."""

from __future__ import annotations

from funcgrad._tensor import Tensor


class _IsTensor(type):
    def __instancecheck__(cls, instance) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_IsTensor):
    """``Variable(tensor)`` is the tensor itself, with its `requires_grad` set.

    Example:
        >>> import funcgrad as torch
        >>> torch.autograd.Variable(torch.ones(2), requires_grad=True).requires_grad
        True
    """

    def __new__(cls, data, requires_grad: bool = False, volatile: bool | None = None) -> Tensor:
        made = data.detach()
        return made.requires_grad_(requires_grad) if requires_grad else made
