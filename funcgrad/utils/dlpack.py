"""Arrays of other libraries without copying, through DLPack.

Source: https://docs.pytorch.org/docs/stable/dlpack.html
"""

from __future__ import annotations

import enum

import jax
import numpy as np

from funcgrad import _device
from funcgrad._facade import _creation, _host_memory
from funcgrad._tensor import Tensor

__all__ = ["DLDeviceType", "from_dlpack", "to_dlpack"]


def to_dlpack(tensor: Tensor):
    """A DLPack capsule of the tensor's memory.

    Raises:
        BufferError: the tensor requires grad.
    """
    return tensor.__dlpack__()


class _Capsule:
    """An old-style capsule as an object with the protocol's methods; capsules do not say where they are: the CPU."""

    def __init__(self, capsule):
        self.capsule = capsule

    def __dlpack__(self, **options):
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


def from_dlpack(ext_tensor, *, device=None, copy: bool | None = None) -> Tensor:
    """A tensor of another library's array (anything with ``__dlpack__``), or of a capsule.

    What NumPy can take is shared as by `from_numpy`; the rest is handed to JAX.

    Example:
        >>> torch.utils.dlpack.from_dlpack(np.arange(3))
        tensor([0, 1, 2])
    """
    if isinstance(ext_tensor, Tensor):
        return ext_tensor.clone() if copy else ext_tensor.detach()
    source = ext_tensor if hasattr(ext_tensor, "__dlpack__") else _Capsule(ext_tensor)
    made = _by_numpy(source, copy) if source.__dlpack_device__()[0] == 1 and not isinstance(source, jax.Array) else None
    if made is None:
        with jax.enable_x64(True):
            array = jax.dlpack.from_dlpack(source, copy=copy)
        kind = {"gpu": "cuda"}.get(array.device.platform, array.device.platform)
        made = _creation.from_array(array, _device.canonical(kind))
    return made if device is None else made.to(device)


def _by_numpy(source, copy: bool | None) -> Tensor | None:
    if not isinstance(source, _Capsule) and "bfloat16" in str(getattr(source, "dtype", "")):
        return None
    array = np.from_dlpack(source)
    return _host_memory.from_numpy(array) if array.flags.writeable and not copy else _creation.from_array(array.copy())


class DLDeviceType(enum.IntEnum):
    """The protocol's numbers of kinds of devices."""

    kDLCPU, kDLCUDA, kDLCUDAHost, kDLOpenCL, kDLVulkan, kDLMetal, kDLVPI, kDLROCM = 1, 2, 3, 4, 7, 8, 9, 10
    kDLROCMHost, kDLExtDev, kDLCUDAManaged, kDLOneAPI, kDLWebGPU, kDLHexagon, kDLMAIA = 11, 12, 13, 14, 15, 16, 17
