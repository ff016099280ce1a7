"""``torch.mps`` where there is no MPS backend. See https://docs.pytorch.org/docs/stable/mps.html."""

from __future__ import annotations

from funcgrad import _absent

_REFUSED = {
    "current_allocated_memory": "getCurrentAllocatedMemory", "driver_allocated_memory": "getDriverAllocatedMemory",
    "empty_cache": "emptyCache", "get_rng_state": "getDefaultGenerator", "seed": "getDefaultGenerator",
    "recommended_max_memory": "getRecommendedMaxMemory", "set_rng_state": "getDefaultGenerator",
    "synchronize": "deviceSynchronize", "manual_seed": "getDefaultGenerator",
    "set_per_process_memory_fraction": "setMemoryFraction", "compile_shader": "compileShader",
    "load_metallib": "loadMetallib",
}  # fmt: skip
globals().update({
    name: _absent.refusing(name, RuntimeError, f"Cannot execute {what}() without MPS backend.")
    for name, what in _REFUSED.items()
})  # fmt: skip
is_available = _absent.answering("is_available", False)
device_count = _absent.answering("device_count", 0)
Event = _absent.refusing_class("Event", RuntimeError, "Cannot execute acquireEvent() without MPS backend.")
