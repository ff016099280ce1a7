"""What checkpoints need of Tensors: making them, and finding out which share their numbers."""

from __future__ import annotations

import math

import numpy as np

from funcgrad import _device
from funcgrad._facade import _creation
from funcgrad._size import Size as Size
from funcgrad._tensor import _OWN, Tensor
from funcgrad.nn.parameter import Buffer, Parameter
from funcgrad.ops.strides import Geometry, contiguous_strides, derive

device = _device.device
_CONJUGATING = ("conj", "adjoint", "H", "mH", "resolve_conj")  # views in PyTorch, of other numbers


def is_tensor(x) -> bool:
    return isinstance(x, Tensor)


def from_array(array: np.ndarray, location: str, requires_grad: bool) -> Tensor:
    """A tensor of `array`'s values, which may be the file's own bytes: nobody writes to either."""
    tensor = _creation.from_array(np.asarray(array, order="C"), _device.canonical(location))
    return tensor.requires_grad_() if requires_grad else tensor


def from_shape(size, dtype, requires_grad: bool) -> Tensor:
    """A tensor on the meta device, which has no values."""
    tensor = _creation.from_array(np.broadcast_to(np.zeros((), dtype.numpy), tuple(size)), device("meta"))
    return tensor.requires_grad_() if requires_grad else tensor


def view_of(base: Tensor, offset: int, size: tuple, stride: tuple, requires_grad: bool) -> Tensor:
    """A window of the one-dimensional tensor `base`, which writes to either change for both."""
    if stride == contiguous_strides(size):
        count = math.prod(size)
        view = (base if count == base.numel() else base.narrow(0, offset, count)).view(size)
    else:
        view = base.as_strided(size, stride, offset)
    return view.requires_grad_() if requires_grad else view


def parameter(data: Tensor, requires_grad: bool) -> Parameter:
    return Parameter(data, requires_grad)


def as_subclass(tensor: Tensor, kind: type) -> Tensor:
    if not issubclass(kind, Tensor):
        raise TypeError(f"{kind.__name__} is no subclass of Tensor")
    made = object.__new__(kind)
    made._value = tensor.detach()._read()
    return made.requires_grad_(tensor.requires_grad)


def attributes(tensor: Tensor) -> dict:
    """What the user has attached to a tensor."""
    own = _OWN | {"_value"} | ({"persistent"} if isinstance(tensor, Buffer) else set())
    return {name: value for name, value in vars(tensor).items() if name not in own}


def is_plain(tensor: Tensor) -> bool:
    """Whether PyTorch writes this tensor as a Tensor rather than as an object of a subclass."""
    return type(tensor) in (Tensor, Buffer) or getattr(type(tensor), "_is_plain", False)


def location_of(tensor: Tensor) -> str:
    """The device's name in a file. PyTorch's loader knows no TPU: such tensors are written as the CPU's."""
    return str(tensor.device) if tensor.device.type in ("cpu", "cuda", "mps") else "cpu"


def is_available(location: str) -> bool:
    kind, _, index = location.partition(":")
    return int(index or 0) < len(_device.jax_devices(kind))


def storage_of(tensor: Tensor) -> tuple[object, np.ndarray, str, int, tuple[int, ...]]:
    """Whose numbers a tensor looks at, those numbers flat, their device, and the window: offset and strides."""
    base = tensor if tensor._root is None else tensor._root
    window = _window(tensor, base)
    owner = tensor if window is None else base
    if window is None:
        window = Geometry(tuple(tensor.shape), contiguous_strides(tensor.shape))
    return owner, owner.detach()._host().reshape(-1), location_of(owner), window.offset, window.strides


def _window(tensor: Tensor, base: Tensor) -> Geometry | None:
    """Where in its base a view lies; ``None`` if it is not a window of the base's numbers."""
    chain, parent = [], tensor
    while parent is not base:
        if parent._made is None:
            return None
        chain.append(parent._made)
        parent = parent._made.parent
    if tensor.dtype is not base.dtype or (tensor.is_complex() and any(m.op.name in _CONJUGATING for m in chain)):
        return None
    geometry = Geometry(tuple(base.shape), contiguous_strides(base.shape))
    try:
        for made in reversed(chain):
            geometry = derive(made.op.name, geometry, *made.args, **(made.kwargs or {}))
            geometry = geometry if made.index is None else geometry[made.index]
    except (KeyError, TypeError, RuntimeError):
        return None
    return geometry if geometry is not None and geometry.sizes == tuple(tensor.shape) else None
