"""Sparse tensors: COO and CSR construction, and products with dense ones through `jax.experimental.sparse`.

A sparse tensor holds dense ones (indices and values); gradients flow to its values. What is not here raises
NotImplementedError.

See https://docs.pytorch.org/docs/stable/sparse.html.
"""

from __future__ import annotations

import re

import jax.numpy as jnp
import numpy as np
from jax.experimental import sparse as _jax_sparse

from funcgrad import _dtypes, _formats, _operators
from funcgrad._errors import refusing, unsupported
from funcgrad._facade import _creation, _legacy_types
from funcgrad._tensor import Tensor
from funcgrad.engine.values import Value, aval_of

__all__ = ["addmm", "mm", "sum"]


def _product(values, indices, dense, size):
    return _jax_sparse.BCOO((values, indices.T), shape=size) @ dense


def _dense(values, indices, size):
    return jnp.zeros((*size[: indices.shape[0]], *values.shape[1:]), values.dtype).at[tuple(indices)].add(values)


def _gathered(values, inverse, count):
    return jnp.zeros((count, *values.shape[1:]), values.dtype).at[inverse].add(values)


_PRODUCT = _operators.Op("sparse_mm", _product, grad_name="SparseMmBackward0")
_DENSE = _operators.Op("to_dense", _dense)
_GATHERED = _operators.Op("coalesce", _gathered)


class _Sparse(Tensor):
    """What both layouts have in common; operands of ops that are not here are refused."""

    is_sparse = False
    __hash__ = Tensor.__hash__

    def __new__(cls, values: Tensor, size: tuple):
        made = object.__new__(cls)
        made._parts = values
        made._value = Value(None, aval_of(tuple(size), values.dtype.numpy, values.device))
        return made

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        handler = _HANDLERS.get(func.__name__)
        if handler is None:
            raise unsupported(f"torch.{func.__name__}", "of a sparse tensor")
        return handler(*args, **(kwargs or {}))

    def _coo(self) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _read(self):
        raise unsupported("this function", "of a sparse tensor; use to_dense() first")

    requires_grad = property(lambda self: self._parts.requires_grad, lambda self, wanted: self.requires_grad_(wanted))
    is_leaf = property(lambda self: self._parts.is_leaf)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        self._parts.requires_grad_(requires_grad)
        return self

    def numpy(self, *, force: bool = False):
        name = "Sparse" if self.is_sparse else "SparseCsr"
        raise TypeError(f"can't convert {name} layout tensor to numpy. Use Tensor.to_dense() first.")

    def to_dense(self, dtype=None, *, masked_grad=None) -> Tensor:
        """The same numbers as a strided tensor."""
        indices, values = self._coo()
        made = _operators.apply(_DENSE, (values, indices, tuple(self.shape)))
        return made if dtype is None else made.to(dtype)

    def _nnz(self) -> int:
        """How many elements are stored."""
        return self._parts.shape[0]

    def __matmul__(self, other: Tensor) -> Tensor:
        return mm(self, other)

    def matmul(self, other: Tensor) -> Tensor:
        """The product with a dense matrix or vector."""
        return mm(self, other)

    mm = mv = matmul

    def sum(self, dim=None, dtype=None) -> Tensor:
        """The sum of all elements, or a dense tensor of sums along `dim`."""
        total = self._parts.sum() if dim is None else self.to_dense().sum(dim)
        return total if dtype is None else total.to(dtype)

    def __mul__(self, other) -> Tensor:
        if isinstance(other, _Sparse):
            raise unsupported("torch.mul", "of two sparse tensors")
        if isinstance(other, Tensor) and other.dim():
            raise unsupported("torch.mul", "of a sparse and a dense tensor")
        return self._with(self._parts * other)

    __rmul__ = mul = __mul__

    def __truediv__(self, other) -> Tensor:
        return self._with(self._parts / other)

    def __neg__(self) -> Tensor:
        return self._with(-self._parts)

    def detach(self) -> Tensor:
        return self._with(self._parts.detach())

    def clone(self, *, memory_format=None) -> Tensor:
        return self._with(self._parts.clone())

    def to(self, *args, **kwargs) -> Tensor:
        return self._with(self._parts.to(*args, **kwargs))

    def float(self) -> Tensor:
        return self.to(_dtypes.float32)

    def double(self) -> Tensor:
        return self.to(_dtypes.float64)

    def cpu(self) -> Tensor:
        return self

    def _tail(self) -> str:
        text = f"size={tuple(self.shape)}, nnz={self._nnz()}"
        text += "" if self.dtype in (_dtypes.default_dtype(), _dtypes.int64) else f", dtype={self.dtype}"
        return text + (", requires_grad=True" if self.requires_grad else "")


class SparseCOO(_Sparse):
    """A tensor stored as coordinates (`_indices`, one column an element) and values."""

    is_sparse = True
    layout = _formats.sparse_coo

    def __new__(cls, indices: Tensor, values: Tensor, size: tuple, coalesced: bool = False):
        made = _Sparse.__new__(cls, values, size)
        made._columns, made._coalesced = indices, coalesced
        return made

    def _coo(self) -> tuple[Tensor, Tensor]:
        return self._columns, self._parts

    def _with(self, values: Tensor) -> SparseCOO:
        return SparseCOO(self._columns, values, tuple(self.shape), self._coalesced)

    def is_coalesced(self) -> bool:
        """Whether the coordinates are sorted and unique."""
        return self._coalesced

    def coalesce(self) -> SparseCOO:
        """The same tensor with sorted, unique coordinates; values of equal ones are added."""
        if self._coalesced:
            return self
        found, inverse = np.unique(self._columns._host(), axis=1, return_inverse=True)
        inverse = _creation.from_array(inverse.reshape(-1))
        values = _operators.apply(_GATHERED, (self._parts, inverse, found.shape[1]))
        return SparseCOO(_creation.from_array(found), values, tuple(self.shape), True)

    def _indices(self) -> Tensor:
        """The coordinates, as they are."""
        return self._columns

    def _values(self) -> Tensor:
        """The values, as they are."""
        return self._parts

    def indices(self) -> Tensor:
        """The coordinates of a coalesced tensor."""
        self._check_coalesced("indices")
        return self._columns

    def values(self) -> Tensor:
        """The values of a coalesced tensor."""
        self._check_coalesced("values")
        return self._parts

    def _check_coalesced(self, what: str) -> None:
        if not self._coalesced:
            raise RuntimeError(f"Cannot get {what} on an uncoalesced tensor, please call .coalesce() first")

    def sparse_dim(self) -> int:
        """How many dimensions have coordinates."""
        return self._columns.shape[0]

    def dense_dim(self) -> int:
        """How many dimensions the values have besides."""
        return self._parts.dim() - 1

    def transpose(self, dim0: int, dim1: int) -> SparseCOO:
        """With two sparse dimensions exchanged."""
        order = list(range(self.dim()))
        a, b = self._wrap_dim(dim0), self._wrap_dim(dim1)
        if max(a, b) >= self.sparse_dim():
            raise unsupported("torch.transpose", "of a dense dimension of a sparse tensor")
        order[a], order[b] = b, a
        rows = self._columns[_creation.from_array(np.array(order[: self.sparse_dim()]))]
        return SparseCOO(rows, self._parts, tuple(self.shape[d] for d in order))

    def t(self) -> SparseCOO:
        """The transposed matrix."""
        return self.transpose(0, 1)

    T = property(t)

    def __add__(self, other) -> Tensor:
        if not isinstance(other, SparseCOO):
            return _add_dense(self, other)
        if other.shape != self.shape:
            raise RuntimeError(
                f"add: expected sizes of 'self' and 'other' to match, but {list(self.shape)} != {list(other.shape)}"
            )
        columns, values = (
            _operators.call("cat", [a, b], d)
            for a, b, d in ((self._columns, other._columns, 1), (self._parts, other._parts, 0))
        )
        return SparseCOO(columns, values, tuple(self.shape)).coalesce()

    add = __add__
    __radd__ = __add__

    def __sub__(self, other) -> Tensor:
        return self + (-other)

    def to_sparse(self, *args, **kwargs) -> SparseCOO:
        return self

    def to_sparse_csr(self, dense_dim=None) -> SparseCSR:
        """The same matrix as compressed rows."""
        own = self.coalesce()
        rows = own._columns._host()[0]
        starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=self.shape[0]))])
        return SparseCSR(_creation.from_array(starts), own._columns[1], own._parts, tuple(self.shape))

    def __repr__(self, *, tensor_contents=None) -> str:
        columns = _indented(self._columns, "tensor(indices=")
        return (
            f"tensor(indices={columns},\n       values={_indented(self._parts.detach(), '       values=')},\n       "
            + (f"{self._tail()}, layout=torch.sparse_coo)")
        )

    __str__ = __repr__


class SparseCSR(_Sparse):
    """A matrix stored as compressed rows."""

    is_sparse_csr = True
    layout = _formats.sparse_csr

    def __new__(cls, starts: Tensor, columns: Tensor, values: Tensor, size: tuple):
        made = _Sparse.__new__(cls, values, size)
        made._starts, made._cols = starts, columns
        return made

    def _coo(self) -> tuple[Tensor, Tensor]:
        rows = np.repeat(np.arange(self.shape[0]), np.diff(self._starts._host()))
        return _operators.call("stack", [_creation.from_array(rows), self._cols.long()]), self._parts

    def _with(self, values: Tensor) -> SparseCSR:
        return SparseCSR(self._starts, self._cols, values, tuple(self.shape))

    def crow_indices(self) -> Tensor:
        """Where each row begins among the values."""
        return self._starts

    def col_indices(self) -> Tensor:
        """The column of each value."""
        return self._cols

    def values(self) -> Tensor:
        """The values."""
        return self._parts

    def to_sparse(self, *args, layout=None, **kwargs) -> Tensor:
        """The same matrix as coordinates."""
        return self if layout is _formats.sparse_csr else SparseCOO(*self._coo(), tuple(self.shape), True)

    to_sparse_coo = to_sparse

    def to_sparse_csr(self, dense_dim=None) -> SparseCSR:
        return self

    def __repr__(self, *, tensor_contents=None) -> str:
        parts = (("crow_indices", self._starts), ("col_indices", self._cols), ("values", self._parts.detach()))
        shown = [f"{name}={_indented(x, f'       {name}=')}" for name, x in parts]
        return f"tensor({(','.ljust(9, ' ')[0] + chr(10) + '       ').join(shown)}, {self._tail()},\n       layout=torch.sparse_csr)"

    __str__ = __repr__


def _indented(tensor: Tensor, before: str) -> str:
    """A part as a repr shows it: without its dtype, an empty one with its size."""
    if not tensor.numel():
        return f"tensor([], size={tuple(tensor.shape)})"
    return re.sub(r",\s+dtype=torch\.\w+\)$", ")", repr(tensor)).replace("\n", "\n" + " " * len(before))


# -- making them ------------------------------------------------------------------------------------------------------


def sparse_coo_tensor(indices, values=None, size=None, *, dtype=None, device=None, requires_grad=False,
                      check_invariants=None, is_coalesced=None, pin_memory=False) -> SparseCOO:  # fmt: skip
    """A sparse tensor of coordinates and values.

    Example:
        >>> import funcgrad as torch
        >>> torch.sparse_coo_tensor([[0, 1]], [3.0, 4.0], (3,)).to_dense()
        tensor([3., 4., 0.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.sparse_coo_tensor.html
    """
    if values is None:  # sparse_coo_tensor(size): empty
        size = tuple(indices)
        indices, values = np.zeros((len(size), 0), np.int64), np.zeros(0, (dtype or _dtypes.default_dtype()).numpy)
    columns = indices if isinstance(indices, Tensor) else _creation.tensor(indices)
    numbers = values if isinstance(values, Tensor) else _creation.tensor(values, dtype=dtype)
    numbers = numbers if dtype is None else numbers.to(dtype)
    host = columns._host()
    if host.ndim != 2:
        raise RuntimeError(f"indices must be sparse_dim x nnz, but got: {list(host.shape)}")
    least = (*(int(n) + 1 for n in host.max(1, initial=-1)), *numbers.shape[1:])
    if host.size and host.min() < 0:
        bad = int(np.argwhere(host.min(1) < 0)[0, 0])
        raise RuntimeError(f"found negative index {int(host[bad].min())} for dim {bad}")
    size = least if size is None else tuple(size)
    for d, n in enumerate(least[: host.shape[0]]):
        if n > size[d]:
            raise RuntimeError(
                f"size is inconsistent with indices: for dim {d}, size is {size[d]} but found index {n - 1}"
            )
    made = SparseCOO(columns.long(), numbers, size, bool(is_coalesced))
    return made.requires_grad_() if requires_grad else made


def sparse_csr_tensor(crow_indices, col_indices, values, size=None, *, dtype=None, device=None, requires_grad=False,
                      check_invariants=None, pin_memory=False) -> SparseCSR:  # fmt: skip
    """A sparse matrix of compressed rows.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.sparse_csr_tensor.html
    """
    starts, columns = (x if isinstance(x, Tensor) else _creation.tensor(x) for x in (crow_indices, col_indices))
    numbers = values if isinstance(values, Tensor) else _creation.tensor(values, dtype=dtype)
    numbers = numbers if dtype is None else numbers.to(dtype)
    if size is None:
        size = (starts.numel() - 1, int(columns._host().max(initial=-1)) + 1)
    made = SparseCSR(starts, columns, numbers, tuple(size))
    return made.requires_grad_() if requires_grad else made


def to_sparse(self: Tensor, sparse_dim=None, *, layout=None, blocksize=None, dense_dim=None) -> Tensor:
    """The non-zero elements of a dense tensor, as coordinates (or compressed rows, by `layout`)."""
    if layout not in (None, _formats.sparse_coo, _formats.sparse_csr) or blocksize is not None:
        raise unsupported(f"torch.Tensor.to_sparse(layout={layout})")
    count = self.dim() if sparse_dim is None else sparse_dim
    host = self.detach()._host()
    found = np.array(np.nonzero(host.any(tuple(range(count, self.dim()))) if count < self.dim() else host), np.int64)
    columns = _creation.from_array(found)
    values = self[tuple(_creation.from_array(row) for row in found)]
    made = SparseCOO(columns, values, tuple(self.shape), True)
    return made.to_sparse_csr() if layout is _formats.sparse_csr else made


def to_sparse_csr(self: Tensor, dense_dim=None) -> SparseCSR:
    """The non-zero elements of a dense matrix, as compressed rows."""
    return to_sparse(self).to_sparse_csr()


# -- products ---------------------------------------------------------------------------------------------------------


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of a sparse matrix and a dense matrix or vector.

    Raises:
        RuntimeError: the sizes do not fit.
    """
    if isinstance(input, SparseCOO | SparseCSR) and not isinstance(mat2, _Sparse):
        if input.shape[1] != mat2.shape[0]:
            size, got = input.shape[1], mat2.shape[0]
            raise RuntimeError(f"addmm: Argument #3 (dense): Expected dim 0 size {size}, got {got}")
        indices, values = input._coo()
        return _operators.apply(_PRODUCT, (values, indices, mat2, tuple(input.shape)))
    if isinstance(mat2, _Sparse) and not isinstance(input, _Sparse):
        return mm(_transposed(mat2), input.t()).t()
    raise unsupported("torch.sparse.mm", "of two sparse matrices")


def _transposed(matrix: _Sparse) -> SparseCOO:
    return SparseCOO(*matrix._coo(), tuple(matrix.shape)).t()


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta=1, alpha=1) -> Tensor:
    """``beta * input + alpha * (mat1 @ mat2)`` for a sparse `mat1`."""
    return beta * input + alpha * mm(mat1, mat2)


def sum(input: _Sparse, dim=None, dtype=None) -> Tensor:
    """The sum of all elements; along `dim` not supported."""
    if dim is not None:
        raise unsupported("torch.sparse.sum(dim=...)")
    return input.sum(dtype=dtype)


def _add_dense(a, b) -> Tensor:
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        raise RuntimeError(
            "add(sparse, dense) is not supported for numbers. Use add(dense, sparse) with a tensor instead."
        )
    return (a.to_dense() if isinstance(a, _Sparse) else a) + (b.to_dense() if isinstance(b, _Sparse) else b)


softmax, log_softmax = refusing("torch.sparse.softmax"), refusing("torch.sparse.log_softmax")
to_sparse_semi_structured = refusing("torch.sparse.to_sparse_semi_structured")
_HANDLERS = {
    "mm": mm, "matmul": mm, "mv": mm, "smm": mm, "spmm": mm, "addmm": addmm, "add": _add_dense, "to_dense": _Sparse.to_dense,
    "mul": lambda a, b: a * b if isinstance(a, _Sparse) else b * a, "neg": _Sparse.__neg__, "sum": _Sparse.sum,
    "transpose": lambda x, a, b: x.transpose(a, b), "t": lambda x: x.t(), "clone": _Sparse.clone, "detach": _Sparse.detach,
}  # fmt: skip


def to_dense(self: Tensor, dtype=None, *, masked_grad=None) -> Tensor:
    """A dense tensor is dense already."""
    return self if dtype is None else self.to(dtype)


to_sparse_coo, smm, spmm = to_sparse, mm, mm
globals().update(_legacy_types.sparse())
