"""``torch.mtia`` where there is no MTIA. See https://docs.pytorch.org/docs/stable/mtia.html."""

from __future__ import annotations

from funcgrad import _absent

globals().update(
    _absent.module(
        RuntimeError,
        "Cannot execute getCurrentDevice() without MTIA backend.",
        "attach_out_of_memory_observer current_device current_stream default_stream get_device_capability "
        "get_device_properties get_rng_state graph_pool_handle init initial_seed set_rng_state set_stream snapshot stream "
        "synchronize",
        "MTIAGraph graph",
        **_absent.plain_answers() | {"is_bf16_supported": True, "record_memory_history": None},
    )
)
device = _absent.no_device
