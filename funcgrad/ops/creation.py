"""Tensors made of nothing but their sizes: zeros, ones, full, arange, linspace, eye and their kin.

Sizes, and the numbers that decide one, are static; `full`'s value and the ends of `linspace` are run-time inputs. The
keywords ``layout``, ``device``, ``requires_grad`` and so on are the engine's business and ignored here. See
https://docs.pytorch.org/docs/stable/torch.html#creation-ops.
"""

from __future__ import annotations

import math
import operator

import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import check_dtype
from funcgrad.ops import _marks
from funcgrad.ops._number import Array, Scalar, as_array, cast, dtype_of, is_number, kind_of
from funcgrad.ops._positions import check_value
from funcgrad.ops._sizes import as_tuple, check_size, sizes_from

_OPTIONS = {"layout", "device", "requires_grad", "pin_memory", "memory_format", "names"}


def _dtype(dtype, default=None) -> _dtypes.dtype:
    return (default or _dtypes.default_dtype()) if dtype is None else _dtypes.to_dtype(dtype)


def _sizes(name: str, size: tuple, options: dict) -> tuple[int, ...]:
    """The sizes of ``zeros(2, 3)``, ``zeros((2, 3))`` or ``zeros(size=(2, 3))``."""
    if "size" in options:
        size = (options["size"],)
    unknown = options.keys() - _OPTIONS - {"size"}
    if unknown:
        raise TypeError(f"{name}() got an unexpected keyword argument '{min(unknown)}'")
    return sizes_from(size, name)


def _value(value, like: Array) -> Array:
    check_value(value, like)
    return as_array(value, like.dtype)


# -- one value everywhere ---------------------------------------------------------------------------------------------


def zeros(*size, dtype=None, **options):
    """Zeros of the given sizes.

    Example:
        >>> torch.zeros(2, 3)
        tensor([[0., 0., 0.],
                [0., 0., 0.]])
    """
    sizes = _sizes("zeros", size, options)
    if any(n < 0 for n in sizes):
        raise RuntimeError("zeros: Dimension size must be non-negative.")
    return jnp.zeros(sizes, _dtype(dtype).numpy)


def ones(*size, dtype=None, **options):
    """Ones of the given sizes."""
    return jnp.ones(check_size(_sizes("ones", size, options)), _dtype(dtype).numpy)


def empty(*size, dtype=None, **options):
    """Zeros of the given sizes: what an uninitialised tensor holds here."""
    return jnp.zeros(check_size(_sizes("empty", size, options)), _dtype(dtype).numpy)


def empty_strided(size, stride, *, dtype=None, **options):
    """Zeros of the given sizes; strides are not kept."""
    size, stride = as_tuple(size), as_tuple(stride)
    if len(size) != len(stride):
        raise RuntimeError(
            f"dimensionality of sizes ({len(size)}) must match dimensionality of strides ({len(stride)})"
        )
    return jnp.zeros(check_size(size), _dtype(dtype).numpy)


def empty_permuted(size, physical_layout, *, dtype=None, **options):
    """Zeros of the given sizes; the order of dimensions in memory is not kept."""
    size, order = as_tuple(size), as_tuple(physical_layout)
    if len(size) != len(order):
        raise RuntimeError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = "
            f"{len(size)} is not equal to len(physical_layout) = {len(order)}"
        )
    for d in order:
        if not 0 <= d < len(size):
            raise RuntimeError(f"Dimension out of range (expected to be between 0 and {len(size) - 1}, but got {d})")
    if len(set(order)) != len(order):
        raise RuntimeError("Duplicate dim not allowed")
    return jnp.zeros(check_size(size), _dtype(dtype).numpy)


def full(size, fill_value: Array | Scalar, *, dtype=None, **options):
    """`fill_value` everywhere; its kind decides the dtype: bool, int64, the default float or complex dtype.

    Example:
        >>> torch.full((2,), 3)
        tensor([3, 3])
    """
    if not hasattr(size, "__iter__"):
        raise TypeError(f"full(): argument 'size' (position 1) must be tuple of ints, not {type(size).__name__}")
    like = jnp.zeros((), _dtype(dtype, dtype_of(fill_value)).numpy)
    return jnp.broadcast_to(_value(fill_value, like), check_size(sizes_from((size,), "full")))


def scalar_tensor(s: Scalar, *, dtype=None, **options):
    """A number as a tensor without dimensions, of the default dtype unless given."""
    return _value(s, jnp.zeros((), _dtype(dtype).numpy))


def _check_like(name: str, input) -> None:
    if not hasattr(input, "shape"):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")


def zeros_like(input: Array, *, dtype=None, **options):
    """Zeros of the shape, and unless given the dtype, of `input`."""
    _check_like("zeros_like", input)
    return jnp.zeros(input.shape, _dtype(dtype, dtype_of(input)).numpy)


def ones_like(input: Array, *, dtype=None, **options):
    """Ones of the shape, and unless given the dtype, of `input`."""
    _check_like("ones_like", input)
    return jnp.ones(input.shape, _dtype(dtype, dtype_of(input)).numpy)


def empty_like(input: Array, *, dtype=None, **options):
    """Zeros of the shape, and unless given the dtype, of `input`."""
    _check_like("empty_like", input)
    return zeros_like(input, dtype=dtype)


def full_like(input: Array, fill_value: Array | Scalar, *, dtype=None, **options):
    """`fill_value` in the shape, and unless given the dtype, of `input`."""
    _check_like("full_like", input)
    return full(input.shape, fill_value, dtype=_dtype(dtype, dtype_of(input)))


def new_zeros(input: Array, *size, dtype=None, **options):
    """Zeros of the dtype of `input` unless given."""
    return zeros(*size, dtype=_dtype(dtype, dtype_of(input)), **options)


def new_ones(input: Array, *size, dtype=None, **options):
    """Ones of the dtype of `input` unless given."""
    return ones(*size, dtype=_dtype(dtype, dtype_of(input)), **options)


def new_empty(input: Array, *size, dtype=None, **options):
    """Zeros of the dtype of `input` unless given."""
    return empty(*size, dtype=_dtype(dtype, dtype_of(input)), **options)


def new_empty_strided(input: Array, size, stride, *, dtype=None, **options):
    """Zeros of the dtype of `input` unless given; strides are not kept."""
    return empty_strided(size, stride, dtype=_dtype(dtype, dtype_of(input)))


def new_full(input: Array, size, fill_value: Array | Scalar, *, dtype=None, **options):
    """`fill_value` everywhere, in the dtype of `input` unless given."""
    return full(size, fill_value, dtype=_dtype(dtype, dtype_of(input)))


def clone(input: Array, *, memory_format=None):
    """A copy of `input`."""
    return input


def contiguous(input: Array, memory_format=None):
    """`input`: arrays have no strides here."""
    return input


# -- ranges -----------------------------------------------------------------------------------------------------------


def _bounds(start, end) -> tuple:
    """``arange(end)`` counts from 0."""
    if start is None and end is None:
        raise TypeError("arange() received an invalid combination of arguments - got ()")
    return (0, start) if end is None else (0 if start is None else start, end)


def _plain(x, name: str):
    """A number, possibly a tensor's, as Python's."""
    x = x.item() if hasattr(x, "item") else x
    if isinstance(x, str) or not isinstance(x, bool | int | float | complex):
        raise TypeError(f"arange(): argument '{name}' (position 1) must be Number, not {type(x).__name__}")
    if isinstance(x, complex):
        raise RuntimeError("value cannot be converted to type double without overflow")
    return x


def _range_length(start, end, step, extra: int) -> int:
    if not step or step != step:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if extra:
        return math.floor((end - start) / step) + 1
    if isinstance(start, int) and isinstance(end, int) and isinstance(step, int):
        return -(-(end - start) // step)
    return math.ceil((end - start) / step)


def _range(name: str, start, end, step, dtype, extra: int = 0) -> Array:
    check_dtype(name, dtype, "ihf")
    length, wide = _range_length(start, end, step, extra), np.float64 if dtype.is_floating_point else np.int64
    if dtype.category == _dtypes.INTEGER:
        start, end, step = int(start), int(end), int(step)
        if dtype is _dtypes.int64 and not step:
            raise ValueError("step must be nonzero")
        if dtype is _dtypes.int64:  # whose length alone PyTorch works out from whole numbers
            length = _range_length(start, end, step, extra)
    # In double precision, whatever the dtype, as PyTorch does.
    at = lax.broadcasted_iota(wide, (length,), 0)
    return cast(jnp.asarray(start, wide) + at * jnp.asarray(step, wide), dtype)


def _rewrite_arange(start=None, end=None, step=1, *, dtype=None, **options):
    numbers = [None if x is None else _plain(x, n) for x, n in ((start, "end"), (end, "end"), (step, "step"))]
    if not any(hasattr(x, "dtype") for x in (start, end, step)):
        return None
    return arange, tuple(numbers), {"dtype": dtype, **options}


@_marks.depends_on_values("start", "end", "step", rewrite=_rewrite_arange)
def arange(start=None, end=None, step=1, *, dtype=None, **options):
    """``start, start + step, ...`` up to but without `end`; int64 unless one of them is a float.

    Raises:
        RuntimeError: `step` is zero or leads away from `end`.

    Example:
        >>> torch.arange(1, 7, 2)
        tensor([1, 3, 5])
    """
    start, end = (_plain(x, "end") for x in _bounds(start, end))
    step = _plain(step, "step")
    floating = any(isinstance(x, float) for x in (start, end, step))
    return _range("arange_cpu", start, end, step, _dtype(dtype, None if floating else _dtypes.int64))


def range(start=0, end=None, step=1, *, dtype=None, **options):
    """As `arange`, `end` included, of the default dtype."""
    start, end = (0, start) if end is None else (start, end)
    return _range("range_cpu", _plain(start, "start"), _plain(end, "end"), _plain(step, "step"), _dtype(dtype), 1)


def _ends(name: str, start, end, steps, dtype) -> tuple[Array, Array, int, _dtypes.dtype]:
    """Both ends in the dtype to compute in, the number of steps, and the result's dtype."""
    if not all(is_number(x) or not x.ndim for x in (start, end)):
        a, b = (0 if is_number(x) else x.ndim for x in (start, end))
        raise RuntimeError(
            f"{name} only supports 0-dimensional start and end tensors, but got start with {a} dimension(s) and end "
            f"with {b} dimension(s)."
        )
    if isinstance(steps, float):
        kinds = ", ".join(kind_of(x).__name__ if is_number(x) else "Tensor" for x in (start, end))
        raise TypeError(f"{name}() received an invalid combination of arguments - got ({kinds}, float)")
    steps = operator.index(steps)
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    complexes = any(dtype_of(x).is_complex for x in (start, end))
    d = _dtype(dtype, _dtypes.default_complex() if complexes else None)
    if complexes and not d.is_complex:
        inferred = "double" if _dtypes.default_complex() is _dtypes.complex128 else "float"
        raise RuntimeError(
            f"torch.{name}(): inferred dtype c10::complex<{inferred}> can't be safely cast to passed dtype {d.scalar_name}"
        )
    check_dtype(f"{name}_cpu", d, "ihfc")
    # Integer ends are whole numbers, the steps between them need not be.
    wide = {_dtypes.INTEGER: _dtypes.float64}.get(d.category, _dtypes.float32 if d.itemsize == 2 else d)
    first, last = (cast(as_array(x, d), wide) for x in (start, end))
    return first, last, steps, d


def _spaced(first: Array, last: Array, steps: int) -> Array:
    """Equal steps, counted from both ends towards the middle so that both are met exactly.

    PyTorch multiplies and adds in one rounding; for single precision, double precision gives the same.
    """
    if steps < 2:
        return jnp.broadcast_to(first, (steps,))
    step = (last - first) / lax.optimization_barrier(jnp.asarray(steps - 1, first.dtype))  # no product with 1 / n
    wide = jnp.complex128 if jnp.iscomplexobj(first) else jnp.float64
    first, last, step = (x.astype(wide) for x in (first, last, step))
    at = lax.broadcasted_iota(jnp.int64, (steps,), 0)
    from_first, from_last = first + step * at.astype(wide), last - step * (steps - 1 - at).astype(wide)
    return jnp.where(at < steps // 2, from_first, from_last)


def linspace(start: Array | Scalar, end: Array | Scalar, steps, *, dtype=None, **options):
    """`steps` numbers from `start` to `end`, equally spaced.

    Raises:
        RuntimeError: `steps` is negative.

    Example:
        >>> torch.linspace(0, 1, 5)
        tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    first, last, steps, d = _ends("linspace", start, end, steps, dtype)
    return cast(_spaced(first, last, steps), d)


def logspace(start: Array | Scalar, end: Array | Scalar, steps, base: Scalar = 10.0, *, dtype=None, **options):
    """`base` to the power of `steps` numbers from `start` to `end`, equally spaced."""
    first, last, steps, d = _ends("logspace", start, end, steps, dtype)
    powers = _spaced(first, last, steps).astype(first.dtype)
    return cast(as_array(base, powers.dtype) ** powers, d)


# -- matrices ---------------------------------------------------------------------------------------------------------


def eye(n, m=None, *, dtype=None, **options):
    """Ones on the diagonal, `n` rows and `m` (else `n`) columns.

    Raises:
        RuntimeError: a negative size.
    """
    m = n if m is None else m
    for name, size in (("n", n), ("m", m)):
        if size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    return jnp.eye(n, m, dtype=_dtype(dtype).numpy)


def vander(x: Array, N=None, increasing=False):
    """The powers 0 to `N` - 1 of each element as a row, the highest first unless `increasing`.

    Raises:
        RuntimeError: `x` is no vector.
    """
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = x.size if N is None else N
    if n < 0:
        raise RuntimeError("N must be non-negative.")
    x = x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.int64)
    if not n:
        return jnp.zeros((x.size, 0), x.dtype)
    factors = jnp.broadcast_to(x[:, None], (x.size, n - 1))
    powers = lax.concatenate([jnp.ones((x.size, 1), x.dtype), lax.cumprod(factors, axis=1)], 1)
    return powers if increasing else lax.rev(powers, (1,))
