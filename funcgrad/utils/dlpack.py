"""Arrays of other libraries without copying, through DLPack.

Source: https://docs.pytorch.org/docs/stable/dlpack.html
"""

from __future__ import annotations

import jax

from funcgrad import _creation, _device
from funcgrad._tensor import Tensor

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor: Tensor):
    """A DLPack capsule of the tensor's data; the consumer must not write to it.

    Raises:
        RuntimeError: the tensor requires grad.
    """
    if tensor.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    with jax.enable_x64(True):
        return jax.numpy.asarray(tensor._array()).__dlpack__()


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

    The data are shared where JAX can do so; the tensor itself never changes them.

    Example:
        >>> torch.utils.dlpack.from_dlpack(np.arange(3))
        tensor([0, 1, 2])
    """
    if isinstance(ext_tensor, Tensor):
        return ext_tensor.clone() if copy else ext_tensor.detach()
    source = ext_tensor if hasattr(ext_tensor, "__dlpack__") else _Capsule(ext_tensor)
    with jax.enable_x64(True):
        array = jax.dlpack.from_dlpack(source, copy=copy)
    kind = {"gpu": "cuda"}.get(array.device.platform, array.device.platform)
    made = _creation.from_array(array, _device.canonical(kind))
    return made if device is None else made.to(device)
