"""Moving tensors between dtypes and devices: ``Tensor.to`` and its relatives."""

from __future__ import annotations

import jax

from funcgrad import _device, _dtypes, _formats, _operators
from funcgrad._facade import _storage
from funcgrad._tensor import Tensor, wrap
from funcgrad.engine.launch import settle
from funcgrad.engine.values import Value, aval_of


def to(self: Tensor, *args, dtype=None, device=None, non_blocking=False, copy=False, memory_format=None) -> Tensor:
    """This tensor converted to a dtype and/or moved to a device; itself if it is so already.

    Called as ``to(dtype)``, ``to(device)``, ``to(device, dtype)`` or ``to(other)``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    for a in args:
        if isinstance(a, _dtypes.dtype | type):
            if a not in (float, int, bool, complex) and isinstance(a, type):
                raise TypeError("to() received an invalid combination of arguments - got (type)")
            dtype = a
        elif isinstance(a, Tensor):
            dtype, device = a.dtype, a.device
        elif isinstance(a, _device.device | str | int) and not isinstance(a, bool):
            device = a
    made = self
    dtype = _dtypes.to_dtype(dtype) if isinstance(dtype, type) else dtype
    if dtype is not None and dtype is not self.dtype:
        _dtypes.warn_of_cast(self.dtype, dtype)
        made = _operators.apply(_operators.op("cast"), (self, dtype))
    if device is not None:
        made = _moved(made, _device.canonical(device))
    made = made.clone() if copy and made is self else made
    if memory_format is None or memory_format is _formats.preserve_format:
        return made
    same = made is self and _storage.suggested_format(made) is memory_format
    return made if same else _storage.clone(made, memory_format=memory_format)


def _moved(tensor: Tensor, device) -> Tensor:
    if tensor.device is device:
        return tensor
    value = tensor._read()
    if value.array is None:
        settle(value)
    aval = aval_of(value.aval.shape, value.aval.dtype.numpy, device)
    with jax.enable_x64(True):
        array = jax.device_put(value.array, _device.jax_device(device))
    if not value.requires_grad:
        return wrap(Value(array, aval))
    return _operators.apply(_move_op(device, tensor.device), (tensor, wrap(Value(array, aval))))


def _move_op(device, back):
    raise NotImplementedError(
        f"torch.Tensor.to({str(device)!r}) of a tensor that requires grad is not supported by funcgrad"
    )


def type_(self: Tensor, dtype=None, non_blocking=False, **kwargs):
    """The tensor's type as a string (``"torch.FloatTensor"``), or the tensor converted to one."""
    if dtype is None:
        where = "cuda." if self.device.type == "cuda" else ""
        where += "sparse." if self.is_sparse else ""
        return f"torch.{where}{self.dtype.scalar_name}Tensor"
    if isinstance(dtype, str):
        dtype = _by_type_name(dtype)
    elif not isinstance(dtype, _dtypes.dtype):
        dtype = _dtypes.default_dtype() if dtype is Tensor else dtype.dtype
    return self.to(dtype)


def _by_type_name(name: str) -> _dtypes.dtype:
    short = name.rpartition(".")[2].removesuffix("Tensor")
    for d in _dtypes.ALL:
        if d.scalar_name == short:
            return d
    raise ValueError(f"invalid type: '{name}'")


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """This tensor converted to `other`'s dtype."""
    return self.to(other.dtype)


def _to_dtype_method(dtype: _dtypes.dtype):
    def method(self, memory_format=None) -> Tensor:
        return self.to(dtype, memory_format=memory_format)

    return method


def install() -> None:
    Tensor.to = to
    Tensor.type = type_
    Tensor.type_as = type_as
    names = {
        **_dtypes.ALIASES,
        "bool": _dtypes.bool_,
        "bfloat16": _dtypes.bfloat16,
        "byte": _dtypes.uint8,
        "char": _dtypes.int8,
    }
    for name, dtype in names.items():
        setattr(Tensor, name, _to_dtype_method(dtype))
    Tensor.cpu = lambda self, memory_format=None: self.to("cpu")
    Tensor.cuda = lambda self, device=None, non_blocking=False, memory_format=None: self.to(
        "cuda" if device is None else device
    )
