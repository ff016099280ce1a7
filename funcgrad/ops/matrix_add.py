"""A product added to a tensor: `addmm`, `addmv`, `addbmm`, `baddbmm`, `addr`.

``out = beta * input + alpha * (a @ b)``; with ``beta == 0`` NaN and infinity in `input` are ignored.
See https://docs.pytorch.org/docs/stable/generated/torch.addmm.html.
"""

from __future__ import annotations

import jax.numpy as jnp

from funcgrad import _dtypes
from funcgrad._errors import check_dtype
from funcgrad.ops._arguments import old_order
from funcgrad.ops._matrix_checks import check_expandable, check_multipliable, cpp_name, scalar_name
from funcgrad.ops._number import Array, Number, Scalar, as_array, dtype_of, kind_of, promote
from funcgrad.ops.linalg_basic import check_addmm_dtypes, check_mv, contract, wide_type


def _scale(x: Array, factor, ignore_nan: bool = False) -> Array:
    """``factor * x``; with `ignore_nan`, zero where `factor` is zero even if `x` is not finite."""
    d = dtype_of(x)
    if kind_of(factor) is complex and not d.is_complex:
        raise RuntimeError(f"value cannot be converted to type {cpp_name(x)} without overflow")
    if not isinstance(factor, Number):
        if factor == 1:
            return x
        if factor == 0 and ignore_nan:
            return jnp.zeros_like(x)
    factor = as_array(factor, d)
    if x.dtype == bool:
        return x & factor
    scaled = x * factor
    return jnp.where(factor == 0, jnp.zeros_like(scaled), scaled) if ignore_nan else scaled


def _combine(input: Array, product: Array, beta, alpha) -> Array:
    """``beta * input + alpha * product`` in the product's dtype, rounded to the input's."""
    shifted = _scale(input.astype(product.dtype), beta, ignore_nan=True)
    product = _scale(product, alpha)
    return (shifted | product if product.dtype == bool else shifted + product).astype(input.dtype)


@old_order("beta", "alpha")
def addmm(input: Array, mat1: Array, mat2: Array, *deprecated: Array, beta: Scalar = 1, alpha: Scalar = 1) -> Array:
    """``beta * input + alpha * (mat1 @ mat2)``; `input` is broadcast.

    Example:
        >>> addmm(jnp.ones(4), jnp.ones((2, 3)), jnp.ones((3, 4)))[0, 0]
        Array(4., dtype=float32)
    """
    for name, x in (("mat1", mat1), ("mat2", mat2)):
        if x.ndim != 2:
            raise RuntimeError(f"{name} must be a matrix, got {x.ndim}-D tensor")
    check_multipliable(mat1, mat2)
    check_addmm_dtypes(input, mat1, mat2)
    check_expandable(input, (mat1.shape[0], mat2.shape[1]))
    check_dtype("addmm_impl_cpu_", dtype_of(input), "ifhc")
    return _combine(input, contract(mat1, mat2, ((1,), (0,)), wide=True), beta, alpha)


@old_order("beta", "alpha")
def addmv(input: Array, mat: Array, vec: Array, *deprecated: Array, beta: Scalar = 1, alpha: Scalar = 1) -> Array:
    """``beta * input + alpha * (mat @ vec)``."""
    check_mv(mat, vec, input)
    return _combine(input, contract(mat, vec, ((1,), (0,)), wide=True), beta, alpha)


@old_order("beta", "alpha")
def addbmm(
    input: Array, batch1: Array, batch2: Array, *deprecated: Array, beta: Scalar = 1, alpha: Scalar = 1
) -> Array:
    """``beta * input + alpha * sum_i(batch1[i] @ batch2[i])``."""
    _wrap_third(batch2)
    check_expandable(input, (batch1.shape[1], batch2.shape[2]))
    _check_3d(batch1, batch2)
    if batch1.shape[0] != batch2.shape[0]:
        raise RuntimeError(
            f"batch1 and batch2 must have same number of batches, got {batch1.shape[0]} and {batch2.shape[0]}"
        )
    if batch1.shape[2] != batch2.shape[1]:
        (_, n, k), (_, j, m) = batch1.shape, batch2.shape
        raise RuntimeError(f"Incompatible matrix sizes for bmm ({n}x{k} and {j}x{m})")
    check_addmm_dtypes(input, batch1, batch2)
    check_dtype("addmm_impl_cpu_", dtype_of(input), "ifhc")
    return _combine(input, contract(batch1, batch2, ((0, 2), (0, 1)), wide=True), beta, alpha)


@old_order("beta", "alpha")
def baddbmm(
    input: Array, batch1: Array, batch2: Array, *deprecated: Array, beta: Scalar = 1, alpha: Scalar = 1
) -> Array:
    """``beta * input[i] + alpha * (batch1[i] @ batch2[i])`` for each matrix of a batch."""
    _wrap_third(batch2)
    check_expandable(input, (*batch1.shape[:2], batch2.shape[2]))
    if not input.dtype == batch1.dtype:
        names = f"input {cpp_name(input)}, batch1: {cpp_name(batch1)}, batch2: {cpp_name(batch2)}"
        raise RuntimeError(f"Input dtypes must be the same, got: {names}")
    _check_3d(batch1, batch2)
    if batch1.shape[0] != batch2.shape[0] or batch1.shape[2] != batch2.shape[1]:
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{batch1.shape[0]}, {batch1.shape[2]}] but got: [{batch2.shape[0]}, {batch2.shape[1]}]."
        )
    if batch1.dtype != batch2.dtype:
        raise RuntimeError(f"expected scalar type {scalar_name(batch1)} but found {scalar_name(batch2)}")
    check_dtype("baddbmm", dtype_of(input), "ifhc")
    return _combine(input, contract(batch1, batch2, ((2,), (1,)), ((0,), (0,)), wide=True), beta, alpha)


def _wrap_third(batch2: Array) -> None:
    if batch2.ndim < 3:
        n = batch2.ndim
        raise IndexError(f"Dimension out of range (expected to be in range of [-{n}, {n - 1}], but got 2)")


def _check_3d(batch1: Array, batch2: Array) -> None:
    for name, x in (("batch1", batch1), ("batch2", batch2)):
        if x.ndim != 3:
            raise RuntimeError(f"{name} must be a 3D tensor")


@old_order("beta", "alpha")
def addr(input: Array, vec1: Array, vec2: Array, *deprecated: Array, beta: Scalar = 1, alpha: Scalar = 1) -> Array:
    """``beta * input + alpha * outer(vec1, vec2)``, dtypes promoted."""
    for name, x in (("vec1", vec1), ("vec2", vec2)):
        if x.ndim != 1:
            raise RuntimeError(f"addr: Expected 1-D argument {name}, but got {x.ndim}-D")
    shape = (vec1.shape[0], vec2.shape[0])
    check_expandable(input, shape)
    input, vec1, vec2 = promote(input, vec1, vec2)
    for name, x in (("beta", beta), ("alpha", alpha)):
        if dtype_of(input).category < _dtypes.FLOATING and kind_of(x) in (float, complex):
            raise RuntimeError(f"For integral input tensors, argument {name} must not be a floating point number.")
    a, b = (x.astype(wide_type(x)) for x in (vec1, vec2))
    product = a[:, None] & b if a.dtype == bool else a[:, None] * b
    return _combine(jnp.broadcast_to(input, shape), product, beta, alpha)
