"""``torch.cuda``: JAX's GPUs under PyTorch's names.

See https://docs.pytorch.org/docs/stable/cuda.html.
"""

from __future__ import annotations

import contextlib

import jax

from funcgrad import _device
from funcgrad import random as _random
from funcgrad.cuda import amp as amp


def is_available() -> bool:
    """Whether JAX has a GPU."""
    return device_count() > 0


def device_count() -> int:
    """How many GPUs JAX has."""
    return len(_device.jax_devices("cuda"))


def is_initialized() -> bool:
    """Whether a GPU is in use."""
    return is_available()


def init() -> None:
    """Accepted as in PyTorch; JAX initialises its devices itself."""


def current_device() -> int:
    """The index of the GPU that ``"cuda"`` means."""
    _require()
    return 0


def set_device(device) -> None:
    """Accepted for the only GPU there is."""
    if is_available():
        _device.jax_device(
            _device.canonical(_device.device(device) if not isinstance(device, int) else f"cuda:{device}")
        )


def get_device_name(device=None) -> str:
    """The GPU's name, as JAX gives it."""
    _require()
    return _device.jax_devices("cuda")[0].device_kind


def get_device_capability(device=None) -> tuple[int, int]:
    """The GPU's compute capability."""
    _require()
    text = str(getattr(_device.jax_devices("cuda")[0], "compute_capability", "0.0"))
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)


def synchronize(device=None) -> None:
    """Wait until everything launched so far is computed."""
    from funcgrad.engine.launch import launch

    launch("torch.cuda.synchronize()")
    jax.effects_barrier()


def empty_cache() -> None:
    """Accepted as in PyTorch; XLA's allocator keeps its memory."""


def manual_seed(seed: int) -> None:
    """Seed the default generator."""
    if is_available():
        _random.manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seed every GPU's generator; without GPUs nothing happens, as in PyTorch."""
    manual_seed(seed)


def _statistic(name: str, key: str):
    def statistic(device=None) -> int:
        if not is_available():
            return 0
        return int((_device.jax_devices("cuda")[0].memory_stats() or {}).get(key, 0))

    statistic.__name__ = name
    statistic.__doc__ = f"JAX's ``{key}`` of the GPU, in bytes."
    return statistic


memory_allocated = _statistic("memory_allocated", "bytes_in_use")
max_memory_allocated = _statistic("max_memory_allocated", "peak_bytes_in_use")
memory_reserved = _statistic("memory_reserved", "bytes_reserved")
max_memory_reserved = _statistic("max_memory_reserved", "peak_bytes_in_use")


def reset_peak_memory_stats(device=None) -> None:
    """Accepted as in PyTorch; JAX does not reset its peak."""


@contextlib.contextmanager
def device(device):
    """Make a GPU the default inside the block."""
    with _device.canonical(device if not isinstance(device, int) else f"cuda:{device}"):
        yield


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether the GPU computes in bfloat16."""
    return is_available()


def _require() -> None:
    if not is_available():
        raise AssertionError("Torch not compiled with CUDA enabled")
