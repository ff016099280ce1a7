"""Making tensors: from data, and from nothing."""

from __future__ import annotations

import functools
import warnings

import numpy as np

from funcgrad import _device, _dtypes, _operators
from funcgrad._facade._storage import formatted
from funcgrad._size import Size
from funcgrad._tensor import Tensor, wrap
from funcgrad.engine.state import state
from funcgrad.engine.values import Value, aval_of


def from_array(array, device=None) -> Tensor:
    """A tensor of a NumPy or JAX array (or tracer), not copied; the caller must not change it afterwards."""
    device = _device.CPU if device is None else device
    if array.dtype not in _dtypes._BY_NUMPY:
        raise TypeError(
            f"can't convert np.ndarray of type numpy.{array.dtype.type.__name__}. The only supported types are: float64, "
            "float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool."
        )
    value = Value(array, aval_of(array.shape, array.dtype, device))
    if device.type not in ("cpu", "meta"):
        value.array = _to_device(array, device)
    made = wrap(value)
    if state.capture is not None:
        state.capture.fresh[id(made)] = made
    return made


def _to_device(array, device):
    import jax

    with jax.enable_x64(True):
        return jax.device_put(array, _device.jax_device(device))


def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False) -> Tensor:
    """A new tensor of nested lists, numbers or arrays; floats get the default dtype, ints int64.

    Example:
        >>> import funcgrad as torch
        >>> torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        tensor([[1., 2.],
                [3., 4.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
    """
    if dtype is not None:
        _dtypes.check_is_dtype("tensor", dtype)
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=2,
        )
        made = data.detach().clone()
        made = made.to(dtype=dtype, device=device) if dtype is not None or device is not None else made
    else:
        made = from_array(as_numpy(data, dtype), _device.canonical(device) if device is not None else _device.current())
    return _requiring_grad(made) if requires_grad else made


def _requiring_grad(made: Tensor) -> Tensor:
    if made.dtype.category < _dtypes.FLOATING:
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    return made.requires_grad_()


def as_numpy(data, dtype=None) -> np.ndarray:
    """Python data as a fresh array of PyTorch's dtype for it."""
    target = None if dtype is None else _dtypes.to_numpy(dtype)
    if isinstance(data, np.ndarray | np.generic):
        return np.array(data, target, order="C")
    if hasattr(data, "__array__") and not isinstance(data, list | tuple):
        return np.array(np.asarray(data), target, order="C")
    data, inferred = _inferred(data)
    try:
        if target is not None and target.kind in "iu" and inferred.category <= _dtypes.FLOATING:
            return _whole(np.array(data, inferred.numpy), _dtypes.to_dtype(target))
        with np.errstate(over="ignore"):
            array = np.array(data, target if target is not None else inferred.numpy)
    except OverflowError as e:
        raise ValueError("Overflow when unpacking long long") from e
    except ValueError as e:
        raise ValueError(_ragged(data)) from e
    return array


def _whole(array: np.ndarray, dtype: _dtypes.dtype) -> np.ndarray:
    """Python numbers as an integer dtype, which has to hold them; unsigned ones wrap what is below zero."""
    from funcgrad._info import iinfo

    top = iinfo(dtype).max
    low = iinfo(dtype).min if dtype.is_signed else -top
    if array.size and not (array.min() >= low and array.max() <= top):
        raise RuntimeError(f"value cannot be converted to type {dtype.name} without overflow")
    return array.astype(np.int64).astype(dtype.numpy) if array.dtype.kind == "f" else array.astype(dtype.numpy)


def _plain(data):
    """Nested lists and numbers only: what else is a sequence becomes a list, a tensor of one element its value."""
    if isinstance(data, list | tuple):
        return [_plain(x) for x in data]
    if isinstance(data, Tensor):
        if data.numel() != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return data.item()
    return [_plain(x) for x in data] if _is_sequence(data) else data


def _is_sequence(x) -> bool:
    known = isinstance(x, str | bytes | dict | np.ndarray | np.generic | bool | int | float | complex)
    return not known and hasattr(x, "__getitem__") and hasattr(x, "__len__")


def _ragged(data) -> str:
    """PyTorch's words for nested lists of unequal lengths."""
    dim = 0
    while isinstance(data, list | tuple) and data:
        lengths = [len(x) if isinstance(x, list | tuple) else None for x in data]
        if len(set(lengths)) > 1:
            bad = next(i for i, n in enumerate(lengths) if n != lengths[0])
            if lengths[0] is None or lengths[bad] is None:
                return (
                    "not a sequence"
                    if lengths[0] is not None
                    else "only one element tensors can be converted to Python scalars"
                )
            return f"expected sequence of length {lengths[0]} at dim {dim + 1} (got {lengths[bad]})"
        data, dim = data[0], dim + 1
    return f"could not determine the shape of object type '{type(data).__name__}'"


_RANK = {bool: 0, int: 1, float: 2, complex: 3}


def _inferred(data) -> tuple[object, _dtypes.dtype]:
    """The data as `_plain` leaves it, and its dtype: the one that all of its elements' dtypes promote to."""
    best, others, plain = -1, set(), True
    stack = [data]
    while stack:
        x = stack.pop()
        rank = _RANK.get(type(x), -1)
        if rank >= 0:
            best = max(best, rank)
        elif isinstance(x, list | tuple):
            stack.extend(x)
        elif isinstance(x, Tensor):
            others.add(x.dtype)
            plain = False
        elif isinstance(x, np.ndarray | np.generic):
            others.add(_dtypes.to_dtype(x.dtype))
        elif isinstance(x, int | float):
            best = max(best, 2 if isinstance(x, float) else 1)
        elif _is_sequence(x):
            stack.extend(x)
            plain = False
        elif isinstance(x, str | bytes):
            raise TypeError(f"new(): invalid data type '{type(x).__name__}'")
        else:
            raise RuntimeError(f"Could not infer dtype of {type(x).__name__}")
    data = data if plain else _plain(data)
    if best >= 0:
        others.add((_dtypes.bool_, _dtypes.int64, _dtypes.default_dtype(), _dtypes.default_complex())[best])
    return data, functools.reduce(_dtypes.promote_types, others) if others else _dtypes.default_dtype()


def as_tensor(data, dtype=None, device=None) -> Tensor:
    """`data` as a tensor; a tensor of the right dtype and device is returned as it is."""
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device) if dtype is not None or device is not None else data
    return tensor(data, dtype=dtype, device=device)


asarray = as_tensor


def legacy_tensor(*args, dtype=None, device=None) -> Tensor:
    """``torch.Tensor(...)``: data as the default dtype, or an uninitialised tensor of the given sizes."""
    dtype = dtype or _dtypes.default_dtype()
    if not args:
        return from_array(np.zeros(0, dtype.numpy))
    first = args[0]
    if isinstance(first, Tensor) and len(args) == 1:
        if first.dtype is not dtype:
            raise (
                TypeError(f"expected {dtype} (got {first.dtype})")
                if False
                else RuntimeError(f"expected {_legacy_name(dtype)} (got {_legacy_name(first.dtype)})")
            )
        return first.detach()
    if len(args) == 1 and hasattr(first, "untyped") and hasattr(first, "data_ptr"):  # a storage
        return wrap(Value(None, aval_of((0,), dtype.numpy, _device.CPU))).set_(first)
    if isinstance(first, Size) or all(isinstance(a, int) and not isinstance(a, bool) for a in args):
        shape = tuple(first) if isinstance(first, Size) else args
        return from_array(np.zeros(shape, dtype.numpy))
    if len(args) > 1:
        raise TypeError("new() received an invalid combination of arguments")
    return from_array(as_numpy(first, dtype))


def _legacy_name(dtype: _dtypes.dtype) -> str:
    return f"torch.{dtype.scalar_name}Tensor"


# -- from nothing -----------------------------------------------------------------------------------------------------


_RANGE = (
    "torch.range is deprecated and will be removed in a future release because its behavior is inconsistent with Python's "
    "range builtin. Instead, use torch.arange, which produces values in [start, end)."
)


def creation_form(name: str):
    """``torch.zeros(...)`` and its like: the keyword arguments every factory takes, around the op."""

    def form(*args, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
             memory_format=None, **kwargs):  # fmt: skip
        device = _device.canonical(device) if device is not None else _device.current()
        if out is not None:
            if dtype is not None and dtype is not out.dtype:
                got, wanted = dtype.scalar_name, out.dtype.scalar_name
                raise RuntimeError(f"dtype {got} does not match dtype of out parameter ({wanted})")
            dtype = out.dtype
        if dtype is not None:
            _dtypes.check_is_dtype(name, dtype)
            kwargs["dtype"] = dtype
        if name == "range":
            warnings.warn(_RANGE, UserWarning, stacklevel=2)
        named = {**kwargs, "device": device}
        try:
            made = _operators.apply(_operators.op(name), args, named)
        except _operators.Override:
            made = _overridden(_operators.op(name), args, named)
        if out is not None:
            from funcgrad._facade._out import into

            return into(form.op, made, out)
        if memory_format is not None:
            made = formatted(made, memory_format)
        return _requiring_grad(made) if requires_grad else made

    return _operators._named(form, _operators.op(name), name)


def _overridden(op, args, kwargs) -> Tensor:
    """A factory that was given NumPy's zero-dimensional arrays for numbers."""
    plain = [_unwrapped(op.name, i, a) for i, a in enumerate(args)]
    return _operators.apply(op, plain, {k: _unwrapped(op.name, 0, a) for k, a in kwargs.items()})


def _unwrapped(name: str, i: int, a):
    if isinstance(a, np.ndarray):
        if a.ndim:
            raise TypeError(f"{name}(): argument 'size' (position {i + 1}) must be tuple of ints, not numpy.ndarray")
        return a.item()
    return type(a)(_unwrapped(name, i, x) for x in a) if type(a) in (tuple, list) else a


def like_form(name: str):
    """``torch.zeros_like(...)``."""

    def form(input, *args, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None,
             pin_memory=False, **kwargs):  # fmt: skip
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
        if dtype is not None:
            _dtypes.check_is_dtype(name, dtype)
            kwargs["dtype"] = dtype
        try:
            made = _operators.apply(_operators.op(name), (input, *args), kwargs)
        except _operators.Override:
            return _operators.overridden(form, (input, *args), kwargs)
        if device is not None:
            made = made.to(device)
        if memory_format is not None:
            made = formatted(made, memory_format)
        return _requiring_grad(made) if requires_grad else made

    return _operators._named(form, _operators.op(name), name)


def new_form(name: str):
    """``Tensor.new_zeros(...)``: a factory that takes dtype and device from the tensor it is called on."""
    factory = creation_form(name)

    def form(self, *args, dtype=None, device=None, **kwargs):
        return factory(*args, dtype=dtype or self.dtype, device=device or self.device, **kwargs)

    form.__name__ = f"new_{name}"
    return form


def new_tensor(self: Tensor, data, *, dtype=None, device=None, requires_grad=False, **_) -> Tensor:
    """A tensor of `data` with this tensor's dtype and device."""
    return tensor(data, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad)


def install() -> dict:
    """The factories of ``torch``; puts the methods on Tensor."""
    made = {name: creation_form(name) for name in sorted(_operators.table.CREATES) if _found(name)}
    for name in ("zeros", "ones", "full", "empty"):
        if _found(name + "_like"):
            made[name + "_like"] = like_form(name + "_like")
    for name in ("zeros", "ones", "full", "empty", "empty_strided"):
        if _found(name):
            setattr(Tensor, f"new_{name}", new_form(name))
    Tensor.new_tensor = new_tensor
    return made


def _found(name: str) -> bool:
    from funcgrad import ops

    return ops.find(name) is not None
