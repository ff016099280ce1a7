"""Parameters and buffers: tensors that a Module registers when they are assigned to it.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html.
"""

from __future__ import annotations

from funcgrad import _creation, _views
from funcgrad._tensor import DETACH, Tensor
from funcgrad.engine.record import as_leaf, detached
from funcgrad.engine.values import Leaf


class Parameter(Tensor):
    """A tensor that is learned: assigned to a Module it is listed by ``parameters()``; it requires grad by default.

    Args:
        data: the initial values.
        requires_grad: whether gradients are recorded with respect to it.

    Example:
        >>> import funcgrad as torch
        >>> torch.nn.Parameter(torch.Tensor([1, 2, 3]))
        Parameter containing:
        tensor([1., 2., 3.], requires_grad=True)
    """

    def __new__(cls, data=None, requires_grad: bool = True):
        if data is None:
            data = _creation.from_array(_creation.as_numpy([]))
        parameter = object.__new__(cls)
        value = detached(data._read())
        if requires_grad:
            if not (value.aval.dtype.is_floating_point or value.aval.dtype.is_complex):
                raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
            parameter._leaf = Leaf(parameter)
            value = as_leaf(value, parameter._leaf)
        parameter._value = value
        _views.attach(parameter, data, DETACH, (), None)
        return parameter

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

    __str__ = __repr__
    __hash__ = Tensor.__hash__

    def __deepcopy__(self, memo: dict) -> Parameter:
        if id(self) in memo:
            return memo[id(self)]
        copied = memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        return copied


class Buffer(Tensor):
    """A tensor of a Module's state that is not learned (a running mean).

    Args:
        data: the initial values.
        persistent: whether it is part of the module's ``state_dict``.
    """

    def __new__(cls, data=None, *, persistent: bool = True):
        if data is None:
            data = _creation.from_array(_creation.as_numpy([]))
        buffer = object.__new__(cls)
        buffer._value = data._read()
        _views.attach(buffer, data, DETACH, (), None)
        buffer.persistent = persistent
        return buffer

    __hash__ = Tensor.__hash__


class UninitializedTensorMixin:
    """What cannot be done before the first forward fixes a lazy parameter's shape."""

    _MESSAGE = (
        "Attempted to use an uninitialized parameter in {}. This error happens when you are using a `LazyModule` or "
        "explicitly manipulating `torch.nn.parameter.{}` objects. When using LazyModules Call `forward` with a dummy "
        "batch to initialize the parameters before calling torch functions"
    )

    def materialize(self, shape, device=None, dtype=None) -> None:
        """Give it its shape (and dtype and device); the values are not yet initialised."""
        made = _creation.from_array(_creation.as_numpy([]))
        made = made.new_zeros(shape, dtype=dtype or self._made_dtype, device=device)
        self.__class__ = cls = self.cls_to_become
        if cls is Parameter and self._wants_grad:
            self._leaf = Leaf(self)
            self._value = as_leaf(made._read(), self._leaf)
        else:
            self._value = made._read()

    def convert_with(self, fn) -> None:
        """Let ``fn`` (a conversion of tensors) decide the dtype and device that it will have."""
        made = fn(_creation.from_array(_creation.as_numpy([])).to(self._made_dtype))
        self._made_dtype, self._made_device = made.dtype, made.device

    @property
    def shape(self):
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` to "
            "initialize the parameters before accessing their attributes."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def share_memory_(self):
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the parameters "
            "before calling `module.share_memory()`."
        )

    def __deepcopy__(self, memo):
        made = memo[id(self)] = type(self)(self.requires_grad, dtype=self._made_dtype)
        return made

    def __reduce_ex__(self, protocol: int):
        return type(self), (self.requires_grad, None, self._made_dtype)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape is not known yet; see ``torch.nn.LazyLinear``."""

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device=None, dtype=None):
        made = Parameter.__new__(cls, None, requires_grad)
        made._wants_grad = requires_grad
        made._made_dtype = dtype or made.dtype
        return made

    __hash__ = Tensor.__hash__


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer whose shape is not known yet."""

    cls_to_become = Tensor

    def __new__(cls, requires_grad: bool = False, device=None, dtype=None, persistent: bool = True):
        made = object.__new__(cls)
        made._value = _creation.from_array(_creation.as_numpy([]))._value
        made._wants_grad = False
        made._made_dtype = dtype or made.dtype
        made.persistent = persistent
        return made

    __hash__ = Tensor.__hash__


def is_lazy(parameter) -> bool:
    """Whether its shape is still unknown."""
    return isinstance(parameter, UninitializedTensorMixin)
