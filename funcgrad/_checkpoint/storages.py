"""A checkpoint's storages: flat runs of numbers that several tensors of one file may look into."""

from __future__ import annotations

import math

import numpy as np

from funcgrad import _dtypes

_CLASSES = {
    "FloatStorage": _dtypes.float32, "DoubleStorage": _dtypes.float64, "HalfStorage": _dtypes.float16,
    "BFloat16Storage": _dtypes.bfloat16, "LongStorage": _dtypes.int64, "IntStorage": _dtypes.int32,
    "ShortStorage": _dtypes.int16, "CharStorage": _dtypes.int8, "ByteStorage": _dtypes.uint8,
    "BoolStorage": _dtypes.bool_, "ComplexFloatStorage": _dtypes.complex64, "ComplexDoubleStorage": _dtypes.complex128,
}  # fmt: skip


class StorageType:
    """What a file's ``torch FloatStorage`` stands for; of ``torch.storage UntypedStorage`` the dtype is bytes."""

    def __init__(self, module: str, name: str, dtype: _dtypes.dtype):
        self.module, self.name, self.dtype = module, name, dtype

    def __repr__(self) -> str:
        return f"<class '{self.module}.{self.name}'>"


UNTYPED = StorageType("torch.storage", "UntypedStorage", _dtypes.uint8)
STORAGE_TYPES = {f"torch.{name}": StorageType("torch", name, d) for name, d in _CLASSES.items()}
STORAGE_TYPES |= {f"torch.cuda.{name}": STORAGE_TYPES[f"torch.{name}"] for name in _CLASSES}
STORAGE_TYPES["torch.storage.UntypedStorage"] = UNTYPED
OF_DTYPE = {t.dtype: t for t in STORAGE_TYPES.values() if t is not UNTYPED}


class Storage:
    """One storage while its file is being read or written.

    Attributes:
        array: its numbers, one-dimensional; ``None`` where only the size is known (the meta device).
        dtype: of the numbers.
        location: the device tag in the file, then the device to load to.
        shared: whether several tensors of the file look into it.
        base: the Tensor of the whole storage, once tensors that share it have been made.

    This is also what ``map_location`` functions are given, so it has the few methods that those call.
    """

    __slots__ = ("array", "base", "dtype", "location", "numel", "shared")

    def __init__(self, array: np.ndarray | None, dtype: _dtypes.dtype, location: str, numel: int, shared: bool = False):
        self.array, self.dtype, self.location, self.numel, self.shared = array, dtype, location, numel, shared
        self.base = None

    def cpu(self) -> Storage:
        return self.to("cpu")

    def cuda(self, device=None) -> Storage:
        return self.to("cuda" if device is None else f"cuda:{device}" if isinstance(device, int) else str(device))

    def to(self, device) -> Storage:
        """This storage, to be loaded to `device`."""
        return Storage(self.array, self.dtype, str(device), self.numel, self.shared)

    def untyped(self) -> Storage:
        return self

    def nbytes(self) -> int:
        return self.numel * self.dtype.itemsize

    def __len__(self) -> int:
        return self.nbytes()

    def viewed_as(self, dtype: _dtypes.dtype) -> np.ndarray:
        """The same bytes read as numbers of `dtype`."""
        return self.array if dtype is self.dtype else self.array.view(np.uint8).view(dtype.numpy)


def strided(array: np.ndarray, offset: int, size, stride) -> np.ndarray:
    """The window of a flat array with the given shape and strides (counted in elements), as a view.

    Raises:
        RuntimeError: the window does not lie inside `array` (a file could otherwise read foreign memory).
    """
    numbers = [offset, *size, *stride]
    if len(size) != len(stride) or not all(type(n) is int and n >= 0 for n in numbers):
        raise RuntimeError(f"invalid size {tuple(size)}, stride {tuple(stride)} or storage offset {offset}")
    if math.prod(size) == 0:
        return np.empty(size, array.dtype)
    last = offset + sum((n - 1) * s for n, s in zip(size, stride))
    if last >= array.size:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and itemsize "
            f"{array.itemsize} requiring a storage size of {(last + 1) * array.itemsize} are out of bounds for "
            f"storage of size {array.nbytes}"
        )
    raw = array[offset:].view(f"V{array.itemsize}")  # NumPy's function does not know bfloat16 and its like
    steps = [s * array.itemsize for s in stride]
    return np.lib.stride_tricks.as_strided(raw, size, steps, writeable=False).view(array.dtype)
