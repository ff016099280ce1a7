"""Writing a checkpoint's pickle: funcgrad's objects under PyTorch's names, tensors as references to storages."""

from __future__ import annotations

import pickle
import types
from collections import OrderedDict

from funcgrad import _dtypes
from funcgrad._checkpoint import rebuild, tensors
from funcgrad._checkpoint.storages import OF_DTYPE, UNTYPED, Storage, StorageType
from funcgrad.ops.strides import contiguous_strides

_NAMES = {id(f): name for name, f in rebuild.FUNCTIONS.items() if name.startswith("torch.")}
_NAMES |= {id(t): name for name, t in rebuild.TENSOR_TYPES.items()}
_NAMES |= {id(tensors.Size): "torch.Size", id(tensors.device): "torch.device"}


class Pickler(pickle._Pickler):
    """The standard library's Python pickler (the C one cannot be told another name for a global).

    Attributes:
        storages: what the archive must hold besides the pickle, by key, in order of appearance.
    """

    def __init__(self, file, protocol: int = 2, legacy: bool = False):
        super().__init__(file, protocol)
        self.storages: dict[str, Storage] = {}
        self._legacy = legacy
        self._keys: dict[int, tuple[str, object]] = {}  # by the id of a storage's owner, which it keeps alive

    def persistent_id(self, obj):
        if type(obj) is not _StorageOf:
            return None
        key, _owner = self._keys.setdefault(id(obj.owner), (str(len(self._keys)), obj.owner))
        storage = self.storages.setdefault(key, obj.storage)
        kind = OF_DTYPE.get(storage.dtype, UNTYPED)
        size = storage.nbytes() if kind is UNTYPED else storage.numel
        pid = ("storage", kind, key, storage.location, size)
        return (*pid, None) if self._legacy else pid

    def reducer_override(self, obj):
        if isinstance(obj, tensors.Tensor):
            return _reduce_tensor(obj)
        if type(obj) is tensors.Size:
            return tensors.Size, (tuple(obj),)
        if type(obj) is tensors.device:
            return tensors.device, (obj.type,) if obj.index is None else (obj.type, obj.index)
        return NotImplemented if _torch_name(obj) is None else ""

    def save_global(self, obj, name=None):
        full = _torch_name(obj)
        if full is None:
            super().save_global(obj, name)
        else:
            module, _, name = full.rpartition(".")
            self.write(b"c" + f"{module}\n{name}\n".encode())
            self.memoize(obj)


def _torch_name(obj) -> str | None:
    """The name PyTorch knows a class, function or constant by, if it is funcgrad's."""
    if type(obj) is _dtypes.dtype:
        return f"torch.{obj.name}"
    if type(obj) is StorageType:
        return f"{obj.module}.{obj.name}"
    if not isinstance(obj, type | types.FunctionType):
        return None
    if id(obj) in _NAMES:
        return _NAMES[id(obj)]
    package, _, rest = obj.__module__.partition(".")
    return f"torch.{rest + '.' if rest else ''}{obj.__qualname__}" if package == "funcgrad" else None


class _StorageOf:
    """A storage among a tensor's arguments; tensors with the same `owner` share it."""

    def __init__(self, storage: Storage, owner):
        self.storage, self.owner = storage, owner


class _Call:
    """An object that pickles as ``function(*args)``."""

    def __init__(self, function, args: tuple):
        self.reduced = function, args

    def __reduce_ex__(self, protocol):
        return self.reduced


def _reduce_tensor(tensor) -> tuple:
    """The call by which PyTorch rebuilds this tensor, as ``(function, arguments)``."""
    state = tensors.attributes(tensor)
    if type(tensor) is tensors.Parameter:
        args = (_Call(*_reduce_data(tensor.detach())), tensor.requires_grad, OrderedDict())
        if state:
            return rebuild._rebuild_parameter_with_state, (*args, state)
        return rebuild._rebuild_parameter, args
    function, args = _reduce_data(tensor)
    if not tensors.is_plain(tensor) or state:
        return rebuild._rebuild_from_type_v2, (function, type(tensor), args, state)
    return function, args


def _reduce_data(tensor) -> tuple:
    shape = tuple(tensor.shape)
    if tensor.device.type == "meta":
        args = (tensor.dtype, shape, contiguous_strides(shape), tensor.requires_grad)
        return rebuild._rebuild_meta_tensor_no_storage, args
    owner, array, location, offset, stride = tensors.storage_of(tensor)
    storage = _StorageOf(Storage(array, tensor.dtype, location, array.size), owner)
    args = (storage, offset, shape, stride, tensor.requires_grad, OrderedDict())
    if tensor.dtype in OF_DTYPE:
        return rebuild._rebuild_tensor_v2, args
    return rebuild._rebuild_tensor_v3, (*args, tensor.dtype)
