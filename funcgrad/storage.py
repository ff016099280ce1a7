"""Storages: the memory that tensors look at, as objects. See https://docs.pytorch.org/docs/stable/storage.html."""

from __future__ import annotations

import warnings

import numpy as np

from funcgrad import _dtypes
from funcgrad._errors import unsupported
from funcgrad._facade import _creation, _storage
from funcgrad._tensor import Tensor

__all__ = ["TypedStorage", "UntypedStorage"]


def _shown(lines: list, name: str, about: str, size: int) -> str:
    body = "\n".join(f" {x}" for x in lines)
    return f"{body}\n[torch.storage.{name}({about}) of size {size}]"


class UntypedStorage:
    """A run of bytes that tensors look at.

    Args:
        size: how many bytes, or their values.
    """

    is_cuda = is_sparse = is_sparse_csr = is_hpu = False
    filename = None

    def __init__(self, *args, device=None, **kwargs):
        given = args[0] if args else 0
        data = np.zeros(given, np.uint8) if isinstance(given, int) else np.array(list(given), np.uint8)
        self._root = _creation.from_array(data)

    @classmethod
    def _of(cls, tensor: Tensor) -> UntypedStorage:
        made = object.__new__(cls)
        made._root = _storage.root_of(tensor)
        return made

    def _tensor(self, dtype: _dtypes.dtype) -> Tensor:
        """All of it as a one-dimensional tensor, which shares it."""
        line = _storage.flat(self._root).detach()
        return line if line.dtype is dtype else line.view(dtype)

    def _bytes(self) -> Tensor:
        return self._tensor(_dtypes.uint8)

    @property
    def device(self):
        return self._root.device

    @property
    def _cdata(self) -> int:
        return _storage.address(self._root)

    def data_ptr(self) -> int:
        """The address of its first byte; 0 if it is empty."""
        return _storage.address(self._root) if self.nbytes() else 0

    def nbytes(self) -> int:
        """How many bytes."""
        return self._root.numel() * self._root.itemsize

    size = __len__ = nbytes

    def element_size(self) -> int:
        """1."""
        return 1

    def resizable(self) -> bool:
        """True."""
        return True

    def is_shared(self) -> bool:
        """False: no other process sees it."""
        return False

    is_pinned = is_shared

    def untyped(self) -> UntypedStorage:
        """Itself."""
        return self

    def __eq__(self, other) -> bool:
        return isinstance(other, UntypedStorage) and other._root is self._root

    def __hash__(self) -> int:
        return hash(id(self._root))

    def __getitem__(self, index):
        if isinstance(index, slice):
            made = object.__new__(UntypedStorage)
            made._root = self._bytes()[index]
            return made
        return self._bytes()[index].item()

    def __setitem__(self, index, value) -> None:
        self._bytes()[index] = value

    def __iter__(self):
        return iter(self.tolist())

    def tolist(self) -> list[int]:
        """Its bytes."""
        return self._bytes().tolist()

    def fill_(self, value) -> UntypedStorage:
        """Set every byte."""
        self._bytes().fill_(value)
        return self

    def copy_(self, source: UntypedStorage, non_blocking=None) -> UntypedStorage:
        """Copy another storage's bytes here."""
        self._bytes().copy_(source._bytes())
        return self

    def clone(self) -> UntypedStorage:
        """A copy."""
        return UntypedStorage._of(self._tensor(self._root.dtype).clone())

    cpu = clone

    def resize_(self, size: int) -> UntypedStorage:
        """Make room for `size` bytes."""
        if size < self.nbytes():
            raise unsupported("torch.UntypedStorage.resize_", "storages only grow")
        _storage.grow_storage(self._root, -(-size // self._root.itemsize))
        return self

    def __repr__(self) -> str:
        return _shown(self.tolist(), "UntypedStorage", f"device={self.device}", self.nbytes())


class TypedStorage:
    """A run of numbers of one dtype that tensors look at; deprecated in favour of `UntypedStorage`."""

    is_sparse = is_cuda = False

    def __init__(self, *args, wrap_storage=None, dtype=None, device=None, _internal=False):
        self.dtype = dtype or getattr(type(self), "dtype", None) or _dtypes.default_dtype()
        if wrap_storage is not None:
            self._untyped_storage = wrap_storage
            return
        given = args[0] if args else 0
        data = (
            np.zeros(given, self.dtype.numpy) if isinstance(given, int) else _creation.as_numpy(list(given), self.dtype)
        )
        self._untyped_storage = UntypedStorage._of(_creation.from_array(data))

    def _line(self) -> Tensor:
        return self._untyped_storage._tensor(self.dtype)

    def _tensor(self, dtype: _dtypes.dtype) -> Tensor:
        return self._untyped_storage._tensor(dtype)

    def untyped(self) -> UntypedStorage:
        """The same bytes without a dtype."""
        return self._untyped_storage

    @property
    def device(self):
        return self._untyped_storage.device

    @property
    def _cdata(self) -> int:
        return self._untyped_storage._cdata

    def data_ptr(self) -> int:
        """The address of its first number."""
        return self._untyped_storage.data_ptr()

    def nbytes(self) -> int:
        """How many bytes."""
        return self._untyped_storage.nbytes()

    def element_size(self) -> int:
        """Bytes of one number."""
        return self.dtype.itemsize

    def size(self) -> int:
        """How many numbers."""
        return self.nbytes() // self.dtype.itemsize

    __len__ = size

    def is_shared(self) -> bool:
        """False: no other process sees it."""
        return False

    def __getitem__(self, index):
        return self._line()[index].item()

    def __setitem__(self, index, value) -> None:
        self._line()[index] = value

    def __iter__(self):
        return iter(self.tolist())

    def tolist(self) -> list:
        """Its numbers."""
        return self._line().tolist()

    def fill_(self, value) -> TypedStorage:
        """Set every number."""
        self._line().fill_(value)
        return self

    def copy_(self, source: TypedStorage, non_blocking=None) -> TypedStorage:
        """Copy another storage's numbers here."""
        self._line().copy_(source._line())
        return self

    def clone(self) -> TypedStorage:
        """A copy."""
        return TypedStorage(wrap_storage=self._untyped_storage.clone(), dtype=self.dtype)

    cpu = clone

    def resize_(self, size: int) -> TypedStorage:
        """Make room for `size` numbers."""
        self._untyped_storage.resize_(size * self.dtype.itemsize)
        return self

    def type(self) -> str:
        """The name of its class."""
        return f"torch.{self.dtype.scalar_name}Storage"

    def __repr__(self) -> str:
        return _shown(self.tolist(), "TypedStorage", f"dtype={self.dtype}, device={self.device}", self.size())


class _Legacy(type):
    def __instancecheck__(cls, instance) -> bool:
        return isinstance(instance, TypedStorage) and instance.dtype is cls.dtype

    def __call__(cls, *args, **kwargs) -> TypedStorage:
        return TypedStorage(*args, dtype=cls.dtype, **kwargs)


LEGACY = {
    f"{d.scalar_name}Storage": _Legacy(f"{d.scalar_name}Storage", (), {"dtype": d, "__module__": "torch"})
    for d in _dtypes.ALL
    if d.scalar_name in ("Bool", "Byte", "Char", "Short", "Int", "Long", "Half", "BFloat16", "Float", "Double",
                         "ComplexFloat", "ComplexDouble")
}  # fmt: skip


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory that this tensor looks at."""
    return UntypedStorage._of(self)


def storage(self: Tensor) -> TypedStorage:
    """Deprecated: the memory that this tensor looks at, with its dtype."""
    warnings.warn(
        "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be the only storage class. "
        "This should only matter to you if you are using storages directly.  To access UntypedStorage directly, use "
        "tensor.untyped_storage() instead of tensor.storage()",
        UserWarning,
        stacklevel=2,
    )
    return TypedStorage(wrap_storage=UntypedStorage._of(self), dtype=self.dtype)


def storage_type(self: Tensor) -> type:
    """The legacy storage class of this tensor's dtype."""
    return LEGACY[f"{self.dtype.scalar_name}Storage"]


def is_storage(obj) -> bool:
    """Whether `obj` is a storage."""
    return isinstance(obj, UntypedStorage | TypedStorage)


def install() -> dict:
    """Put the methods on Tensor; return the names of ``torch``."""
    Tensor.untyped_storage, Tensor.storage, Tensor.storage_type = untyped_storage, storage, storage_type
    Tensor._typed_storage = lambda self: TypedStorage(wrap_storage=UntypedStorage._of(self), dtype=self.dtype)
    named = {"UntypedStorage": UntypedStorage, "TypedStorage": TypedStorage, "Storage": LEGACY["FloatStorage"]}
    return {**named, "is_storage": is_storage, **LEGACY}
