"""PyTorch's device objects, naming JAX's devices."""

from __future__ import annotations

import re
import threading
from typing import ClassVar

import jax

_PLATFORMS = {"cpu": "cpu", "cuda": "gpu", "xla": "tpu", "tpu": "tpu", "mps": "metal"}
_TYPES = (*_PLATFORMS, "meta")
_STRING = re.compile(r"([a-zA-Z_]+)(?::([1-9]\d*|0))?")


class device:
    """Where a tensor lives, printed as PyTorch prints it; equal devices are the same object.

    Args:
        type: ``"cpu"``, ``"cuda"``, ``"tpu"``, ``"mps"``, or with an index: ``"cuda:1"``.
        index: the device's number among those of its type.

    Raises:
        RuntimeError: the type is unknown.

    Example:
        >>> import funcgrad as torch
        >>> torch.device("cpu")
        device(type='cpu')

    Source: https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.device
    """

    __slots__ = ("__weakref__", "index", "type")
    _known: ClassVar[dict] = {}

    def __new__(cls, type="cpu", index: int | None = None):
        if isinstance(type, device):
            return type
        if isinstance(type, int):
            type, index = "cuda", type
        if type == "":
            raise RuntimeError("Device string must not be empty")
        matched = _STRING.fullmatch(str(type))
        if matched is None:
            raise RuntimeError(f"Invalid device string: '{type}'")
        name, number = matched.groups()
        if number:
            if index is not None:
                raise RuntimeError(
                    f"type (string) must not include an index because index was passed explicitly: {type}"
                )
            index = int(number)
        if name not in _TYPES:
            raise RuntimeError(
                "Expected one of cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, "
                f"vulkan, mps, meta, hpu, mtia, privateuseone device type at start of device string: {name}"
            )
        found = cls._known.get((name, index))
        if found is None:
            found = cls._known[name, index] = object.__new__(cls)
            found.type, found.index = name, index
        return found

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __reduce__(self):
        return (device, (self.type, self.index))

    def __deepcopy__(self, memo):
        return self

    def __enter__(self):
        _defaults.stack.append(self)
        return self

    def __exit__(self, *exc) -> None:
        _defaults.stack.pop()


class _Defaults(threading.local):
    def __init__(self):
        self.stack: list[device] = []


_defaults = _Defaults()
CPU = device("cpu")
_process_default = [CPU]


def current() -> device:
    """The device of new tensors: the innermost ``with torch.device(...)``, else `set_default`'s."""
    return _defaults.stack[-1] if _defaults.stack else _process_default[0]


def set_default(d) -> None:
    _process_default[0] = canonical(d) if d is not None else CPU


def canonical(d) -> device:
    """The device a tensor asked for on `d` reports: accelerators carry an index, the CPU does not."""
    d = device(d)
    if d.type == "cpu" and d.index is not None:
        return CPU
    return device(d.type, 0) if d.type in ("cuda", "mps", "xla", "tpu") and d.index is None else d


def jax_devices(kind: str) -> list:
    """JAX's devices behind a PyTorch device type; none if there are none."""
    try:
        return jax.local_devices(backend=_PLATFORMS[kind])
    except (RuntimeError, KeyError):
        return []


def jax_device(d: device):
    """The JAX device that `d` names.

    Raises:
        RuntimeError: there is no such device on this machine.
    """
    found = jax_devices(d.type)
    if not found and d.type == "cuda":
        raise RuntimeError("No CUDA GPUs are available")
    if (d.index or 0) >= len(found):
        raise RuntimeError(f"{d.type.upper()} error: invalid device ordinal")
    return found[d.index or 0]
