"""JAX's primitives in NumPy: what `numpy_program` runs without compiling. One row a primitive.

A row is a function of arrays that takes the primitive's parameters by name. Sums may differ from XLA's in their last
digit, as the order of additions differs.

Source: https://docs.jax.dev/en/latest/jax.lax.html
"""

from __future__ import annotations

import functools

import jax
import numpy as np

from funcgrad.engine import numpy_gather


def _quotient(a, b):
    if a.dtype.kind not in "iu":
        return np.divide(a, b)
    found = np.floor_divide(a, b)
    found = found + ((found * b != a) & ((a < 0) != (b < 0))).astype(a.dtype)  # towards zero
    return np.where(b == 0, np.array(-1).astype(a.dtype), found)


def _remainder(a, b):
    return np.where(b == 0, a, np.fmod(a, b)) if a.dtype.kind in "iu" else np.fmod(a, b)


def _bits(x):
    return np.bitwise_count(x.view(f"u{x.itemsize}")).astype(x.dtype)  # NumPy counts those of the absolute value


def _bitcast(x, new_dtype):
    wide, narrow = x.itemsize, np.dtype(new_dtype).itemsize
    made = np.ascontiguousarray(x if wide == narrow or narrow > wide else x[..., None]).view(new_dtype)
    return made.reshape(x.shape[:-1]) if narrow > wide else made.reshape(x.shape) if wide == narrow else made


def _shift_right_logical(x, by):
    bits = f"u{x.itemsize}"
    return np.right_shift(x.view(bits), by.view(bits)).view(x.dtype)


def _convert(x, new_dtype, **_):
    if x.dtype.kind == "c" and np.dtype(new_dtype).kind not in "cb":
        x = x.real
    return x.astype(new_dtype)


def _round(x, rounding_method):
    to_even = rounding_method == jax.lax.RoundingMethod.TO_NEAREST_EVEN
    return np.rint(x) if to_even else np.trunc(x + np.copysign(np.asarray(0.5, x.dtype), x))


def _broadcast(x, shape, broadcast_dimensions, **_):
    aligned = [1] * len(shape)
    for dim, n in zip(broadcast_dimensions, x.shape):
        aligned[dim] = n
    return np.broadcast_to(np.reshape(x, aligned), shape)


def _reshape(x, new_sizes, dimensions, **_):
    return np.reshape(x if dimensions is None else np.transpose(x, dimensions), new_sizes)


def _iota(dtype, shape, dimension, **_):
    line = np.arange(shape[dimension], dtype=dtype)
    return _broadcast(line, shape, (dimension,))


def _slice(x, start_indices, limit_indices, strides):
    steps = strides or [1] * x.ndim
    return x[tuple(map(slice, start_indices, limit_indices, steps))]


def _window(x, starts, sizes):
    starts = [min(max(int(s), 0), n - size) for s, n, size in zip(starts, x.shape, sizes)]
    return tuple(slice(s, s + size) for s, size in zip(starts, sizes))


def _dynamic_slice(x, *starts, slice_sizes):
    return x[_window(x, starts, slice_sizes)]


def _dynamic_update_slice(x, update, *starts):
    made = x.copy()
    made[_window(x, starts, update.shape)] = update
    return made


def _pad(x, value, padding_config):
    grown = [
        max(lo, 0) + max(hi, 0) + n + max(n - 1, 0) * inside for n, (lo, hi, inside) in zip(x.shape, padding_config)
    ]
    made = np.full(grown, value, x.dtype)
    where = [slice(max(lo, 0), n - max(hi, 0), 1 + inside) for n, (lo, hi, inside) in zip(grown, padding_config)]
    if x.size:
        made[tuple(where)] = x
    return made[tuple(slice(max(-lo, 0), n - max(-hi, 0)) for n, (lo, hi, _) in zip(grown, padding_config))]


def _concatenate(*arrays, dimension):
    return np.concatenate(arrays, dimension)


def _split(x, sizes, axis):
    return np.split(x, np.cumsum(sizes[:-1], dtype=int), axis)


def _select(which, *cases):
    return np.where(which, cases[1], cases[0]) if which.dtype == bool else np.choose(which, cases)


def _dot(a, b, dimension_numbers, preferred_element_type, **_):
    (over_a, over_b), (batch_a, batch_b) = dimension_numbers
    free_a = [d for d in range(a.ndim) if d not in (*over_a, *batch_a)]
    free_b = [d for d in range(b.ndim) if d not in (*over_b, *batch_b)]
    shape = [a.shape[d] for d in (*batch_a, *free_a)] + [b.shape[d] for d in free_b]
    batch = [a.shape[d] for d in batch_a]
    inner = int(np.prod([a.shape[d] for d in over_a]))
    rows, columns = (int(np.prod([x.shape[d] for d in free])) for x, free in ((a, free_a), (b, free_b)))
    a = np.transpose(a, (*batch_a, *free_a, *over_a)).reshape(*batch, rows, inner)
    b = np.transpose(b, (*batch_b, *over_b, *free_b)).reshape(*batch, inner, columns)
    if preferred_element_type is not None:
        a, b = a.astype(preferred_element_type, copy=False), b.astype(preferred_element_type, copy=False)
    return np.matmul(a, b).reshape(shape)


def _reduction(ufunc, start):
    def reduce(x, axes, **_):
        return ufunc.reduce(x, axis=tuple(axes), dtype=x.dtype, initial=start(x.dtype))

    return reduce


def _lowest(dtype):
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min if dtype.kind in "iu" else False


def _highest(dtype):
    return np.inf if dtype.kind == "f" else np.iinfo(dtype).max if dtype.kind in "iu" else True


def _position(function):
    def find(x, axes, index_dtype):
        return function(x, axis=axes[0]).astype(index_dtype)

    return find


def _cumulative(ufunc):
    def accumulate(x, axis, reverse):
        if not reverse:
            return ufunc.accumulate(x, axis, dtype=x.dtype)
        return np.flip(ufunc.accumulate(np.flip(x, axis), axis, dtype=x.dtype), axis)

    return accumulate


def _sort(*arrays, dimension, num_keys, **_):
    order = np.lexsort(arrays[:num_keys][::-1], axis=dimension)
    return [np.take_along_axis(x, order, dimension) for x in arrays]


def _top_k(x, k, axis=-1, **_):
    x = np.moveaxis(x, axis, -1)
    order = x.shape[-1] - 1 - np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1][..., :k]
    values = np.take_along_axis(x, order, -1)
    return [np.moveaxis(values, -1, axis), np.moveaxis(order, -1, axis).astype(np.int32)]


def _plain(function):
    """A function that looks at no parameter of its primitive."""
    return lambda *arrays, **_: function(*arrays)


_PLAIN = {
    "abs": np.abs, "acos": np.arccos, "acosh": np.arccosh, "add": np.add, "add_any": np.add, "and": np.bitwise_and,
    "asin": np.arcsin, "asinh": np.arcsinh, "atan": np.arctan, "atan2": np.arctan2, "atanh": np.arctanh, "cbrt": np.cbrt,
    "ceil": np.ceil, "complex": lambda a, b: a + 1j * b, "conj": np.conj, "copy": np.array, "copy_p": np.array, "cos": np.cos,
    "cosh": np.cosh, "div": _quotient, "eq": np.equal, "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "floor": np.floor,
    "ge": np.greater_equal, "gt": np.greater, "imag": np.imag, "is_finite": np.isfinite, "le": np.less_equal, "log": np.log,
    "log1p": np.log1p, "logistic": lambda x: np.reciprocal(1 + np.exp(-x)), "lt": np.less, "max": np.maximum,
    "one_minus_square": lambda x: 1 - np.square(x),
    "min": np.minimum, "mul": np.multiply, "ne": np.not_equal, "neg": np.negative, "nextafter": np.nextafter,
    "not": np.invert, "or": np.bitwise_or, "population_count": _bits, "pow": np.power, "real": np.real, "rem": _remainder,
    "rsqrt": lambda x: np.reciprocal(np.sqrt(x)), "sign": np.sign, "shift_left": np.left_shift,
    "shift_right_logical": _shift_right_logical,
    "shift_right_arithmetic": np.right_shift, "sin": np.sin, "sinh": np.sinh, "sqrt": np.sqrt, "stop_gradient": lambda x: x,
    "square": np.square, "sub": np.subtract, "tan": np.tan, "tanh": np.tanh, "xor": np.bitwise_xor,
    "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high), "optimization_barrier": lambda *xs: list(xs),
}  # fmt: skip

TABLE = {name: _plain(function) for name, function in _PLAIN.items()} | {
    "argmax": _position(np.argmax),
    "argmin": _position(np.argmin),
    "bitcast_convert_type": _bitcast,
    "broadcast_in_dim": _broadcast,
    "concatenate": _concatenate,
    "convert_element_type": _convert,
    "cumlogsumexp": _cumulative(np.logaddexp),
    "cummax": _cumulative(np.maximum),
    "cummin": _cumulative(np.minimum),
    "cumprod": _cumulative(np.multiply),
    "cumsum": _cumulative(np.add),
    "dot_general": _dot,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "expand_dims": lambda x, dimensions: np.expand_dims(x, dimensions),
    "gather": numpy_gather.gather,
    "integer_pow": lambda x, y: np.square(x) if y == 2 else np.power(x, np.asarray(y, x.dtype)),
    "iota": _iota,
    "pad": _pad,
    "reduce_and": lambda x, axes, **_: np.bitwise_and.reduce(x, axis=tuple(axes)),
    "reduce_max": _reduction(np.maximum, _lowest),
    "reduce_min": _reduction(np.minimum, _highest),
    "reduce_or": lambda x, axes, **_: np.bitwise_or.reduce(x, axis=tuple(axes)),
    "reduce_prod": _reduction(np.multiply, lambda dtype: 1),
    "reduce_sum": _reduction(np.add, lambda dtype: 0),
    "reshape": _reshape,
    "rev": lambda x, dimensions: np.flip(x, dimensions),
    "round": _round,
    "scatter": numpy_gather.scatter(None),
    "scatter-add": numpy_gather.scatter(np.add),
    "scatter-max": numpy_gather.scatter(np.maximum),
    "scatter-min": numpy_gather.scatter(np.minimum),
    "scatter-mul": numpy_gather.scatter(np.multiply),
    "select_n": _select,
    "slice": _slice,
    "sort": _sort,
    "split": _split,
    "stack": lambda *arrays, axis=0, **_: np.stack(arrays, axis),
    "squeeze": lambda x, dimensions: np.squeeze(x, tuple(dimensions)),
    "top_k": _top_k,
    "unstack": lambda x, axis=0, **_: [np.take(x, i, axis) for i in range(x.shape[axis])],
    "transpose": lambda x, permutation: np.transpose(x, permutation),
}

_BY_XLA = {"erf", "erfc", "erf_inv", "lgamma", "digamma", "bessel_i0e", "bessel_i1e"}
"""Functions of one element that NumPy lacks."""


def find(primitive, params: dict):
    """The primitive with these parameters as a function of NumPy arrays; None if there is none."""
    if primitive.name in TABLE:
        return functools.partial(TABLE[primitive.name], **params)
    return _elementwise(primitive, params) if primitive.name in _BY_XLA else None


_compiled: dict = {}


def _elementwise(primitive, params: dict):
    """A function of one element, compiled for powers of two so that a new shape is rarely a compile."""
    if primitive.name not in _compiled:
        _compiled[primitive.name] = jax.jit(lambda x: primitive.bind(x, **params))
    compiled = _compiled[primitive.name]

    def function(x):
        line = np.zeros(1 << max(x.size - 1, 0).bit_length(), x.dtype)
        line[: x.size] = x.reshape(-1)
        return np.asarray(compiled(line))[: x.size].reshape(x.shape)

    return function
