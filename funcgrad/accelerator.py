"""``torch.accelerator``: JAX's GPU if it has one, else what PyTorch says without any.

See https://docs.pytorch.org/docs/stable/accelerator.html.
"""

from __future__ import annotations

from funcgrad import _absent, _device
from funcgrad import cuda as _cuda

_MESSAGE = "Cannot access accelerator device when none is available."
_ON_CUDA = {
    "current_device_index": "current_device", "current_device_idx": "current_device", "set_device_index": "set_device",
    "set_device_idx": "set_device", "get_memory_info": "mem_get_info",
    **{name: name for name in "current_stream empty_cache get_device_capability max_memory_allocated synchronize "
       "max_memory_reserved memory_allocated memory_reserved memory_stats reset_accumulated_memory_stats "
       "reset_peak_memory_stats set_stream".split()},
}  # fmt: skip


def is_available() -> bool:
    """Whether JAX has a GPU."""
    return _cuda.is_available()


def device_count() -> int:
    """How many GPUs JAX has."""
    return _cuda.device_count()


def current_accelerator(check_available: bool = False) -> _device.device | None:
    """The kind of accelerator there is, or None."""
    return _device.canonical("cuda") if is_available() else None


def _delegating(name: str, target: str):
    def function(*args, **kwargs):
        if not is_available():
            raise RuntimeError(_MESSAGE)
        return getattr(_cuda, target)(*args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`torch.cuda.{target}` of JAX's GPU."
    return function


globals().update({name: _delegating(name, target) for name, target in _ON_CUDA.items()})
empty_host_cache = _delegating("empty_host_cache", "empty_cache")
device_index = _absent.no_device
Graph = _absent.refusing_class("Graph", RuntimeError, _MESSAGE)
