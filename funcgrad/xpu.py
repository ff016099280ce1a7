"""``torch.xpu`` where there is no XPU. See https://docs.pytorch.org/docs/stable/xpu.html."""

from __future__ import annotations

from funcgrad import _absent

globals().update(
    _absent.module(
        AssertionError,
        "Torch not compiled with XPU enabled",
        "can_device_access_peer change_current_allocator current_device current_stream get_device_capability init "
        "get_device_name get_device_properties get_per_process_memory_fraction get_rng_state get_stream_from_external "
        "graph_pool_handle initial_seed is_current_stream_capturing make_graphed_callables mem_get_info "
        "reset_accumulated_memory_stats set_per_process_memory_fraction set_rng_state set_stream stream synchronize "
        "use_mem_pool clock_rate device_memory_used memory_usage power_draw temperature utilization",
        "Event MemPool Stream StreamContext XPUGraph XPUPluggableAllocator graph",
        **_absent.plain_answers(),
        memory_snapshot=[],
    )
)
device = device_of = _absent.no_device
default_generators: tuple = ()
