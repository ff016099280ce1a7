"""Process-wide settings of ``torch``: default dtype and device, threads, determinism; and questions about dtypes."""

from __future__ import annotations

import os

from funcgrad import _device, _dtypes
from funcgrad._size import Size
from funcgrad._tensor import Tensor
from funcgrad._warnings import warn_once
from funcgrad.engine.launch import launch
from funcgrad.engine.state import Program, state
from funcgrad.ops.broadcasting import broadcast_shapes as _broadcast

_deterministic = [False, False]
_precision = ["highest"]
_threads = [os.cpu_count() or 1, os.cpu_count() or 1]


def get_default_dtype() -> _dtypes.dtype:
    """The dtype of floats that nothing else decides."""
    return _dtypes.default_dtype()


def set_default_dtype(d: _dtypes.dtype) -> None:
    """Give floats that nothing else decides the dtype `d`.

    Raises:
        TypeError: `d` is no floating-point dtype.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.set_default_dtype.html
    """
    if d is _dtypes.default_dtype():
        return
    free = state.capture is None and state.program.nested is None
    if free:
        launch("the default dtype was changed")  # what is pending was recorded under the old one
    _dtypes.set_default_dtype(d)
    if free:
        state.program = Program()


def get_default_device() -> _device.device:
    """The device of new tensors."""
    return _device.current()


def set_default_device(device) -> None:
    """Put new tensors on `device`."""
    _device.set_default(device)


def set_default_tensor_type(t) -> None:
    """Deprecated: set the default dtype by a tensor type."""
    from funcgrad._facade._convert import _by_type_name

    warn_once(
        "torch.set_default_tensor_type() is deprecated as of PyTorch 2.1, please use torch.set_default_dtype() and "
        "torch.set_default_device() as alternatives."
    )
    set_default_dtype(_by_type_name(t if isinstance(t, str) else t.__name__))


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Accepted; XLA's CPU programs are deterministic."""
    _deterministic[:] = [bool(mode), bool(warn_only)]


def are_deterministic_algorithms_enabled() -> bool:
    """Whether `use_deterministic_algorithms` was asked for."""
    return _deterministic[0]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether it was asked for with `warn_only`."""
    return _deterministic[1]


def set_deterministic_debug_mode(debug_mode) -> None:
    """Accepted as in PyTorch."""


def set_float32_matmul_precision(precision: str) -> None:
    """How exact float32 products must be: ``"highest"``, ``"high"`` or ``"medium"``; kept, XLA's default is used."""
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"{precision} is not one of 'highest', 'high', or 'medium'")
    _precision[0] = precision


def get_float32_matmul_precision() -> str:
    """What was set last."""
    return _precision[0]


def get_num_threads() -> int:
    """How many threads were asked for; XLA uses every core."""
    return _threads[0]


def set_num_threads(n: int) -> None:
    """Accepted; XLA decides."""
    if n <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")
    _threads[0] = int(n)


def get_num_interop_threads() -> int:
    """As `get_num_threads`."""
    return _threads[1]


def set_num_interop_threads(n: int) -> None:
    """Accepted; XLA decides."""
    _threads[1] = int(n)


def set_flush_denormal(mode: bool) -> bool:
    """Not supported: returns False, as PyTorch does where the CPU cannot."""
    return False


def result_type(tensor1, tensor2) -> _dtypes.dtype:
    """The dtype an op on both computes in."""
    dims, zeros, numbers = [], [], []
    for x in (tensor1, tensor2):
        if isinstance(x, Tensor):
            (dims if x.dim() else zeros).append(x.dtype)
        else:
            numbers.append(type(x))
    return _dtypes.result_type(dims, zeros, numbers)


def can_cast(from_: _dtypes.dtype, to: _dtypes.dtype) -> bool:
    """Whether a result of one dtype may be written to a tensor of another."""
    return _dtypes.can_cast(from_, to)


def broadcast_shapes(*shapes) -> Size:
    """The shape that tensors of these shapes broadcast to."""
    for s in shapes:
        if not isinstance(s, int | tuple | list):
            raise RuntimeError(f"Input shapes should be of type ints, a tuple of ints, or a list of ints, got {s}")
        if any(n < 0 for n in (s if isinstance(s, tuple | list) else (s,))):
            raise ValueError("Attempting to broadcast a dimension with negative length!")
    return Size(_broadcast(*shapes))


def typename(obj) -> str:
    """The name of a value's type, as PyTorch spells it."""
    if isinstance(obj, Tensor):
        return obj.type()
    cls = type(obj)
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def compiled_with_cxx11_abi() -> bool:
    """Accepted as in PyTorch."""
    return True


def public() -> dict:
    """The functions of ``torch`` in this file."""
    return {
        n: f for n, f in globals().items() if callable(f) and getattr(f, "__module__", "") == __name__ and n != "public"
    }
