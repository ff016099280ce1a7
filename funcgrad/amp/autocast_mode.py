"""Autocast, the context manager. See https://docs.pytorch.org/docs/stable/amp.html#torch.autocast."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from funcgrad import _device, _dtypes
from funcgrad._facade import _autocast as modes
from funcgrad._facade._autocast import is_autocast_available as is_autocast_available
from funcgrad._tensor import Tensor

__all__ = ["autocast", "autocast_decorator", "custom_bwd", "custom_fwd", "is_autocast_available"]


class autocast:
    """Inside, products and convolutions compute in a low precision, ops that need it in float32.

    It is a context manager and a decorator. Leave `loss.backward()` outside: gradients are computed in the precision
    that the forward pass used.

    Args:
        device_type: ``"cpu"``, ``"cuda"``, ...: ops on other devices are left alone.
        dtype: bfloat16 or float16; by default what `torch.get_autocast_dtype` says.
        enabled: False switches autocast off inside.
        cache_enabled: whether a parameter is converted once for the whole region.

    Example:
        >>> import funcgrad as torch
        >>> x = torch.ones(2, 2)
        >>> with torch.autocast("cpu"):
        ...     y = x @ x
        >>> y.dtype, torch.nn.functional.mse_loss(y, x).dtype
        (torch.bfloat16, torch.float32)
    """

    def __init__(
        self,
        device_type: str,
        dtype: _dtypes.dtype | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ):
        _check_device_type(device_type)
        self.device = device_type
        self.fast_dtype = modes.get_autocast_dtype(device_type) if dtype is None else dtype
        self._cache_enabled = modes.is_autocast_cache_enabled() if cache_enabled is None else cache_enabled
        problem = _problem(device_type, self.fast_dtype) if enabled else None
        if problem:
            warnings.warn(problem, stacklevel=2 if type(self) is autocast else 3)
        self._enabled = enabled and not problem

    def __enter__(self) -> autocast:
        device = self.device
        self._before = (
            modes.is_autocast_enabled(device),
            modes.get_autocast_dtype(device),
            modes.is_autocast_cache_enabled(),
        )
        modes.set_autocast_dtype(device, self.fast_dtype)
        modes.set_autocast_enabled(device, self._enabled)
        modes.autocast_increment_nesting()
        modes.set_autocast_cache_enabled(self._cache_enabled)
        return self

    def __exit__(self, *exc) -> bool:
        enabled, dtype, cache_enabled = self._before
        if modes.autocast_decrement_nesting() == 0:
            modes.clear_autocast_cache()
        modes.set_autocast_dtype(self.device, dtype)
        modes.set_autocast_enabled(self.device, enabled)
        modes.set_autocast_cache_enabled(cache_enabled)
        return False

    def __call__(self, func: Callable) -> Callable:
        if not callable(func):
            raise TypeError(
                f"autocast()(func) requires a callable, but got {type(func).__name__}. "
                "Did you mean to use autocast as a context manager? For example:\n"
                "    with torch.autocast(device_type=...):\n"
                "        output = model(input)"
            )
        return autocast_decorator(self, func)


def _check_device_type(device_type) -> None:
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")


def _problem(device_type: str, dtype) -> str | None:
    """Why autocast has to stay off, if it has to."""
    if device_type == "cuda":
        if not _device.jax_devices("cuda"):
            return "CUDA is not available or torch_xla is imported. Disabling autocast."
    elif dtype not in (_dtypes.bfloat16, _dtypes.float16):
        name = device_type.upper()
        return (
            f"In {name} autocast, but the target dtype is not supported. Disabling autocast.\n"
            f"{name} Autocast only supports dtypes of torch.bfloat16, torch.float16 currently."
        )
    return None


def autocast_decorator(autocast_instance: autocast, func: Callable) -> Callable:
    """`func`, always called inside the region."""

    @functools.wraps(func)
    def decorate_autocast(*args, **kwargs):
        with autocast_instance:
            return func(*args, **kwargs)

    return decorate_autocast


def _cast(value, device_type: str, dtype):
    """Floating-point tensors on the device (but float64 ones) in another dtype, also inside containers."""
    if isinstance(value, Tensor):
        convertible = value.is_floating_point() and value.dtype is not _dtypes.float64
        return value.to(dtype) if convertible and value.device.type == device_type else value
    if isinstance(value, str | bytes | np.ndarray) or not isinstance(value, Iterable):
        return value
    if isinstance(value, Mapping):
        return {_cast(k, device_type, dtype): _cast(v, device_type, dtype) for k, v in value.items()}
    items = (_cast(v, device_type, dtype) for v in value)
    return type(value)(items) if isinstance(value, list | tuple) else items


def custom_fwd(fwd: Callable | None = None, *, device_type: str, cast_inputs: _dtypes.dtype | None = None) -> Callable:
    """A decorator for the ``forward`` of an ``autograd.Function``.

    Args:
        fwd: the method; None gives the decorator.
        device_type: the device whose autocast is meant.
        cast_inputs: inside a region, convert the inputs to this dtype and run `fwd` with autocast off.
    """
    _check_device_type(device_type)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def decorate_fwd(ctx, *args, **kwargs):
        inside = modes.is_autocast_enabled(device_type)
        ctx._dtype = modes.get_autocast_dtype(device_type)
        ctx._fwd_used_autocast = inside and cast_inputs is None
        if cast_inputs is None or not inside:
            return fwd(ctx, *args, **kwargs)
        with autocast(device_type, enabled=False):
            return fwd(ctx, *_cast(args, device_type, cast_inputs), **_cast(kwargs, device_type, cast_inputs))

    return decorate_fwd


def custom_bwd(bwd: Callable | None = None, *, device_type: str) -> Callable:
    """A decorator for the ``backward`` of an ``autograd.Function``: it runs in the precision of ``forward``.

    Args:
        bwd: the method; None gives the decorator.
        device_type: the device whose autocast is meant.
    """
    _check_device_type(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def decorate_bwd(ctx, *args, **kwargs):
        with autocast(device_type, dtype=ctx._dtype, enabled=ctx._fwd_used_autocast):
            return bwd(ctx, *args, **kwargs)

    return decorate_bwd
