"""Matrix and vector products: `matmul`, `mm`, `bmm`, `mv`, `dot`, `outer`, `kron`, `linear`, `bilinear`, ...

See https://docs.pytorch.org/docs/stable/torch.html#blas-and-lapack-operations.
Which `dot_general` a product becomes was measured on 2 CPU cores (float32, forward and both gradients):

* ``x @ w`` with ``x`` [8, 128, 256], ``w`` [256, 1024]: 9.2 ms as one three-dimensional dot (its gradient for ``w``
  transposes a large product), 5.5 ms with the leading dimensions of ``x`` flattened first. `matmul` flattens.
* ``linear(x, w)`` with ``w`` [1024, 256]: 7.1 ms flattened, 5.7 ms as one three-dimensional dot that contracts the last
  dimension of both: the gradient for ``w`` contracts two dimensions, for which XLA transposes the cotangent and calls
  its fast kernel (2.0 ms); the flattened form leaves a dot with a transposed left operand to a slower one (3.4 ms).
  `linear` keeps the dimensions. For two-dimensional inputs no form was better than plain `dot_general`.
* float16 and bfloat16 are summed in float32, as in PyTorch; for bfloat16 on the CPU that is the faster form too
  (0.8 ms for [1024, 256] @ [256, 512], 1.4 ms with a bfloat16 result type).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import broadcast_shapes, check_dtype, wrap_dim
from funcgrad.ops._matrix_checks import check_expandable, check_multipliable, cpp_name, scalar_name, shape_list
from funcgrad.ops._number import Array, dtype_of, promote

# -- the building block -----------------------------------------------------------------------------------------------


def contract(a: Array, b: Array, dims: tuple, batch: tuple = ((), ()), wide: bool = False) -> Array:
    """`lax.dot_general` that sums float16 and bfloat16 in float32, as PyTorch's kernels do.

    Args:
        dims: the contracted dimensions of `a` and of `b`.
        batch: the batch dimensions of `a` and of `b`.
        wide: return the float32 sum unrounded.
    """
    out = lax.dot_general(a, b, (dims, batch), preferred_element_type=wide_type(a))
    return out if wide else out.astype(a.dtype)


def wide_type(x: Array):
    """The type PyTorch sums `x` in: float32 for float16 and bfloat16, else its own."""
    d = dtype_of(x)
    return jnp.float32 if d.is_floating_point and d.itemsize == 2 else x.dtype


def same_dtype(a: Array, b: Array) -> None:
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {cpp_name(a)} != {cpp_name(b)}",
        )


# -- two operands -----------------------------------------------------------------------------------------------------


def matmul(input: Array, other: Array) -> Array:
    """Matrix product; vectors are rows on the left and columns on the right, leading dimensions are a batch.

    Shape: ``[*, n, k] @ [*, k, m] -> [*, n, m]``, batch dimensions broadcast.

    Raises:
        RuntimeError: the shapes cannot be multiplied or the dtypes differ.

    Example:
        >>> matmul(jnp.ones((8, 2, 3)), jnp.ones((3, 4))).shape
        (8, 2, 4)
    """
    if input.ndim == 0 or other.ndim == 0:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {input.ndim}D and {other.ndim}D"
        )
    if input.ndim == 1:
        if other.ndim == 1:
            return dot(input, other)
        return jnp.squeeze(matmul(input[None], other), -2)
    if other.ndim <= 2:
        lead = input.shape[:-1]
        rows = input.reshape(math.prod(lead), input.shape[-1])
        return (mv if other.ndim == 1 else mm)(rows, other).reshape(lead + other.shape[1:])
    return _matmul_batched(input, other)


def _matmul_batched(a: Array, b: Array) -> Array:
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = jnp.broadcast_to(a, batch + a.shape[-2:])
    b = jnp.broadcast_to(b, batch + b.shape[-2:])
    _check_batched("bmm", (math.prod(batch), *a.shape[-2:]), (math.prod(batch), *b.shape[-2:]), a, b)
    axes = tuple(range(len(batch)))
    return contract(a, b, ((len(batch) + 1,), (len(batch),)), (axes, axes))


def _check_batched(kernel: str, a_shape, b_shape, a: Array, b: Array) -> None:
    if a_shape[0] != b_shape[0] or a_shape[2] != b_shape[1]:
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{a_shape[0]}, {a_shape[2]}] but got: [{b_shape[0]}, {b_shape[1]}]."
        )
    if a.dtype != b.dtype:
        raise RuntimeError(f"expected scalar type {scalar_name(a)} but found {scalar_name(b)}")
    check_dtype(kernel, dtype_of(a), "ifhc")


def mm(input: Array, mat2: Array) -> Array:
    """Product of two matrices, ``[n, k] @ [k, m]``."""
    if input.ndim != 2:
        raise RuntimeError("self must be a matrix")
    if mat2.ndim != 2:
        raise RuntimeError("mat2 must be a matrix")
    check_multipliable(input, mat2)
    same_dtype(input, mat2)
    check_dtype("addmm_impl_cpu_", dtype_of(input), "ifhc")
    return contract(input, mat2, ((1,), (0,)))


def bmm(input: Array, mat2: Array) -> Array:
    """Products of two batches of matrices, ``[b, n, k] @ [b, k, m]``, with no broadcasting."""
    for name, x in (("batch1", input), ("batch2", mat2)):
        if x.ndim != 3:
            raise RuntimeError(f"{name} must be a 3D tensor")
    _check_batched("bmm", input.shape, mat2.shape, input, mat2)
    return contract(input, mat2, ((2,), (1,)), ((0,), (0,)))


def check_mv(mat: Array, vec: Array, input: Array | None = None) -> None:
    """Raise unless ``input + mat @ vec`` is well formed."""
    input_ndim = 1 if input is None else input.ndim
    if mat.ndim != 2 or vec.ndim != 1 or input_ndim > 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got {input_ndim}, {mat.ndim}, {vec.ndim}")
    n = mat.shape[0] if input is None else (input.shape[0] if input.ndim else 1)
    if mat.shape[1] != vec.shape[0] or n not in (1, mat.shape[0]):
        raise RuntimeError(f"size mismatch, got input ({n}), mat ({mat.shape[0]}x{mat.shape[1]}), vec ({vec.shape[0]})")
    first = vec if input is None else input
    if not first.dtype == mat.dtype == vec.dtype:
        names = f"{scalar_name(first)}, {scalar_name(mat)}, and {scalar_name(vec)}"
        raise RuntimeError(f"addmv input tensors must have the same dtype, but got {names}")
    if mat.shape[1]:
        check_dtype("addmv_impl_cpu", dtype_of(mat), "ifhc")


def mv(input: Array, vec: Array) -> Array:
    """Product of a matrix and a vector, ``[n, k] @ [k]``."""
    check_mv(input, vec)
    return contract(input, vec, ((1,), (0,)))


def dot(input: Array, tensor: Array) -> Array:
    """Sum of the products of two vectors' elements."""
    return _dot(input, tensor, "dot")


def vdot(input: Array, other: Array) -> Array:
    """As `dot`, with the conjugate of `input`."""
    return _dot(jnp.conj(input) if jnp.iscomplexobj(input) else input, other, "vdot" if input.ndim else "dot")


def _dot(a: Array, b: Array, kernel: str) -> Array:
    if a.ndim != 1 or b.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {a.ndim}D and {b.ndim}D tensors")
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"dot : expected both vectors to have same dtype, but found {scalar_name(a)} and {scalar_name(b)}"
        )
    if a.shape != b.shape:
        n, m = a.shape[0], b.shape[0]
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{n}] and src [{m}] to have the same number of elements, "
            f"but got {n} and {m} elements respectively"
        )
    check_dtype(kernel if dtype_of(a).is_complex else "dot", dtype_of(a), "ifhc")
    return contract(a, b, ((0,), (0,)))


def inner(input: Array, other: Array) -> Array:
    """Sum of products over the last dimension of both.

    Shape: ``[*a, k], [*b, k] -> [*a, *b]``; a zero-dimensional operand only multiplies.
    """
    if input.ndim == 0 or other.ndim == 0:
        a, b = promote(input, other)
        return a & b if a.dtype == bool else a * b
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{shape_list(input)} and {shape_list(other)}"
        )
    if input.dtype != other.dtype:
        raise RuntimeError("both inputs should have same dtype")
    check_dtype("addmm_impl_cpu_", dtype_of(input), "ifhc")
    return contract(input, other, ((input.ndim - 1,), (other.ndim - 1,)))


def outer(input: Array, vec2: Array) -> Array:
    """Products of every element of one vector with every element of another, ``[n], [m] -> [n, m]``."""
    for name, x in (("self", input), ("vec2", vec2)):
        if x.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {x.ndim}-D")
    a, b = promote(input, vec2)
    return a[:, None] & b if a.dtype == bool else a[:, None] * b


ger = outer


def kron(input: Array, other: Array) -> Array:
    """Kronecker product: each element of `input` times all of `other`.

    Shape: ``out.shape[i] = input.shape[i] * other.shape[i]``, the shorter shape padded with ones on the left.
    """
    a, b = promote(input, other)
    ndim = max(a.ndim, b.ndim)
    a_shape, b_shape = ((1,) * (ndim - x.ndim) + x.shape for x in (a, b))
    a = a.reshape([s for n in a_shape for s in (n, 1)])
    b = b.reshape([s for n in b_shape for s in (1, n)])
    return (a & b if a.dtype == bool else a * b).reshape([n * m for n, m in zip(a_shape, b_shape)])


def cross(input: Array, other: Array, dim: int | None = None) -> Array:
    """Cross product of three-dimensional vectors along `dim` (by default the first dimension of size 3)."""
    if dim is None:
        if 3 not in input.shape:
            raise RuntimeError("no dimension of size 3 in input")
        dim = input.shape.index(3)
    return linalg_cross(input, other, dim)


def linalg_cross(input: Array, other: Array, dim: int = -1) -> Array:
    """The cross product of `torch.linalg.cross`, whose `dim` is the last by default."""
    if input.ndim != other.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    if input.ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    axis = wrap_dim(dim, input.ndim)
    if input.shape[axis] != 3 or other.shape[axis] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {input.shape[axis]} and {other.shape[axis]}"
        )
    shape = broadcast_shapes(input.shape, other.shape)
    if input.dtype != other.dtype:
        raise RuntimeError(f"expected scalar type {scalar_name(input)} but found {scalar_name(other)}")
    check_dtype("cross", dtype_of(input), "ifhc")
    a, b = (jnp.moveaxis(jnp.broadcast_to(x, shape), axis, 0) for x in (input, other))
    return jnp.stack([a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)], axis)


def trace(input: Array) -> Array:
    """Sum of a matrix's diagonal."""
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    d = dtype_of(input)
    check_dtype("trace", d, "ifhc")
    wide = jnp.int64 if d.category == _dtypes.INTEGER else wide_type(input)
    out = jnp.sum(jnp.diagonal(input), dtype=wide)
    return out if wide == jnp.int64 else out.astype(input.dtype)


# -- several matrices -------------------------------------------------------------------------------------------------


def multi_dot(tensors: Sequence[Array]) -> Array:
    """Product of two or more matrices in the order that needs the fewest multiplications.

    The first may be a row vector and the last a column vector.
    """
    _check_chain(tensors)
    n = len(tensors)
    matrices = list(tensors)
    if row := matrices[0].ndim == 1:
        matrices[0] = matrices[0][None]
    if column := matrices[-1].ndim == 1:
        matrices[-1] = matrices[-1][:, None]
    for i in range(1, n):
        if matrices[i].shape[0] != matrices[i - 1].shape[1]:
            raise RuntimeError(
                f"multi_dot(): tensors {i - 1} and {i} with shapes {shape_list(tensors[i - 1])} and "
                f"{shape_list(tensors[i])} cannot be multiplied"
            )
    split = _cheapest_splits([m.shape[0] for m in matrices] + [matrices[-1].shape[1]])

    def product(i: int, j: int) -> Array:
        return matrices[i] if i == j else mm(product(i, split[i, j]), product(split[i, j] + 1, j))

    out = product(0, n - 1)
    return out.reshape(out.shape[row : 2 - column])


def _check_chain(tensors: Sequence[Array]) -> None:
    n = len(tensors)
    if n < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {n}")
    for i, x in enumerate(tensors):
        if x.dtype != tensors[0].dtype:
            raise RuntimeError(
                "multi_dot(): all tensors must have be the same dtype but tensor 0 is "
                f"{cpp_name(tensors[0])} and tensor {i} {cpp_name(x)}"
            )
    for which, x in (("first", tensors[0]), ("last", tensors[-1])):
        if x.ndim not in (1, 2):
            raise RuntimeError(f"multi_dot(): the {which} tensor must be 1D or 2D but got {x.ndim}D")
    for i, x in enumerate(tensors[1:-1], 1):
        if x.ndim != 2:
            raise RuntimeError(f"multi_dot(): tensor {i} must be 2D but got {x.ndim}D")


def _cheapest_splits(sizes: list[int]) -> dict[tuple[int, int], int]:
    """For each run ``i..j`` of a chain of matrices ``sizes[i] x sizes[i + 1]``, where to split it."""
    n = len(sizes) - 1
    cost, split = {(i, i): 0 for i in range(n)}, {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            options = [(cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)]
            cost[i, j], split[i, j] = min(options)
    return split


def chain_matmul(*matrices: Array) -> Array:
    """Product of matrices in the cheapest order; `multi_dot` for matrices only."""
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    for m in matrices:
        if m.ndim != 2:
            raise RuntimeError(f"Tensor dimension is {m.ndim}, expected 2 instead.")
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)


# -- layers -----------------------------------------------------------------------------------------------------------


def linear(input: Array, weight: Array, bias: Array | None = None) -> Array:
    """``y = x W^T + b``.

    Shape: ``[*, in], [out, in], [out] -> [*, out]``; a one-dimensional weight gives ``[*]``.

    Example:
        >>> linear(jnp.ones((8, 2, 3)), jnp.ones((5, 3)), jnp.ones(5)).shape
        (8, 2, 5)
    """
    if input.ndim == 0 or weight.ndim == 0:
        raise RuntimeError(
            f"both arguments to linear need to be at least 1D, but they are {input.ndim}D and {weight.ndim}D"
        )
    if weight.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {weight.ndim}D")
    if weight.ndim == 1:
        return _linear_vector(input, weight, bias)
    rows = math.prod(input.shape[:-1])
    if input.shape[-1] != weight.shape[1]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{input.shape[-1]} and "
            f"{weight.shape[1]}x{weight.shape[0]})"
        )
    if bias is None:
        same_dtype(input, weight)
    else:
        check_addmm_dtypes(bias, input, weight)
        check_expandable(bias, (*input.shape[:-1], weight.shape[0]) if bias.ndim > 1 else (rows, weight.shape[0]))
    check_dtype("addmm_impl_cpu_", dtype_of(input), "ifhc")
    out = contract(input, weight, ((input.ndim - 1,), (1,)), wide=True)
    return (out if bias is None else out + bias.astype(out.dtype)).astype(input.dtype)


def _linear_vector(input: Array, weight: Array, bias: Array | None) -> Array:
    out = matmul(input, weight)
    if bias is None:
        return out
    if input.ndim == 2:
        raise RuntimeError("mat2 must be a matrix, got 1-D tensor")
    check_expandable(bias, out.shape)
    return out + bias


def check_addmm_dtypes(input: Array, mat1: Array, mat2: Array) -> None:
    for name, x in (("self", input), ("mat1", mat1)):
        if x.dtype != mat2.dtype:
            raise RuntimeError(
                f"{name} and mat2 must have the same dtype, but got {scalar_name(x)} and {scalar_name(mat2)}"
            )


def bilinear(input1: Array, input2: Array, weight: Array, bias: Array | None = None) -> Array:
    """``y_k = x1^T W_k x2 + b_k``.

    Shape: ``[*, n], [*, m], [out, n, m], [out] -> [*, out]``.
    """
    _check_bilinear(input1, input2, weight, bias)
    out_size, n, m = weight.shape
    lead = input1.shape[:-1]
    # x1 W for all k as one dot, then a sum over products with x2: [rows, n] @ [n, out * m] -> [rows, out, m].
    rows = math.prod(lead)
    left = contract(input1.reshape(rows, n), weight, ((1,), (1,)))
    out = contract(left, input2.reshape(rows, m), ((2,), (1,)), ((0,), (0,)))
    out = out.reshape(*lead, out_size)
    return out if bias is None else out + bias


def _check_bilinear(input1, input2, weight, bias) -> None:
    if not input1.dtype == input2.dtype == weight.dtype:
        names = f"input1: {cpp_name(input1)}, input2: {cpp_name(input2)}, weight: {cpp_name(weight)}"
        raise RuntimeError(f"All tensors must have the same dtype, got {names}")
    if input1.ndim != input2.ndim:
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {input1.ndim} and {input2.ndim}")
    for i, (a, b) in enumerate(zip(input1.shape[:-1], input2.shape[:-1])):
        if a != b:
            raise RuntimeError(f"bilinear(): input batch dimensions do not match at dim {i}: got {a} and {b}")
    for i, x in ((1, input1), (2, input2)):
        if i >= weight.ndim or x.shape[-1] != weight.shape[i]:
            expected = weight.shape[i] if i < weight.ndim else 0
            raise RuntimeError(
                f"bilinear(): input{i} size does not match weight size: got {x.shape[-1]} but expected {expected}"
            )
    if bias is not None and bias.shape[:1] != weight.shape[:1]:
        if not bias.ndim:
            raise IndexError("Dimension specified as 0 but tensor has no dimensions")
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {bias.shape[0]} but expected {weight.shape[0]}"
        )
