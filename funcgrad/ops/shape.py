"""The same elements under another shape: view, transpose, squeeze, expand, flatten, diagonal and their kin.

Nothing here moves data by itself: XLA folds these into the loops that read them. See
https://docs.pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops and
https://docs.pytorch.org/docs/stable/tensor_view.html.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import wrap_dim
from funcgrad._warnings import warn_once
from funcgrad.ops import _marks
from funcgrad.ops._number import Array
from funcgrad.ops._sizes import as_tuple, brackets, infer_size, sizes_from, sizes_of_view

# -- view and reshape -------------------------------------------------------------------------------------------------


@_marks.view
def view(input: Array, *shape, dtype=None, size=None):
    """The elements of `input` in order, under `shape`; or its bytes read as another `dtype`.

    One size may be -1. With a dtype of another width the last dimension shrinks or grows accordingly.

    Raises:
        RuntimeError: the element counts differ.

    Example:
        >>> torch.arange(6).view(-1, 2).shape
        torch.Size([3, 2])
    """
    if dtype is None and len(shape) == 1 and isinstance(shape[0], _dtypes.dtype):
        dtype = shape[0]
    if dtype is not None:
        return view_dtype(input, dtype)
    return input.reshape(infer_size(sizes_of_view(shape, size), input.size))


@_marks.view
def reshape(input: Array, *shape, **keyword):
    """As `view`, for any strides: PyTorch copies where no view is possible.

    Raises:
        RuntimeError: the element counts differ.
    """
    if not shape and "shape" not in keyword:
        raise TypeError('reshape() missing 1 required positional arguments: "shape"')
    return input.reshape(infer_size(sizes_from(shape or (keyword["shape"],), "reshape", "shape"), input.size))


@_marks.view
def view_as(input: Array, other: Array):
    """`input` under the shape of `other`."""
    return view(input, other.shape)


@_marks.view
def reshape_as(input: Array, other: Array):
    """`input` under the shape of `other`."""
    return reshape(input, other.shape)


@_marks.view
def ravel(input: Array):
    """`input` as one dimension."""
    return input.reshape(-1)


@_marks.view
def flatten(input: Array, start_dim=0, end_dim=-1):
    """Dimensions `start_dim` to `end_dim` (inclusive) as one.

    Raises:
        RuntimeError: `start_dim` comes after `end_dim`.

    Example:
        >>> torch.flatten(torch.zeros(2, 3, 4), 1).shape
        torch.Size([2, 12])
    """
    start, end = wrap_dim(start_dim, input.ndim), wrap_dim(end_dim, input.ndim)
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if not input.ndim:
        return input.reshape(1)
    s = input.shape
    return input.reshape(*s[:start], math.prod(s[start : end + 1]), *s[end + 1 :])


@_marks.view
def unflatten(input: Array, dim, sizes):
    """Dimension `dim` as several of `sizes`, one of which may be -1.

    Raises:
        RuntimeError: the product of `sizes` is not the size of `dim`.
    """
    dim, sizes, s = wrap_dim(dim, input.ndim), as_tuple(sizes), input.shape
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    if not s:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    known = math.prod(n for n in sizes if n != -1)
    if sizes.count(-1) == 1 and known and s[dim] % known == 0:
        sizes = tuple(s[dim] // known if n == -1 else n for n in sizes)
    elif -1 in sizes and sizes.count(-1) > 1:
        raise RuntimeError("unflatten got an unexpected error:\nonly one dimension can be inferred")
    if math.prod(sizes) != s[dim] or -1 in sizes:
        raise RuntimeError(
            f"unflatten: Provided sizes {brackets(sizes)} don't multiply up to the size of dim {dim} ({s[dim]}) in the "
            "input tensor"
        )
    return input.reshape(*s[:dim], *sizes, *s[dim + 1 :])


def _words(x: Array) -> Array:
    """The elements' real components along a new last dimension, as arrays that a bit cast accepts."""
    if x.dtype == bool:
        x = x.astype(jnp.uint8)
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        return jnp.stack([jnp.real(x), jnp.imag(x)], -1)
    return x[..., None]


def view_dtype(input: Array, dtype) -> Array:
    """The bytes of `input` read as `dtype` (little-endian, as memory has them)."""
    source, target = _dtypes.to_dtype(input.dtype), _dtypes.to_dtype(dtype)
    if source is target:
        return input
    a, b = source.itemsize, target.itemsize
    names = f"view {source.scalar_name} as {target.scalar_name} (different element sizes)"
    if a != b and not input.ndim:
        raise RuntimeError(f"self.dim() cannot be 0 to {names}")
    if a < b and input.shape[-1] * a % b:
        raise RuntimeError(f"self.size(-1) must be divisible by {b // a} to {names}, but got {input.shape[-1]}")
    shape = input.shape if a == b else (*input.shape[:-1], input.shape[-1] * a // b)
    real = target.to_real()
    word = min(source.to_real().itemsize, real.itemsize)
    if not input.size:
        return jnp.zeros(shape, target.numpy)
    bits = lax.bitcast_convert_type(_words(input), f"uint{8 * word}").reshape(*shape, -1)
    per_word = real.itemsize // word
    bits = bits.reshape(*shape, -1, per_word) if per_word > 1 else bits
    if target is _dtypes.bool_:
        return bits[..., 0] != 0
    words = lax.bitcast_convert_type(bits, real.numpy)
    return lax.complex(words[..., 0], words[..., 1]) if target.is_complex else words[..., 0]


@_marks.view
def alias(input: Array):
    """`input` itself, as a new tensor of the same memory."""
    return input


@_marks.view
def detach(input: Array):
    """`input` as a constant of the gradient."""
    return lax.stop_gradient(input)


# -- order of dimensions ----------------------------------------------------------------------------------------------


@_marks.view
def permute(input: Array, *dims, **keyword):
    """Dimensions in the order `dims`.

    Raises:
        RuntimeError: `dims` is no permutation.
    """
    dims = sizes_from(dims or (keyword["dims"],), "permute", "dims")
    if len(dims) != input.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {input.ndim} is not equal to len(dims) = {len(dims)}"
        )
    wrapped = tuple(wrap_dim(d, input.ndim) for d in dims)
    if len(set(wrapped)) != len(wrapped):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return lax.transpose(input, wrapped)


def _swap(input: Array, a: int, b: int) -> Array:
    a, b = wrap_dim(a, input.ndim), wrap_dim(b, input.ndim)
    return input if a == b else jnp.swapaxes(input, a, b)


@_marks.view
def transpose(input: Array, dim0, dim1):
    """Dimensions `dim0` and `dim1` exchanged.

    Example:
        >>> torch.transpose(torch.zeros(2, 3, 4), 0, -1).shape
        torch.Size([4, 3, 2])
    """
    return _swap(input, dim0, dim1)


swapdims = transpose


@_marks.view
def swapaxes(input: Array, axis0, axis1):
    """As `transpose`, with NumPy's parameter names."""
    return _swap(input, axis0, axis1)


@_marks.view
def t(input: Array):
    """The transpose of a matrix; vectors and scalars as they are.

    Raises:
        RuntimeError: more than two dimensions.
    """
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return input.T


def _adjoint(input: Array, name: str, dims: str = "matrices or batches of matrices") -> Array:
    if input.ndim == 0:
        return input
    if input.ndim == 1:
        raise RuntimeError(f"tensor.{name} is only supported on {dims}. Got 1-D tensor.")
    return jnp.swapaxes(input, -1, -2)


@_marks.view
def T(input: Array):
    """All dimensions in reverse order."""
    if input.ndim not in (0, 2):
        warn_once(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated and it will throw an "
            "error in a future release. Consider `x.mT` to transpose batches of matrices or `x.permute(*torch.arange(x.ndim "
            "- 1, -1, -1))` to reverse the dimensions of a tensor."
        )
    return input.T


@_marks.view
def mT(input: Array):
    """The last two dimensions exchanged."""
    return _adjoint(input, "mT")


@_marks.view
def mH(input: Array):
    """The conjugate of `mT`."""
    return jnp.conj(_adjoint(input, "mH"))


@_marks.view
def adjoint(input: Array):
    """The conjugate of the input with its last two dimensions exchanged."""
    return jnp.conj(_adjoint(input, "adjoint()"))


@_marks.view
def H(input: Array):
    """The conjugate transpose of a matrix.

    Raises:
        RuntimeError: more than two dimensions.
    """
    if input.ndim > 2:
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {input.ndim}-D tensor. For batches of "
            "matrices, consider using tensor.mH"
        )
    return jnp.conj(_adjoint(input, "H", "matrices (2-D tensors)"))


def moved_dims(ndim: int, source, destination) -> tuple[int, ...]:
    """The permutation that ``movedim(source, destination)`` is."""
    source, destination = as_tuple(source), as_tuple(destination)
    if len(source) != len(destination):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({brackets(source)} dims) should contain the same "
            f"number of dims as destination ({brackets(destination)} dims)"
        )
    wrapped = []
    for name, dims in (("source", source), ("destination", destination)):
        wrapped.append([wrap_dim(d, ndim) for d in dims])
        if len(set(wrapped[-1])) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({brackets(dims)})")
    at = dict(zip(wrapped[1], wrapped[0], strict=True))
    rest = iter(d for d in range(ndim) if d not in wrapped[0])
    return tuple(at[d] if d in at else next(rest) for d in range(ndim))


@_marks.view
def movedim(input: Array, source, destination):
    """Dimensions `source` moved to the places `destination`, the others in their order.

    Example:
        >>> torch.movedim(torch.zeros(2, 3, 4), 0, 2).shape
        torch.Size([3, 4, 2])
    """
    return lax.transpose(input, moved_dims(input.ndim, source, destination)) if input.ndim else input


moveaxis = movedim


@_marks.view
def diagonal(input: Array, offset=0, dim1=0, dim2=1):
    """The `offset`-th diagonal of the planes of `dim1` and `dim2`, as the last dimension.

    Raises:
        RuntimeError: `dim1` is `dim2`.
    """
    a, b = wrap_dim(dim1, input.ndim), wrap_dim(dim2, input.ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    if -offset >= input.shape[a] or offset >= input.shape[b]:
        rest = [n for d, n in enumerate(input.shape) if d not in (a, b)]
        return jnp.zeros((*rest, 0), input.dtype)
    # 1000x1000: a gather takes 18 us, its gradient 78 us; a strided slice of the flat matrix 10 and 808 us.
    return jnp.diagonal(input, offset, a, b)
