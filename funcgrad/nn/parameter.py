"""Parameters and buffers: tensors that a Module registers when they are assigned to it.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html.
"""

from __future__ import annotations

from funcgrad._facade import _creation, _views
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
    """What cannot be done before the first forward fixes a lazy parameter's shape: it has no value that an op can read."""

    def _set_up(self, requires_grad: bool, device, dtype) -> None:
        empty = _creation.from_array(_creation.as_numpy([]))
        self._convert(empty.to(device=device, dtype=dtype))
        self._value = None
        self._wants_grad = requires_grad
        self._leaf = Leaf(self) if requires_grad else None

    def _convert(self, empty: Tensor) -> None:
        self._made_dtype, self._made_device = empty.dtype, empty.device

    def _empty(self) -> Tensor:
        return _creation.from_array(_creation.as_numpy([])).to(device=self._made_device, dtype=self._made_dtype)

    def _refresh(self):
        raise ValueError(
            "Attempted to use an uninitialized parameter in an operation. This error happens when you are using a "
            f"`LazyModule` or explicitly manipulating `torch.nn.parameter.{type(self).__name__}` objects. When using "
            "LazyModules Call `forward` with a dummy batch to initialize the parameters before calling torch functions"
        )

    def materialize(self, shape, device=None, dtype=None) -> None:
        """Give it its shape (and dtype and device); the values are not yet initialised."""
        made = _creation.from_array(_creation.as_numpy([]))
        made = made.new_zeros(shape, dtype=dtype or self._made_dtype, device=device or self._made_device)
        self.__class__ = self.cls_to_become
        value = made._read()
        self._value = value if self._leaf is None else as_leaf(value, self._leaf)

    def convert_with(self, fn) -> None:
        """Let ``fn`` (a conversion of tensors) decide the dtype and device that it will have."""
        self._convert(fn(self._empty()))

    dtype = property(lambda self: self._made_dtype)
    device = property(lambda self: self._made_device)
    is_leaf = property(lambda self: True)
    grad_fn = property(lambda self: None)
    ndim = property(lambda self: 1)

    @property
    def requires_grad(self) -> bool:
        return self._wants_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self._wants_grad = bool(value)
        self._leaf = Leaf(self) if value else None

    @property
    def data(self) -> Tensor:
        return self._empty()

    @property
    def shape(self):
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` to "
            "initialize the parameters before accessing their attributes."
        )

    def requires_grad_(self, requires_grad: bool = True):
        self._refresh()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    __str__ = __repr__

    def share_memory_(self):
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the parameters "
            "before calling `module.share_memory()`."
        )

    def __deepcopy__(self, memo):
        made = memo[id(self)] = type(self)(self.requires_grad, self._made_device, self._made_dtype)
        return made

    def __reduce_ex__(self, protocol: int):
        return type(self), (self.requires_grad, str(self._made_device), self._made_dtype)


def _conversion(name: str):
    """The tensor method that converts what will become of a lazy parameter."""

    def convert(self, *args, **kwargs):
        empty = self._empty()
        made = getattr(empty, name)(*args, **kwargs)
        return self if made is empty else made

    convert.__name__ = name
    return convert


for _name in "to type half float double bfloat16 cpu cuda".split():
    setattr(UninitializedTensorMixin, _name, _conversion(_name))


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape is not known yet; see ``torch.nn.LazyLinear``."""

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device=None, dtype=None):
        made = object.__new__(cls)
        made._set_up(requires_grad, device, dtype)
        return made

    __hash__ = Tensor.__hash__


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer whose shape is not known yet."""

    cls_to_become = Tensor

    def __new__(cls, requires_grad: bool = False, device=None, dtype=None, persistent: bool = True):
        made = object.__new__(cls)
        made._set_up(requires_grad, device, dtype)
        made.persistent = persistent
        return made

    __hash__ = Tensor.__hash__


def is_lazy(parameter) -> bool:
    """Whether its shape is still unknown."""
    return isinstance(parameter, UninitializedTensorMixin)
