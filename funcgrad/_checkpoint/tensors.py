"""What checkpoints need of Tensors: making them, and finding out which share their numbers."""

from __future__ import annotations

import math

import numpy as np

from funcgrad import _creation, _device, _operators
from funcgrad._size import Size as Size
from funcgrad._tensor import _OWN, Tensor
from funcgrad.nn.parameter import Buffer, Parameter

device = _device.device
_MOST_INDICES = 1 << 26  # beyond, a view is saved as a tensor of its own rather than traced to its base


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
    return type(tensor) in (Tensor, Buffer)


def location_of(tensor: Tensor) -> str:
    """The device's name in a file. PyTorch's loader knows no TPU: such tensors are written as the CPU's."""
    return str(tensor.device) if tensor.device.type in ("cpu", "cuda", "mps") else "cpu"


def is_available(location: str) -> bool:
    kind, _, index = location.partition(":")
    return int(index or 0) < len(_device.jax_devices(kind))


def storage_of(tensor: Tensor) -> tuple[object, np.ndarray, str, int, tuple[int, ...]]:
    """Whose numbers a tensor looks at, those numbers flat, their device, and the window: offset and strides."""
    base = tensor if tensor._base is None else tensor._base
    window = _window(tensor, base)
    owner = tensor if window is None else base
    offset, stride = window or (0, contiguous_strides(tuple(tensor.shape)))
    return owner, owner.detach()._host().reshape(-1), location_of(owner), offset, stride


def contiguous_strides(size) -> tuple[int, ...]:
    """Row-major strides of a shape, in elements, as PyTorch counts them (an empty dimension counts as one)."""
    strides, step = [], 1
    for n in reversed(size):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


def _window(tensor: Tensor, base: Tensor) -> tuple[int, tuple[int, ...]] | None:
    """Offset and strides of a view into its base; ``None`` if it is not such a window."""
    chain, parent = [], tensor
    while parent is not base:
        if parent._made is None:
            return None
        chain.append(parent._made)
        parent = parent._made.parent
    chain = [made for made in reversed(chain) if made.op.name != "detach"]
    if not chain:
        return 0, contiguous_strides(tuple(base.shape))
    if base.numel() > _MOST_INDICES or base.numel() == 0:
        return None
    return _affine(_indices(chain, base), tensor)


def _indices(chain: list, base: Tensor) -> np.ndarray | None:
    """For each element of the view its index in the base: the derivation, applied to the indices."""
    at = _creation.from_array(np.arange(base.numel()).reshape(tuple(base.shape)))
    try:
        for made in chain:
            at = _operators.apply(made.op, (at, *made.args), made.kwargs)
            at = at if made.index is None else at[made.index]
        return at._host()
    except (TypeError, RuntimeError, NotImplementedError):  # a view as another dtype
        return None


def _affine(indices: np.ndarray | None, tensor: Tensor) -> tuple[int, tuple[int, ...]] | None:
    if indices is None or indices.shape != tuple(tensor.shape) or not indices.size:
        return None
    offset = int(indices.flat[0])
    default = contiguous_strides(indices.shape)
    stride = tuple(
        int(indices.take(1, axis).flat[0]) - offset if n > 1 else default[axis] for axis, n in enumerate(indices.shape)
    )
    grids = np.ogrid[tuple(slice(n) for n in indices.shape)]
    rebuilt = offset + sum((g * s for g, s in zip(grids, stride)), np.zeros((), np.int64))
    return (offset, stride) if min(stride, default=0) >= 0 and (indices == rebuilt).all() else None
