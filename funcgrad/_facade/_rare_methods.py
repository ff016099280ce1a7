"""Tensor's seldom used methods, and functions of ``torch`` about memory: buffers, files, permuted and strided layouts."""

from __future__ import annotations

import warnings

import numpy as np

from funcgrad import _device, _dtypes, _operators
from funcgrad._errors import refusing, unsupported
from funcgrad._facade import _creation, _host_memory, _interop, _storage
from funcgrad._facade._geometry import is_conj, is_neg
from funcgrad._size import Size
from funcgrad._tensor import Tensor, wrap

# -- element by element -----------------------------------------------------------------------------------------------


def apply_(self: Tensor, callable) -> Tensor:
    """Replace every element by ``callable`` of it, in Python."""
    return _mapped(self, callable, [self])


def map_(self: Tensor, tensor: Tensor, callable) -> Tensor:
    """Replace every element ``a`` by ``callable(a, b)``, `b` from `tensor`."""
    return _mapped(self, callable, [self, tensor])


def map2_(self: Tensor, x: Tensor, y: Tensor, callable) -> Tensor:
    """Replace every element ``a`` by ``callable(a, b, c)``, from `x` and `y`."""
    return _mapped(self, callable, [self, x, y])


def _mapped(self: Tensor, callable, operands: list) -> Tensor:
    if any(t.requires_grad for t in operands):
        name = ("apply", "map", "map2")[len(operands) - 1]
        raise RuntimeError(f"Can't call {name}_() on Variable that requires grad. Use var.detach().{name}_() instead.")
    columns = [t.detach().expand(self.shape).reshape(-1).tolist() for t in operands]
    made = np.array([callable(*row) for row in zip(*columns)], self.dtype.numpy).reshape(self.shape)
    return self.copy_(_creation.from_array(made))


def fill_diagonal_(self: Tensor, fill_value, wrap: bool = False) -> Tensor:
    """Set the main diagonal; with `wrap` it goes on below in tall matrices.

    Raises:
        RuntimeError: fewer than two dimensions, or more than two of unequal sizes.
    """
    if self.dim() < 2:
        raise RuntimeError("dimensions must larger than 1")
    if self.dim() > 2 and len(set(self.shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    rows, columns = self.shape[0], self.shape[1]
    length = min(self.shape)
    if self.dim() == 2 and wrap and rows > columns:
        step = columns + 1
        at = np.arange(0, rows * columns, step)
        self[_creation.from_array(at // columns), _creation.from_array(at % columns)] = fill_value
        return self
    index = _creation.from_array(np.arange(length))
    self[(index,) * self.dim()] = fill_value
    return self


# -- classes and flags ------------------------------------------------------------------------------------------------


def as_subclass(self: Tensor, cls: type) -> Tensor:
    """The same data as an object of a subclass; gradients flow through."""
    if not issubclass(cls, Tensor):
        raise TypeError(
            "Creating a Tensor subclass from a class that does not inherit from Tensor is not possible. Make sure your class "
            "inherits from Tensor."
        )
    made = object.__new__(cls)
    from funcgrad._facade import _views

    value = self._value if self._value is not None else self._refresh()
    out = _operators.record(_ALIAS, (value,))  # of the value: the class may override ops
    made._value = out
    _views.attach(made, self, _ALIAS, (), None)
    return made


_ALIAS = _operators.Op("alias", lambda x: x, saves=False)


def new(self: Tensor, *args, size=None, data=None, device=None) -> Tensor:
    """The legacy constructor, with this tensor's dtype."""
    if size is not None or data is not None:
        args = (Size(size) if data is None else data,)
    if len(args) == 1 and isinstance(args[0], Tensor):
        return args[0].detach()
    return _creation.legacy_tensor(*args, dtype=self.dtype)


def resize(self: Tensor, *sizes) -> Tensor:
    """Deprecated: a view of this tensor with other sizes."""
    warnings.warn("non-inplace resize is deprecated", UserWarning, stacklevel=2)
    return self.reshape(*sizes)


def resize_as(self: Tensor, tensor: Tensor) -> Tensor:
    """Deprecated: a view of this tensor with another one's sizes."""
    warnings.warn("non-inplace resize_as is deprecated", UserWarning, stacklevel=2)
    return self.reshape(tensor.shape)


def module_load(self: Tensor, other: Tensor, assign: bool = False) -> Tensor:
    """What ``load_state_dict`` puts in this tensor's place under swapping: `other`'s values."""
    return other.detach() if assign else self.copy_(other).detach()


def reinforce(self: Tensor, *args, **kwargs):
    """Removed from PyTorch; refused in its words."""
    raise RuntimeError(
        "reinforce() was removed.\nUse torch.distributions instead.\n"
        "See https://pytorch.org/docs/main/distributions.html"
    )


def __dlpack__(self: Tensor, *, stream=None, max_version=None, dl_device=None, copy=None):
    """The tensor's memory for another library: shared where NumPy can share it.

    Raises:
        BufferError: the tensor requires grad.
    """
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if is_conj(self):
        raise BufferError("Can't export tensors with the conjugate bit set")
    options = {} if max_version is None else {"max_version": max_version}
    if self.device.type == "cpu" and self.dtype.numpy.kind in "iufc" and self.dtype is not _dtypes.bfloat16:
        array = _host_memory.numpy(self)
        return (np.array(array) if copy else array).__dlpack__(**options)
    return _interop.to_jax(self).__dlpack__(**options)


def __dlpack_device__(self: Tensor) -> tuple[int, int]:
    """The DLPack number of the device."""
    return (2, self.device.index or 0) if self.device.type == "cuda" else (1, 0)


def __cuda_array_interface__(self: Tensor):
    """Refused for tensors that are not on a GPU, in PyTorch's words."""
    if self.device.type != "cuda":
        raise AttributeError(
            f"Can't get __cuda_array_interface__ on non-CUDA tensor type: {self.type()} If CUDA data is required use "
            "tensor.cuda() to copy tensor to device memory."
        )
    raise unsupported("torch.Tensor.__cuda_array_interface__")


# -- from buffers and files -------------------------------------------------------------------------------------------


def frombuffer(
    buffer, *, dtype: _dtypes.dtype, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """A one-dimensional tensor that shares the memory of a Python buffer.

    Example:
        >>> import funcgrad as torch
        >>> torch.frombuffer(bytearray([1, 0, 2, 0]), dtype=torch.int16)
        tensor([1, 2], dtype=torch.int16)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.frombuffer.html
    """
    try:
        view = memoryview(buffer)
    except TypeError as e:
        raise ValueError("object does not implement Python buffer protocol.") from e
    size, width = view.nbytes, dtype.itemsize
    if not size or not count:
        raise ValueError(f"both buffer length ({size}) and count ({count}) must not be 0")
    if not 0 <= offset < size:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({size} bytes) minus 1"
        )
    if count < 0 and (size - offset) % width:
        raise ValueError(
            f"buffer length ({size - offset} bytes) after offset ({offset} bytes) must be a multiple of element size "
            f"({width})"
        )
    count = (size - offset) // width if count < 0 else count
    if offset + count * width > size:
        raise ValueError(
            f"requested buffer length ({count} * {width} bytes) after offset ({offset} bytes) must not be greater than "
            f"actual buffer length ({size} bytes)"
        )
    if view.readonly:
        warnings.warn(
            "The given buffer is not writable, and PyTorch does not support non-writable tensors. This means you can write "
            "to the underlying (supposedly non-writable) buffer using the tensor. You may want to copy the buffer to "
            "protect its data or make it writable before converting it to a tensor. This type of warning will be "
            "suppressed for the rest of this program.",
            UserWarning,
            stacklevel=2,
        )
    array = np.frombuffer(buffer, np.uint8, count * width, offset).view(dtype.numpy)
    made = _host_memory.from_numpy(array) if not view.readonly else _creation.from_array(array)
    return made.requires_grad_() if requires_grad else made


def from_file(
    filename: str, shared=None, size: int = 0, *, dtype=None, layout=None, device=None, pin_memory=False
) -> Tensor:
    """The first `size` numbers of a file; with `shared`, writes to the tensor go to the file."""
    dtype = (dtype or _dtypes.default_dtype()).numpy
    if not shared:
        return _creation.from_array(np.fromfile(filename, dtype, size))
    return _host_memory.from_numpy(np.memmap(filename, dtype, "r+", shape=(size,)).view(np.ndarray))


def empty_permuted(
    size, physical_layout, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False
):
    """An uninitialised tensor whose dimensions lie in memory in the order of `physical_layout`.

    Raises:
        RuntimeError: `physical_layout` is no permutation of the dimensions.
    """
    order = list(physical_layout)
    if len(order) != len(size):
        raise RuntimeError(
            f"Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = {len(size)} "
            f"is not equal to len(physical_layout) = {len(order)}"
        )
    if sorted(order) != list(range(len(size))):
        raise RuntimeError("Duplicate dim not allowed")
    inverse = sorted(range(len(order)), key=order.__getitem__)
    made = _creation.creation_form("empty")([size[d] for d in order], dtype=dtype, device=device).permute(inverse)
    made = made.clone()
    return made.requires_grad_() if requires_grad else made


def empty_strided(
    size, stride, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False
) -> Tensor:
    """An uninitialised tensor with these sizes and strides."""
    size, stride = tuple(size), tuple(stride)
    if len(size) != len(stride):
        raise RuntimeError(
            f"dimensionality of sizes ({len(size)}) must match dimensionality of strides ({len(stride)})"
        )
    count = 0 if 0 in size else 1 + sum((n - 1) * s for n, s in zip(size, stride))
    line = _creation.creation_form("empty")(count, dtype=dtype, device=device)
    line._hidden = True
    made = _storage.look_at(wrap(None), line, _operators.op("as_strided"), (size, stride, 0))
    return made.requires_grad_() if requires_grad else made


def new_empty_strided(self: Tensor, size, stride, *, dtype=None, device=None, **options) -> Tensor:
    """`empty_strided` with this tensor's dtype and device."""
    return empty_strided(size, stride, dtype=dtype or self.dtype, device=device or self.device, **options)


def as_tensor(data, dtype=None, device=None) -> Tensor:
    """`data` as a tensor: itself if it is one of the right kind, sharing the memory of an array, else a copy.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.as_tensor.html
    """
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device) if dtype is not None or device is not None else data
    if isinstance(data, np.ndarray) and (device is None or _device.canonical(device).type == "cpu"):
        made = _host_memory.from_numpy(data)
        return made if dtype is None else made.to(dtype)
    return _creation.tensor(data, dtype=dtype, device=device)


def asarray(obj, *, dtype=None, device=None, copy: bool | None = None, requires_grad: bool = False) -> Tensor:
    """`obj` (a tensor, an array, a buffer, numbers) as a tensor.

    Args:
        copy: True always copies, False never does, None where it must.

    Raises:
        ValueError: ``copy=False`` is impossible.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.asarray.html
    """
    capsule = type(obj).__name__ == "PyCapsule"
    sharing = isinstance(obj, Tensor | np.ndarray) or hasattr(obj, "__dlpack__") or capsule
    if isinstance(obj, bytes | bytearray | memoryview):
        made, sharing = frombuffer(obj, dtype=dtype or _dtypes.default_dtype()), True
    elif isinstance(obj, Tensor):
        made = obj
    elif isinstance(obj, np.ndarray):
        made = _host_memory.from_numpy(obj)
    elif isinstance(obj, np.generic):
        if copy is False:
            raise RuntimeError("can't alias NumPy scalars. Either remove copy=False or transform it in a ndarray. ")
        made, sharing = _creation.tensor(obj, dtype=dtype), False
    elif sharing:
        from funcgrad.utils.dlpack import from_dlpack

        made = from_dlpack(obj)
    else:
        made = _creation.tensor(obj, dtype=dtype)
    found = made
    if dtype is not None and made.dtype is not dtype:
        made = made.to(dtype)
    if device is not None:
        made = made.to(device)
    if copy is False and (made is not found or not sharing):
        if not sharing:
            raise ValueError("can't alias arbitrary sequence into a tensor.")
        what = "device" if made.dtype is found.dtype else "dtype"
        there = [str(t.device) if what == "device" else t.dtype.scalar_name for t in (made, found)]
        raise ValueError(f"can't alias tensor with {what} '{there[1]}' into {what} '{there[0]}'.")
    if copy and made is found and sharing:
        made = made.clone()
    if made.requires_grad and not requires_grad:
        made = made.detach()
    return made.requires_grad_() if requires_grad and not made.requires_grad else made


def _of_sparse(name: str, method: bool):
    """A function of `funcgrad.sparse`, which is loaded when first used."""

    def function(*args, **kwargs):
        from funcgrad import sparse

        return getattr(sparse, name)(*args, **kwargs)

    function.__name__ = name
    function.__doc__ = (
        f"See `torch.{'Tensor.' if method else ''}{name}` in PyTorch; the rest of sparse is in `torch.sparse`."
    )
    return function


_SPARSE_METHODS = """
    to_sparse to_sparse_coo to_sparse_csr to_dense
"""
_SPARSE_FUNCTIONS = """
    sparse_coo_tensor sparse_csr_tensor smm spmm
"""


def _not_sparse(name: str, message: str):
    def method(self, *args, **kwargs):
        raise RuntimeError(f"{name} expected sparse {message} tensor layout but got Strided")

    method.__name__ = name
    return method


_SPARSE_ONLY = {
    "crow_indices": "row compressed", "col_indices": "row compressed", "ccol_indices": "column compressed",
    "row_indices": "column compressed",
}  # fmt: skip


def _never(name: str):
    return property(lambda self: False, doc=f"False: there is no {name} here.")


def install() -> dict:
    """Put the methods on Tensor; return those that are functions of ``torch`` too."""
    for method in (apply_, map_, map2_, fill_diagonal_, as_subclass, is_conj, is_neg, new, resize, resize_as, module_load,
                   reinforce, new_empty_strided, __dlpack__, __dlpack_device__):  # fmt: skip
        setattr(Tensor, method.__name__, method)
    Tensor.__cuda_array_interface__ = property(__cuda_array_interface__)
    for kind in ("ipu", "maia", "mtia", "vulkan", "xla", "sparse_csr"):
        setattr(Tensor, f"is_{kind}", _never(kind))
    Tensor.is_distributed = lambda self: False
    Tensor.const_data_ptr = Tensor.mutable_data_ptr = Tensor.data_ptr
    Tensor.name = property(lambda self: "", doc="The empty string, as in PyTorch.")
    Tensor.volatile = property(lambda self: False, doc="False: removed from PyTorch.")
    Tensor.grad_dtype = property(lambda self: self.dtype, doc="The dtype that gradients of this tensor have.")
    for name in _SPARSE_METHODS.split():
        setattr(Tensor, name, _of_sparse(name, True))
    missing = "to_sparse_csc to_sparse_bsr to_sparse_bsc sparse_mask sparse_resize_ sparse_resize_and_clear_ chalf"
    for name in missing.split():
        setattr(Tensor, name, refusing(f"torch.Tensor.{name}"))
    for name, message in _SPARSE_ONLY.items():
        setattr(Tensor, name, _not_sparse(name, message))
    sparse = {name: _of_sparse(name, False) for name in _SPARSE_FUNCTIONS.split()}
    missing = "sparse_csc_tensor sparse_bsr_tensor sparse_bsc_tensor sparse_compressed_tensor lobpcg"
    sparse |= {name: refusing(f"torch.{name}") for name in missing.split()}
    return sparse | {f.__name__: f for f in (is_conj, is_neg, frombuffer, from_file, empty_permuted, empty_strided, as_tensor,
                                    asarray)}  # fmt: skip
