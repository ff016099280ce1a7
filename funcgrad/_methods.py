"""Tensor's methods that are neither an op of the table nor part of its core."""

from __future__ import annotations

from funcgrad import _dtypes, _operators
from funcgrad._operators import check_writable, write
from funcgrad._tensor import Tensor, wrap


def contiguous(self: Tensor, memory_format=None) -> Tensor:
    """The tensor itself: arrays have no strides of their own here."""
    return self


def is_contiguous(self: Tensor, memory_format=None) -> bool:
    return True


def copy_(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Write `src`, broadcast and converted, into this tensor."""
    check_writable(self)
    if not isinstance(src, Tensor):
        raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {type(src).__name__}")
    if src.device is not self.device:
        src = src.to(self.device)
    value = src._read()
    if src.dtype is not self.dtype:
        value = _operators.record(_operators.op("cast"), (value, self.dtype))
    if src.shape != self.shape:
        try:
            value = _operators.record(_operators.op("expand"), (value, tuple(self.shape)))
        except RuntimeError as e:
            raise RuntimeError(
                f"The size of tensor a ({self.shape[-1] if self.dim() else 1}) must match the size of tensor b "
                f"({src.shape[-1]}) at non-singleton dimension {max(self.dim() - 1, 0)}"
            ) from e
    elif value is src._value:
        value = _operators.record(_COPY, (value,))
    write(self, value)
    return self


_COPY = _operators.Op("clone", lambda x: x)


def fill_(self: Tensor, value) -> Tensor:
    """Set every element to `value`."""
    check_writable(self)
    if isinstance(value, Tensor):
        if value.dim():
            raise RuntimeError(
                f"fill_ only supports 0-dimension value tensor but got tensor with {value.dim()} dimensions."
            )
        write(self, _operators.record(_operators.op("expand"), (value.to(self.dtype), tuple(self.shape))))
        return self
    made = _operators.record(
        _operators.op("full"), (tuple(self.shape), value), {"dtype": self.dtype, "device": self.device}
    )
    write(self, made)
    return self


def zero_(self: Tensor) -> Tensor:
    """Set every element to zero."""
    check_writable(self)
    made = _operators.record(_operators.op("zeros"), (tuple(self.shape),), {"dtype": self.dtype, "device": self.device})
    write(self, made)
    return self


def clone(self: Tensor, *, memory_format=None) -> Tensor:
    """A copy; gradients flow through it."""
    return wrap(_operators.record(_COPY, (self,)))


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


def data_ptr(self: Tensor) -> int:
    base = self if self._base is None else self._base
    return id(base)


def stride(self: Tensor, dim=None):
    """The strides a contiguous tensor of this shape has."""
    strides, step = [], 1
    for n in reversed(self.shape):
        strides.append(step)
        step *= max(n, 1)
    strides = tuple(reversed(strides))
    return strides if dim is None else strides[dim]


def is_inference(self: Tensor) -> bool:
    return False


def get_device(self: Tensor) -> int:
    return -1 if self.device.type == "cpu" else self.device.index or 0


def is_floating_point(x: Tensor) -> bool:
    return x.dtype.category == _dtypes.FLOATING


def is_complex(x: Tensor) -> bool:
    return x.dtype.category == _dtypes.COMPLEX


def numel(x: Tensor) -> int:
    return x.numel()


def _reshaping(name: str):
    """``Tensor.squeeze_`` and its like: the tensor itself takes another shape."""
    view = _operators.op(name)

    def form(self: Tensor, *args, **kwargs) -> Tensor:
        check_writable(self)
        out = _operators.record(view, (self, *args), kwargs)
        self._value = out
        return self

    form.__name__ = name + "_"
    form.__doc__ = f"`Tensor.{name}` in place."
    return form


def install() -> dict:
    """Put the methods on Tensor; return those that are functions of ``torch`` too."""
    for method in (contiguous, is_contiguous, copy_, fill_, zero_, clone, is_same_size, equal, allclose, is_nonzero,
                   data_ptr, stride, is_inference, get_device):  # fmt: skip
        setattr(Tensor, method.__name__, method)
    for name in ("squeeze", "unsqueeze", "transpose", "t", "swapaxes", "swapdims"):
        setattr(Tensor, name + "_", _reshaping(name))
    return {
        f.__name__: f
        for f in (clone, equal, allclose, is_nonzero, is_tensor, is_floating_point, is_complex, numel, is_same_size)
    }
