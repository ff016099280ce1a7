"""Tensor: a handle on a value, with PyTorch's methods.

The ops come from the table in `_operators`; this file has what is not an op: identity, gradients, aliases,
conversions to Python and NumPy.
"""

from __future__ import annotations

import numpy as np

from funcgrad import _device, _dtypes, _formats
from funcgrad._facade import _views
from funcgrad._size import Size
from funcgrad._warnings import warn_once
from funcgrad.engine.launch import read
from funcgrad.engine.record import as_leaf, detached
from funcgrad.engine.state import state
from funcgrad.engine.structure import Op
from funcgrad.engine.values import HANDLES, Handle, Leaf, Value

DETACH = Op("detach", lambda x: x, differentiable=False)


class Tensor(Handle):
    """A multi-dimensional array of one dtype, as PyTorch's.

    Calling an op on tensors records it; values are computed when somebody looks at them. ``Tensor(data)`` is the
    legacy constructor: a float32 tensor of a nested list, or of a given size.

    Example:
        >>> import funcgrad as torch
        >>> torch.Tensor([1, 2, 3])
        tensor([1., 2., 3.])

    Source: https://docs.pytorch.org/docs/stable/tensors.html
    """

    _grad = None
    _root = None  # the tensor whose memory this one looks at, if that is not its own
    _made = None  # how, a `_views.Derivation`
    _views = None  # weak references to the views of this one
    _shared = False  # whether `share_memory_` was called
    _writes = 0  # how often it was written
    _apart = False  # whether a view counts its writes by itself
    _hidden = False  # a storage that only other tensors look at
    _address = None  # of this tensor's storage, drawn when asked for
    _memory = None  # the `_host_memory.HostMemory` that NumPy shares with this tensor
    _seen = None  # what such memory held when it was last read, and for which value of the memory's root
    _seen_of = None
    _leaf = None  # where this leaf's gradient accumulates
    _hooks = None
    _post_hooks = None
    _retains_grad = None  # keeps the gradient of a tensor that is no leaf
    __array_priority__ = 1000

    def __new__(cls, *args, **kwargs):
        from funcgrad._facade._creation import legacy_tensor

        made = legacy_tensor(*args, **kwargs)
        if cls is Tensor:
            return made
        tensor = object.__new__(cls)
        tensor._value = made._value
        return tensor

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__torch_function__" not in _overrides(cls):
            HANDLES.add(cls)
        for register in _on_subclass:
            register(cls)

    # -- what is known without computing ------------------------------------------------------------------------------

    def _refresh(self) -> Value:
        """The value of a view whose base was written since, or of memory that NumPy shares."""
        root = self if self._root is None else self._root
        if root._memory is not None:
            return root._memory.value_of(self)
        value = self._value = self._derived()
        return value

    def _derived(self) -> Value:
        """The value of a view, from its parent's."""
        value = self._made.read()
        return value if self._leaf is None else as_leaf(value, self._leaf)

    def _known(self) -> Value:
        """A value of this tensor's shape, dtype, strides and device, not necessarily its present one."""
        return self._value or (self._seen or self._refresh())

    def _read(self) -> Value:
        value = self._value
        return value if value is not None else self._refresh()

    @property
    def shape(self) -> Size:
        aval = (self._value or self._known()).aval
        size = aval.size
        if size is None:
            size = aval.size = Size(aval.shape)
        return size

    def size(self, dim=None):
        return self.shape if dim is None else self.shape[self._wrap_dim(dim)]

    def _wrap_dim(self, dim: int) -> int:
        from funcgrad._errors import wrap_dim

        return wrap_dim(dim, len(self.shape))

    @property
    def dtype(self) -> _dtypes.dtype:
        return (self._value or self._known()).aval.dtype

    @property
    def device(self) -> _device.device:
        return (self._value or self._known()).aval.device

    @property
    def ndim(self) -> int:
        return len((self._value or self._known()).aval.shape)

    def dim(self) -> int:
        return len((self._value or self._known()).aval.shape)

    ndimension = dim

    def numel(self) -> int:
        return (self._value or self._known()).aval.numel

    nelement = numel

    def element_size(self) -> int:
        return self.dtype.itemsize

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.numel() * self.dtype.itemsize

    def __len__(self) -> int:
        shape = self._known().aval.shape
        if not shape:
            raise TypeError("len() of a 0-d tensor")
        return shape[0]

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        return self.dtype.is_complex

    def is_signed(self) -> bool:
        return self.dtype.is_signed

    # -- gradients ----------------------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        return (self._value or self._refresh()).requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Begin (or stop) recording gradients with respect to this tensor; it must be a leaf.

        Raises:
            RuntimeError: its dtype has no gradients, or it is the result of a differentiable op.
        """
        value = self._read()
        if bool(requires_grad) == value.requires_grad:
            return self
        if not requires_grad:
            if self._leaf is None:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables. If you want to use a computed variable "
                    "in a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
                )
            self._value = detached(value)
            self._leaf = None
            return self
        if value.aval.dtype.category < _dtypes.FLOATING:
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        if self._leaf is None:
            self._leaf = Leaf(self)
        self._value = as_leaf(value, self._leaf)
        return self

    @property
    def is_leaf(self) -> bool:
        return not self._read().requires_grad or self._leaf is not None

    @property
    def grad_fn(self):
        """The function that made this tensor, if it requires grad and is no leaf."""
        from funcgrad.autograd.graph import node_of

        value = self._read()
        return node_of(value) if value.requires_grad and self._leaf is None else None

    @property
    def output_nr(self) -> int:
        """Which of the results of its `grad_fn` this tensor is."""
        from funcgrad.autograd.graph import output_number

        return output_number(self._read()) if self._leaf is None else 0

    @property
    def grad(self) -> Tensor | None:
        if self._grad is None and self._leaf is None and not self._retains_grad and self.requires_grad:
            warn_once(_GRAD_OF_RESULT)
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            _check_grad(self, value)
        elif state.capture is not None:
            state.capture.cleared.add(id(self))
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None) -> None:
        """Accumulate the gradient of this tensor into ``.grad`` of the leaves it depends on.

        Args:
            gradient: the cotangent; may be left out for a tensor of one element.
            retain_graph: keep what is needed for another backward; by default only if `create_graph`.
            create_graph: record the gradient so that it can be differentiated again.
            inputs: accumulate only into these.

        Raises:
            RuntimeError: as PyTorch, e.g. "grad can be implicitly created only for scalar outputs".

        Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
        """
        from funcgrad.autograd import backward

        backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def detach(self) -> Tensor:
        """The same data, outside the graph; writes to either are seen by both."""
        view = wrap(detached(self._read()))
        _views.attach(view, self, DETACH, (), None)
        return view

    def detach_(self) -> Tensor:
        self._value = detached(self._read())
        self._leaf = None
        return self

    @property
    def data(self) -> Tensor:
        view = self.detach()
        view._apart = True
        return view

    @property
    def _version(self) -> int:
        """How often this tensor's memory was written in place."""
        return _views.version_of(self)

    # -- values -------------------------------------------------------------------------------------------------------

    def _array(self):
        """The computed array; launches the pending program if it has to."""
        return read(self._read())

    def _host(self) -> np.ndarray:
        """The value as a NumPy array, perhaps not writable."""
        return np.asarray(self._array())

    def item(self):
        """The value of a one-element tensor as a Python number."""
        if self.numel() != 1:
            raise RuntimeError(f"a Tensor with {self.numel()} elements cannot be converted to Scalar")
        return self._host().item() if self.dtype is not _dtypes.bfloat16 else float(self._host().reshape(()))

    def tolist(self):
        """The values as nested Python lists (a number for a zero-dimensional tensor)."""
        array = self._host()
        return (array.astype(np.float32) if self.dtype is _dtypes.bfloat16 else array).tolist()

    def __bool__(self) -> bool:
        if self.numel() != 1:
            raise RuntimeError(
                "Boolean value of Tensor with no values is ambiguous"
                if self.numel() == 0
                else "Boolean value of Tensor with more than one value is ambiguous"
            )
        if state.program.nested is not None:
            state.program.nested.decide(self._read())
        return bool(self._host().reshape(()))

    def __int__(self) -> int:
        return int(self._number("int64_t"))

    def __float__(self) -> float:
        self._warn_of_gradient()
        return float(self._number("double"))

    def __complex__(self) -> complex:
        self._warn_of_gradient()
        return complex(self._number())

    def _warn_of_gradient(self) -> None:
        if self.requires_grad and state.grad:
            warn_once(
                "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\n"
                "Consider using tensor.detach() first."
            )

    def _number(self, wanted: str | None = None):
        """The one element, real if C++'s type `wanted` is."""
        if self.numel() != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        value = self.item()
        if wanted is None or not isinstance(value, complex):
            return value
        if value.imag:
            raise RuntimeError(f"value cannot be converted to type {wanted} without overflow")
        return value.real

    def __index__(self) -> int:
        if self.numel() != 1 or self.dtype.category > _dtypes.INTEGER:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __contains__(self, element) -> bool:
        if not isinstance(element, Tensor | bool | int | float | complex | np.generic):
            raise RuntimeError(
                f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}."
            )
        return bool((self == element).any())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.dim() == 0 and type(self) is Tensor else object.__format__(self, spec)

    def __iter__(self):
        if self.dim() == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __reversed__(self) -> Tensor:
        """The tensor with its first dimension turned round."""
        return self.flip(0) if self.dim() else self

    def __delitem__(self, index) -> None:
        raise TypeError("Tensor does not support deleting items")

    __hash__ = object.__hash__

    def __repr__(self, *, tensor_contents=None) -> str:
        from funcgrad._tensor_str import _str

        return _str(self)

    __str__ = __repr__

    def __copy__(self) -> Tensor:
        """Another tensor that shares the memory."""
        if self.requires_grad or type(self) is not Tensor:
            return _rebuild(*self.__reduce_ex__(4)[1])
        return self.detach()

    def __deepcopy__(self, memo: dict) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  "
                "If you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, "
                "see https://github.com/pytorch/pytorch/pull/103001"
            )
        if id(self) in memo:
            return memo[id(self)]
        from funcgrad._facade._storage import copy_memory

        copy = memo[id(self)] = object.__new__(type(self))
        copy_memory(self, copy, memo)
        if self.requires_grad:
            copy.requires_grad_(True)
        from copy import deepcopy

        if self._grad is not None:
            copy._grad = deepcopy(self._grad, memo)
        copy.__dict__.update({k: deepcopy(v, memo) for k, v in self.__dict__.items() if k not in _OWN})
        return copy

    def __reduce_ex__(self, protocol: int):
        return (_rebuild, (type(self), self._host(), self.dtype, self.requires_grad))

    def share_memory_(self) -> Tensor:
        """Note that other processes may see it, which here get copies."""
        (self if self._root is None else self._root)._shared = True
        return self

    def is_shared(self) -> bool:
        """Whether `share_memory_` was called."""
        return (self if self._root is None else self._root)._shared

    def pin_memory(self, device=None) -> Tensor:
        """The tensor itself; refused where there is no GPU, as in PyTorch."""
        if not _device.jax_devices("cuda"):
            raise RuntimeError("Cannot access accelerator device when none is available.")
        return self

    def is_pinned(self, device=None) -> bool:
        return False

    @property
    def is_cuda(self) -> bool:
        return self.device.type == "cuda"

    @property
    def is_cpu(self) -> bool:
        return self.device.type == "cpu"

    is_meta = is_sparse = is_quantized = is_mkldnn = is_mps = is_nested = is_xpu = False
    layout = _formats.strided

    @property
    def names(self) -> tuple:
        return (None,) * self.dim()

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        from funcgrad._facade._overrides import run_plain

        return run_plain(cls, func, args, kwargs or {})


_OWN = {
    "_writes",
    "_apart",
    "_grad",
    "_root",
    "_hidden",
    "_shared",
    "_address",
    "_memory",
    "_seen",
    "_seen_of",
    "_made",
    "_views",
    "_leaf",
    "_hooks",
    "_retains_grad",
    "_post_hooks",
}
HANDLES.add(Tensor)


def _overrides(cls) -> set:
    return {name for base in cls.__mro__ if base not in Tensor.__mro__ for name in vars(base)}


_on_subclass: list = []
"""Called with every new subclass of Tensor."""

_new = object.__new__


def wrap(value: Value) -> Tensor:
    """A tensor that holds `value`."""
    tensor = _new(Tensor)
    tensor._value = value
    return tensor


_GRAD_OF_RESULT = (
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be populated "
    "during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf Tensor, use "
    ".retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure you access the leaf "
    "Tensor instead. See github.com/pytorch/pytorch/pull/30531 for more information."
)


def _check_grad(tensor: Tensor, grad: Tensor) -> None:
    if not isinstance(grad, Tensor):
        raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type {type(grad).__name__}")
    if grad.shape != tensor.shape:
        raise RuntimeError(
            f"attempting to assign a gradient of size '{list(grad.shape)}' to a tensor of size '{list(tensor.shape)}'. "
            "Please ensure that the gradient and the tensor are the same size"
        )
    if grad.dtype is not tensor.dtype:
        raise RuntimeError(
            f"attempting to assign a gradient with dtype '{_lower_name(grad.dtype)}' to a tensor with grad_dtype "
            f"'{tensor.dtype.scalar_name}'. The gradient must match the tensor's grad_dtype (defaults to the tensor's dtype). "
            "You can set the tensor's grad_dtype attribute with a specific dtype, or None to allow any dtype. Set grad_dtype "
            "with caution. Diverging the dtypes of a tensor and its gradient may break downstream systems that assume they "
            "match."
        )


def _lower_name(dtype: _dtypes.dtype) -> str:
    name = dtype.scalar_name
    return name[:1].lower() + name[1:]


def _rebuild(cls, array: np.ndarray, dtype, requires_grad: bool) -> Tensor:
    from funcgrad._facade._creation import from_array

    made = from_array(array)
    tensor = object.__new__(cls)
    tensor._value = made._value
    return tensor.requires_grad_() if requires_grad else tensor
