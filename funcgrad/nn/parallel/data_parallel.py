"""DataParallel, on one device."""

from __future__ import annotations

from funcgrad import _errors
from funcgrad.nn.modules.module import Module


def _require_one(device_ids) -> None:
    if device_ids is not None and len(device_ids) > 1:
        raise _errors.unsupported(
            "torch.nn.DataParallel", "more than one device; shard the batch by jax.sharding instead"
        )


class DataParallel(Module):
    """A module whose batches are shared out among devices; on one device it only calls the module, as in PyTorch.

    Args:
        module: the module; it stays reachable as ``.module``, which is also the prefix of its state's names.
        device_ids: at most one device.
        output_device: where results are to be.
        dim: the dimension of the batch.

    Example:
        >>> import funcgrad as torch
        >>> list(torch.nn.DataParallel(torch.nn.Linear(1, 1)).state_dict())
        ['module.weight', 'module.bias']
    """

    def __init__(self, module: Module, device_ids=None, output_device=None, dim: int = 0) -> None:
        super().__init__()
        _require_one(device_ids)
        self.module = module
        self.device_ids: list = []

    def forward(self, *inputs, **kwargs):
        """Call the module."""
        return self.module(*inputs, **kwargs)


def data_parallel(module: Module, inputs, device_ids=None, output_device=None, dim: int = 0, module_kwargs=None):
    """Call a module as `DataParallel` does."""
    _require_one(device_ids)
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*inputs, **(module_kwargs or {}))
