"""Tensor's methods that are neither an op of the table nor part of its core."""

from __future__ import annotations

from funcgrad import _dtypes, _operators
from funcgrad._facade import _host_memory, _storage
from funcgrad._facade._geometry import check_overlap
from funcgrad._facade._storage import COPY
from funcgrad._operators import check_writable, write
from funcgrad._tensor import Tensor
from funcgrad.engine.state import state


def copy_(self: Tensor, other: Tensor, non_blocking: bool = False) -> Tensor:
    """Write `other`, broadcast and converted, into this tensor."""
    src = other
    check_writable(self)
    if not isinstance(src, Tensor):
        raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {type(src).__name__}")
    if src.device is not self.device:
        src = src.to(self.device)
    elif self._root is not None or self._views:
        check_overlap(self, [src])
    value = src._read()
    if src.dtype is not self.dtype:
        _dtypes.warn_of_cast(src.dtype, self.dtype)
        value = _operators.record(_operators.op("cast"), (value, self.dtype))
    if src.shape != self.shape:
        try:
            value = _operators.record(_operators.op("expand"), (value, tuple(self.shape)))
        except RuntimeError as e:
            raise RuntimeError(
                f"The size of tensor a ({self.shape[-1] if self.dim() else 1}) must match the size of tensor b "
                f"({src.shape[-1]}) at non-singleton dimension {max(self.dim() - 1, 0)}"
            ) from e
    elif value is src._value or src._value is None:
        value = _operators.record(COPY, (value,))
    write(self, value)
    return self


def fill_(self: Tensor, value) -> Tensor:
    """Set every element to `value`."""
    check_writable(self)
    if isinstance(value, Tensor):
        made = _operators.record(_operators.op("fill"), (self, value.to(self.dtype)))
    else:
        made = _filled(self, value)
    write(self, made, filling=True)
    return self


def _filled(like: Tensor, value):
    """A value of that tensor's shape, dtype and device; one that requires grad if `like` does, as in PyTorch."""
    if like.requires_grad and state.grad:
        return _operators.record(_operators.op("fill"), (like, value))
    options = {"dtype": like.dtype, "device": like.device}
    return _operators.record(_operators.op("full"), (tuple(like.shape), value), options)


def zero_(self: Tensor) -> Tensor:
    """Set every element to zero."""
    check_writable(self)
    write(self, _filled(self, 0), filling=True)
    return self


def where(self: Tensor, condition: Tensor, other) -> Tensor:
    """This tensor's elements where `condition` holds, else those of `other`."""
    return _operators.NAMESPACES["f"]["where"](condition, self, other)


def is_same_size(self: Tensor, other: Tensor) -> bool:
    return self.shape == other.shape


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape and elements."""
    return bool(_operators.call("equal", input, other))


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether every ``|input - other| <= atol + rtol * |other|``."""
    return bool(_operators.call("allclose", input, other, rtol, atol, equal_nan))


def is_nonzero(self: Tensor) -> bool:
    """Whether a one-element tensor is not zero."""
    return bool(self)


def is_tensor(x) -> bool:
    return isinstance(x, Tensor)


def is_inference(self: Tensor) -> bool:
    return False


def get_device(self: Tensor) -> int:
    return -1 if self.device.type == "cpu" else self.device.index or 0


def is_floating_point(input: Tensor) -> bool:
    return input.dtype.category == _dtypes.FLOATING


def is_complex(input: Tensor) -> bool:
    return input.dtype.category == _dtypes.COMPLEX


def numel(input: Tensor) -> int:
    return input.numel()


def install() -> dict:
    """Put the methods on Tensor; return those that are functions of ``torch`` too."""
    for method in (copy_, where, fill_, zero_, is_same_size, equal, allclose, is_nonzero,
                   is_inference, get_device):  # fmt: skip
        setattr(Tensor, method.__name__, method)
    _host_memory.install()
    return _storage.install() | {
        f.__name__: f
        for f in (equal, allclose, is_nonzero, is_tensor, is_floating_point, is_complex, numel, is_same_size)
    }
