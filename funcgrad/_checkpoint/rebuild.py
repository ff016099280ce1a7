"""What the globals of a PyTorch checkpoint stand for: the only things a file may name and call.

The functions below carry PyTorch's names because pickles carry them. They check every argument, for the file chose it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from pickle import UnpicklingError

import numpy as np

from funcgrad import _dtypes, _errors
from funcgrad._checkpoint import tensors
from funcgrad._checkpoint.storages import STORAGE_TYPES, Storage, StorageType, strided


def _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks, metadata=None):
    return _rebuild_tensor(storage, offset, size, stride, requires_grad)


def _rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype, metadata=None):
    return _rebuild_tensor(storage, offset, size, stride, requires_grad, dtype)


def _rebuild_tensor(storage, offset, size, stride, requires_grad=False, dtype=None):
    """A tensor looking into `storage`; tensors that share a storage share it again."""
    _expect(type(storage) is Storage and type(size) in (tuple, tensors.Size) and type(stride) is tuple)
    dtype = storage.dtype if dtype is None else dtype
    _expect(type(dtype) is _dtypes.dtype)
    if storage.array is None or storage.location == "meta":
        return tensors.from_shape(size, dtype, bool(requires_grad))
    array = strided(storage.viewed_as(dtype), offset, size, stride)
    if not storage.shared:
        return tensors.from_array(array, storage.location, bool(requires_grad))
    if storage.base is None:
        storage.base = tensors.from_array(storage.viewed_as(dtype), storage.location, False)
    return tensors.view_of(storage.base, offset, tuple(size), stride, bool(requires_grad))


def _rebuild_parameter(data, requires_grad, hooks):
    _expect(tensors.is_tensor(data))
    return tensors.parameter(data, bool(requires_grad))


def _rebuild_parameter_with_state(data, requires_grad, hooks, state):
    return set_tensor_state(_rebuild_parameter(data, requires_grad, hooks), state)


def _rebuild_from_type_v2(function, kind, args, state):
    """A tensor with attributes of its own, or of a subclass."""
    _expect(function in _TENSOR_BUILDERS and type(args) is tuple)
    result = function(*args)
    if type(result) is not kind:
        result = tensors.as_subclass(result, kind)
    return set_tensor_state(result, state)


def _rebuild_meta_tensor_no_storage(dtype, size, stride, requires_grad):
    _expect(type(dtype) is _dtypes.dtype)
    return tensors.from_shape(size, dtype, bool(requires_grad))


_TENSOR_BUILDERS = (_rebuild_tensor_v2, _rebuild_tensor_v3, _rebuild_tensor)


def set_tensor_state(tensor, state):
    """Give a tensor the attributes that were saved with it."""
    attributes, slots = state if type(state) is tuple and len(state) == 2 else (state, None)
    for part in (attributes, slots):
        _expect(part is None or type(part) is dict)
        for name, value in (part or {}).items():
            _expect(type(name) is str and not hasattr(type(tensor), name))  # new names only, never the Tensor's own
            setattr(tensor, name, value)
    return tensor


def _encode(text, encoding):
    """``bytes`` as protocol 2 writes them: a latin-1 string and the name of that encoding."""
    _expect(type(text) is str and encoding == "latin1")
    return text.encode("latin-1")


def _bytearray(data=b"", encoding="latin1"):
    return bytearray(_encode(data, encoding) if type(data) is str else data if type(data) is bytes else _refuse())


def _device(*args):
    _expect(all(type(a) in (str, int) for a in args))
    return tensors.device(*args)


def _untyped_storage(*args):
    _expect(len(args) == 1 and type(args[0]) is Storage)
    return args[0]


def _typed_storage(wrap_storage=None, dtype=None, *args):
    _expect(type(wrap_storage) is Storage)
    return wrap_storage


def _refuse():
    raise UnpicklingError("the pickle is corrupt: arguments of the wrong kind")


def _expect(condition: bool) -> None:
    if not condition:
        _refuse()


def _unsupported(name: str):
    def refuse(*args):
        raise _errors.unsupported(name, "the file holds a tensor of a kind that funcgrad does not have")

    return refuse


_BUILDERS = (
    _rebuild_tensor, _rebuild_tensor_v2, _rebuild_tensor_v3, _rebuild_parameter, _rebuild_parameter_with_state,
    _rebuild_meta_tensor_no_storage,
)  # fmt: skip
_UNSUPPORTED = (
    "torch._utils._rebuild_sparse_tensor", "torch._utils._rebuild_qtensor", "torch._utils._rebuild_nested_tensor",
    "torch._utils._rebuild_wrapper_subclass", "torch.serialization._get_layout",
)  # fmt: skip
FUNCTIONS = {
    **{f"torch._utils.{f.__name__}": f for f in _BUILDERS},
    "torch._tensor._rebuild_from_type_v2": _rebuild_from_type_v2,
    "torch.device": _device,
    "torch.Size": lambda size=(): tensors.Size(size),
    "torch.storage.UntypedStorage": _untyped_storage,
    "torch.storage.TypedStorage": _typed_storage,
    "_codecs.encode": _encode,
    "builtins.set": lambda items=(): set(items if type(items) is list else _refuse()),
    "builtins.bytearray": _bytearray,
    "builtins.complex": lambda real, imag: complex(np.float64(real), np.float64(imag)),
    "collections.OrderedDict": OrderedDict,
    "collections.Counter": lambda items=None: Counter(items if type(items) in (dict, type(None)) else _refuse()),
    "torch.nn.parameter.Parameter": lambda data, requires_grad=True: _rebuild_parameter(data, requires_grad, None),
    **{name: _unsupported(name) for name in _UNSUPPORTED},
}
VALUES = {f"torch.{d.name}": d for d in _dtypes.ALL} | STORAGE_TYPES
TENSOR_TYPES = {"torch.Tensor": tensors.Tensor, "torch.nn.parameter.Parameter": tensors.Parameter}

assert all(type(v) in (_dtypes.dtype, StorageType) for v in VALUES.values())
