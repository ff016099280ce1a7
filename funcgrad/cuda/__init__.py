"""``torch.cuda``: JAX's GPUs under PyTorch's names.

See https://docs.pytorch.org/docs/stable/cuda.html.
"""

from __future__ import annotations

import contextlib

import jax

from funcgrad import _absent, _device
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


_initialized = False  # programs ask before they read the state of GPU generators


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


def mem_get_info(device=None) -> tuple[int, int]:
    """Free and total memory of the GPU, in bytes."""
    _require()
    stats = _device.jax_devices("cuda")[0].memory_stats() or {}
    total = int(stats.get("bytes_limit", 0))
    return total - int(stats.get("bytes_in_use", 0)), total


def initial_seed() -> int:
    """The seed of the default generator."""
    _require()
    return _random.initial_seed()


def seed() -> None:
    """Seed the default generator with a number from outside."""
    if is_available():
        _random.seed()


seed_all = seed
max_memory_cached, memory_cached = max_memory_reserved, memory_reserved
device_of = device
default_generators: tuple = ()
has_half, has_magma = True, False
_ABSENT = "Torch not compiled with CUDA enabled"
_REFUSED = """
    caching_allocator_alloc caching_allocator_delete can_device_access_peer change_current_allocator check_error clock_rate
    cudart current_blas_handle current_solver_handle current_stream default_stream device_memory_used
    get_device_properties get_per_process_memory_fraction get_rng_state get_stream_from_external get_sync_debug_mode
    graph_pool_handle is_current_stream_capturing make_graphed_callables memory_usage power_draw set_rng_state
    set_per_process_memory_fraction set_stream set_sync_debug_mode temperature use_mem_pool utilization
"""
_CLASSES = """
    CUDAGraph CUDAPluggableAllocator Event ExternalStream GreenContext MemPool Stream StreamContext graph
"""
_ANSWERS = {
    **{name: None for name in "ipc_collect caching_allocator_enable reset_accumulated_host_memory_stats set_rng_state_all "
       "reset_accumulated_memory_stats reset_max_memory_allocated reset_max_memory_cached "
       "reset_peak_host_memory_stats".split()},
    **{name: {} for name in "host_memory_stats host_memory_stats_as_nested_dict memory_stats "
       "memory_stats_as_nested_dict".split()},
    "get_arch_list": [], "get_rng_state_all": [], "memory_snapshot": [], "get_gencode_flags": "", "memory_summary": "",
    "is_tf32_supported": False, "get_allocator_backend": "native",
    "list_gpu_processes": "pynvml module not found, please install nvidia-ml-py",
}  # fmt: skip
globals().update(_absent.module(AssertionError, _ABSENT, _REFUSED, _CLASSES, **_ANSWERS))
stream = _absent.no_device  # PyTorch too accepts None
caching_allocator_disabled = _absent.no_device


class OutOfMemoryError(RuntimeError):
    """What PyTorch raises when a GPU's memory is full; JAX raises an error of its own."""


class CudaError(RuntimeError):
    """An error of the CUDA runtime; never raised here."""


class DeferredCudaCallError(Exception):
    """An error of a postponed CUDA call; never raised here."""
