"""DistributedDataParallel, which funcgrad does not have."""

from __future__ import annotations

from funcgrad import _errors
from funcgrad.nn.modules.module import Module


class DistributedDataParallel(Module):
    """Not supported: several devices are used through ``jax.sharding``, in one process or many."""

    def __init__(self, *args, **kwargs) -> None:
        raise _errors.unsupported(
            "torch.nn.parallel.DistributedDataParallel", "use jax.sharding to share a batch among devices"
        )
