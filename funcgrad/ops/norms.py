"""Norms of vectors and matrices, and condition numbers: `torch.linalg.vector_norm`, `matrix_norm`, `norm`, `cond`.

See https://docs.pytorch.org/docs/stable/linalg.html#matrix-properties.
"""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp

from funcgrad import _dtypes
from funcgrad._errors import wrap_dim, wrap_dims
from funcgrad.ops._matrix_checks import check_float_or_complex, check_square, shape_list
from funcgrad.ops._number import Array, cast, dtype_of
from funcgrad.ops.linalg_basic import wide_type
from funcgrad.ops.solve import inv_ex
from funcgrad.ops.svd import svdvals


def vector_norm(x: Array, ord: float = 2, dim=None, keepdim: bool = False, *, dtype=None) -> Array:
    """``(sum |x|^p)^(1/p)`` over some dimensions, all of them by default, the array taken as one long vector.

    Args:
        ord: the power p; infinity and minus infinity give the largest and least absolute value, 0 counts non-zeros.
        dtype: convert the input first.

    Example:
        >>> vector_norm(jnp.array([3.0, 4.0]))
        Array(5., dtype=float32)
    """
    if not isinstance(ord, int | float | complex):
        where = " (position 2)" if isinstance(ord, str) else ""
        raise TypeError(f"linalg_vector_norm(): argument 'ord'{where} must be Number, not {type(ord).__name__}")
    check_float_or_complex("linalg.vector_norm", x, allow_low_precision=True)
    if isinstance(ord, complex):
        raise RuntimeError("linalg.vector_norm: Expected a non-complex scalar as the order of norm.")
    dims = tuple([dim] if isinstance(dim, int) else dim or ())
    axes = wrap_dims(dims, x.ndim) or tuple(range(x.ndim))
    _check_not_empty(x, ord, dims)
    x = _convert("linalg.vector_norm", x, dtype)
    result_dtype = dtype_of(x).to_real()
    x, axes, keepdim = (x, axes, keepdim) if x.ndim else (x[None], (0,), False)
    out = _vector_norm(x.astype(wide_type(x)), float(ord), axes, keepdim)
    return out.astype(result_dtype.numpy)


def _check_not_empty(x: Array, ord: float, dims: tuple[int, ...]) -> None:
    if x.size or not (ord < 0 or ord == math.inf):
        return
    name = f"linalg.vector_norm cannot compute the {ord} norm on "
    if not dims:
        raise RuntimeError(f"{name}an empty tensor because the operation does not have an identity")
    for d in dims:
        if not x.shape[d]:
            raise RuntimeError(
                f"{name}the dimension {d}because this dimension is empty and the operation does not have an identity"
            )


def _convert(name: str, x: Array, dtype) -> Array:
    """`x` as `dtype`, which must be of its kind and no narrower."""
    if dtype is None:
        return x
    own, new = dtype_of(x), _dtypes.to_dtype(dtype)
    if own.is_complex != new.is_complex or new.category < _dtypes.FLOATING:
        kind = "complex" if own.is_complex else "real"
        raise RuntimeError(f"{name}: dtype should be {kind} for {kind} inputs, but got {new.scalar_name}")
    if _dtypes.promote_types(own, new) is not new:
        raise RuntimeError(
            f"{name}: the dtype of the input ({own.scalar_name}) should be convertible without narrowing to the "
            f"specified dtype ({new.scalar_name})"
        )
    return cast(x, new)


@partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def _vector_norm(x: Array, p: float, axes: tuple[int, ...], keepdim: bool) -> Array:
    size = jnp.abs(x)
    if p == 0:
        return jnp.sum(size != 0, axis=axes, keepdims=keepdim, dtype=size.dtype)
    if p == math.inf:
        return jnp.max(size, axis=axes, keepdims=keepdim)
    if p == -math.inf:
        return jnp.min(size, axis=axes, keepdims=keepdim)
    if p == 1:
        return jnp.sum(size, axis=axes, keepdims=keepdim)
    if p == 2:
        return jnp.sqrt(jnp.sum(jnp.square(size), axis=axes, keepdims=keepdim))
    return jnp.power(jnp.sum(jnp.power(size, p), axis=axes, keepdims=keepdim), 1 / p)


@_vector_norm.defjvp
def _vector_norm_jvp(p: float, axes, keepdim: bool, primals, tangents):
    # PyTorch's subgradients: 0 where the norm or (for p < 2) the element is 0, and for infinite p equal shares to all
    # elements that attain the extremum.
    (x,), (dx,) = primals, tangents
    norm = _vector_norm(x, p, axes, keepdim)
    whole = norm if keepdim else jnp.expand_dims(norm, axes)
    size = jnp.abs(x)
    if p == 0:
        slope = jnp.zeros_like(x)
    elif math.isinf(p):
        attains = (size == whole) | jnp.isnan(whole)
        shares = jnp.sum(attains, axis=axes, keepdims=True, dtype=size.dtype)
        slope = jnp.where(attains, jnp.sign(x), 0) / shares
    elif p == 1:
        slope = jnp.sign(x)
    elif p == 2:
        slope = jnp.where(whole == 0, 0, x / jnp.where(whole == 0, 1, whole))
    else:
        zero = (size == 0) | (whole == 0)
        safe_size, safe_whole = jnp.where(zero, 1, size), jnp.where(whole == 0, 1, whole)
        slope = jnp.where(zero, 0, jnp.sign(x) * jnp.power(safe_size, p - 1)) / jnp.power(safe_whole, p - 1)
    return norm, jnp.sum(jnp.real(jnp.conj(slope) * dx), axis=axes, keepdims=keepdim)


def matrix_norm(A: Array, ord: float | str = "fro", dim=(-2, -1), keepdim: bool = False, *, dtype=None) -> Array:
    """A norm of each matrix of a batch.

    Args:
        ord: ``"fro"`` Frobenius; ``"nuc"`` sum of singular values; 2 and -2 the largest and least singular value; 1 and
            -1 the largest and least sum over a column of absolute values; infinity and minus infinity over a row.
        dim: the two dimensions of the matrices.
    """
    if not isinstance(ord, int | float | str):
        raise TypeError(
            "linalg_matrix_norm() received an invalid combination of arguments - got (Tensor, "
            f"{type(ord).__name__}), but expected a number or a string as ord"
        )
    _check_matrix_norm(A, ord)
    dims = _matrix_dims(A, dim)
    if isinstance(ord, str) and ord not in ("fro", "nuc"):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    if ord == "fro":
        return _renamed(lambda: vector_norm(A, 2, dim, keepdim, dtype=dtype))
    if ord == "nuc" or abs(ord) == 2:
        check_float_or_complex("linalg.matrix_norm", A)
        values = svdvals(jnp.moveaxis(_convert("linalg.matrix_norm", A, dtype), dims, (-2, -1)))
        if ord == -2 and not values.shape[-1]:
            raise IndexError("amin(): Expected reduction dim -1 to have non-zero size.")
        reduce = jnp.sum if ord == "nuc" else jnp.max if ord == 2 else jnp.min
        out = reduce(values, axis=-1, **({} if ord != 2 else {"initial": 0} if not values.shape[-1] else {}))
        return jnp.expand_dims(out, dims) if keepdim else out
    first, second = dims if abs(ord) == 1 else dims[::-1]
    sums = vector_norm(_convert("linalg.matrix_norm", A, dtype), 1, first, keepdim=True)
    reduce = jnp.max if ord > 0 else jnp.min
    out = reduce(sums, axis=second, keepdims=True, **({} if A.shape[second] or ord < 0 else {"initial": 0}))
    return out if keepdim else jnp.squeeze(out, dims)


def _renamed(norm) -> Array:
    try:
        return norm()
    except RuntimeError as e:
        raise RuntimeError(str(e).replace("linalg.vector_norm", "linalg.matrix_norm")) from None


def _check_matrix_norm(A: Array, ord) -> None:
    if A.ndim < 2:
        raise RuntimeError("linalg.matrix_norm: The input tensor A must have at least 2 dimensions.")
    check_float_or_complex("linalg.matrix_norm", A, allow_low_precision=True)
    if not isinstance(ord, str) and abs(ord) not in (1, 2, math.inf):
        shown = f"{ord:g}" if isinstance(ord, float) else ord
        raise RuntimeError(f"linalg.matrix_norm: Order {shown} not supported.")


def _matrix_dims(A: Array, dim) -> tuple[int, int]:
    if isinstance(dim, int):
        raise TypeError(
            "linalg_matrix_norm() received an invalid combination of arguments - got (Tensor, dim=int), but expected "
            "a tuple of two ints as dim"
        )
    if len(dim) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {' '.join(map(str, dim))}")
    first, second = (wrap_dim(d, A.ndim) for d in dim)
    if first == second:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({dim[0]}, {dim[1]})")
    return first, second


def norm(input: Array, ord: float | str | None = None, dim=None, keepdim: bool = False, *, dtype=None) -> Array:
    """`vector_norm` or `matrix_norm`, as `ord` and `dim` ask.

    Without `ord` the 2-norm of all elements; with `ord`, a vector norm over one dimension or a matrix norm over two.
    """
    dims = None if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if ord is not None or (dims is not None and len(dims) > 2):
        if dims is not None and len(dims) not in (1, 2):
            raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {shape_list(dims)}")
        if dims is None and input.ndim not in (1, 2):
            raise RuntimeError(
                f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {input.ndim}D."
            )
    if ord is None:
        return vector_norm(input, 2, dims, keepdim, dtype=dtype)
    if isinstance(ord, str) or (len(dims) if dims is not None else input.ndim) == 2:
        return matrix_norm(input, ord, dims if dims is not None else (-2, -1), keepdim, dtype=dtype)
    return vector_norm(input, ord, dims, keepdim, dtype=dtype)


def cond(A: Array, p: float | str | None = None) -> Array:
    """Condition number ``norm(A, p) * norm(inv(A), p)``; infinite for singular matrices.

    Args:
        p: a norm of `matrix_norm`; None and 2 mean the largest over the least singular value, -2 the inverse of that.
    """
    if A.ndim < 2:
        raise RuntimeError("linalg.cond: The input tensor must have at least 2 dimensions.")
    if (isinstance(p, str) and p not in ("fro", "nuc")) or (
        not isinstance(p, str | None) and abs(p) not in _COND_ORDERS
    ):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if not A.size:
        return jnp.zeros(A.shape[:-2], jnp.finfo(A.dtype).dtype)
    if p is None or p in (2, -2):
        values = svdvals(A)
        return values[..., -1] / values[..., 0] if p == -2 else values[..., 0] / values[..., -1]
    check_square(f"linalg.cond(ord={p})", A)
    inverse, info = inv_ex(A)
    # The product of an infinite inverse may be NaN.
    singular = (info > 0)[..., None, None]
    inverse = jnp.where(singular, jnp.inf, inverse)
    out = matrix_norm(A, p) * matrix_norm(inverse, p) if p != "nuc" else _nuclear_cond(A, inverse, info)
    return jnp.where(jnp.isnan(out), jnp.inf, out)


_COND_ORDERS = (1, 2, math.inf)


def _nuclear_cond(A: Array, inverse: Array, info: Array) -> Array:
    singular = info > 0
    safe = jnp.where(singular[..., None, None], jnp.eye(A.shape[-1], dtype=A.dtype), inverse)
    return jnp.where(singular, jnp.inf, matrix_norm(A, "nuc") * matrix_norm(safe, "nuc"))
