"""Python numbers inside compiled programs, and PyTorch's type promotion over arrays and numbers.

A Python number that reaches an op is an input of the compiled program, not a constant, so that a changed learning
rate compiles nothing. Inside the program it arrives as a `Number`: a zero-dimensional array that remembers that it
was a Python ``bool``, ``int``, ``float`` or ``complex`` and promotes like one.
"""

from __future__ import annotations

import operator
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes, _errors

Array: TypeAlias = jax.Array


class Number:
    """A Python number whose value the program is given at run time.

    Attributes:
        value: zero-dimensional array of the widest dtype of its kind (bool, int64, float64, complex128).
        kind: the Python type it stands for.

    Arithmetic with an array casts the number to the dtype PyTorch would compute in.
    """

    __slots__ = ("kind", "value")

    def __init__(self, value: Array, kind: type):
        self.value = value
        self.kind = kind

    def _binary(self, other, function, swap: bool):
        if isinstance(other, Number | bool | int | float | complex):
            x, y = self.value, as_array(other)
            kind = type(self.kind(0) + kind_of(other)(0))
            return Number(function(y, x) if swap else function(x, y), kind)
        x, y = promote(self, other)
        return function(y, x) if swap else function(x, y)

    def __neg__(self):
        return Number(-self.value, self.kind)

    def __getattr__(self, name):
        raise AttributeError(f"a Python number given at run time has no {name!r}: use as_array(number, dtype)")

    def __bool__(self):
        raise TypeError("a Python number given at run time cannot decide a branch: annotate the parameter as static")


def _install_operators() -> None:
    for name in ("add", "sub", "mul", "truediv", "pow"):
        function = getattr(operator, name)
        setattr(Number, f"__{name}__", lambda self, other, f=function: self._binary(other, f, swap=False))
        setattr(Number, f"__r{name}__", lambda self, other, f=function: self._binary(other, f, swap=True))


_install_operators()
jax.tree_util.register_pytree_node(Number, lambda n: ((n.value,), n.kind), lambda kind, values: Number(*values, kind))

Scalar: TypeAlias = bool | int | float | complex | Number
"""A parameter so annotated takes a Python number as a run-time input; every other number is static."""


def is_number(x) -> bool:
    """Whether `x` promotes as a Python number does."""
    return isinstance(x, Number | bool | int | float | complex)


def kind_of(x) -> type:
    return x.kind if isinstance(x, Number) else type(x)


def as_array(x, dtype=None) -> Array:
    """`x` (array or number) as an array, of `dtype` if given."""
    if isinstance(x, Number):
        x = x.value
    elif is_number(x):
        x = jnp.asarray(
            x, _dtypes.to_numpy({bool: bool, int: _dtypes.int64, float: _dtypes.float64}.get(type(x), complex))
        )
    return x if dtype is None else cast(x, dtype)


def dtype_of(x) -> _dtypes.dtype:
    """PyTorch's dtype of an array, or the dtype a bare number would give a result."""
    return _dtypes.number_dtype(kind_of(x)) if is_number(x) else _dtypes.to_dtype(x.dtype)


def result_type(*operands) -> _dtypes.dtype:
    """The dtype PyTorch computes in, given arrays and numbers; ``None`` operands are ignored."""
    dims, zeros, numbers = [], [], []
    for x in operands:
        if x is None:
            continue
        if is_number(x):
            numbers.append(kind_of(x))
        else:
            (dims if x.ndim else zeros).append(_dtypes.to_dtype(x.dtype))
    return _dtypes.result_type(dims, zeros, numbers)


def promote(*operands) -> list:
    """All operands as arrays of PyTorch's common dtype (``None`` stays ``None``)."""
    d = result_type(*operands)
    return [None if x is None else as_array(x, d) for x in operands]


def promote_float(*operands) -> list:
    """As `promote`, with integers and bools converted to the default floating dtype (true division, sin, exp, ...)."""
    d = result_type(*operands)
    if d.category < _dtypes.FLOATING:
        d = _dtypes.default_dtype()
    return [None if x is None else as_array(x, d) for x in operands]


def cast(x: Array, dtype) -> Array:
    """Convert as ``Tensor.to(dtype)`` does: truncation towards zero, non-zero is True, imaginary parts dropped."""
    d = _dtypes.to_numpy(dtype)
    if x.dtype == d:
        return x
    if jnp.issubdtype(x.dtype, jnp.complexfloating) and not jnp.issubdtype(d, jnp.complexfloating):
        return x != 0 if d.kind == "b" else cast(jnp.real(x), dtype)
    if jnp.issubdtype(x.dtype, jnp.floating) and (d.kind == "i" or d == np.uint8):
        return _truncated(x, d)
    if jnp.issubdtype(x.dtype, jnp.floating) and d.kind == "u" and d.itemsize < 8:
        return x.astype(jnp.int64).astype(d)
    return x.astype(d)


def _truncated(x: Array, d) -> Array:
    """Floats as integers, as x86's instructions have it: what int32 (int64) cannot hold is its least value.

    XLA saturates instead. Narrower types keep the low bits of the int32.
    """
    wide = np.dtype("int64" if d.itemsize == 8 else "int32")
    x = x if x.dtype.itemsize > 2 else x.astype(jnp.float32)
    end = 2.0 ** (8 * wide.itemsize - 1)
    inside = (x >= jnp.asarray(-end, x.dtype)) & (x < jnp.asarray(end, x.dtype))
    return jnp.where(inside, x.astype(wide), jnp.asarray(np.iinfo(wide).min, wide)).astype(d)


def expand(x: Array, shape: tuple[int, ...]) -> Array:
    """`x` broadcast to `shape`, which must be one it broadcasts to."""
    if x.shape == shape:
        return x
    return lax.broadcast_in_dim(x, shape, tuple(range(len(shape) - x.ndim, len(shape))))


def broadcast(*operands) -> list:
    """Arrays expanded to their common shape (``None`` stays ``None``), with PyTorch's error if they have none.

    The explicit expansion lets the caller use `jax.lax` operations, which trace faster than `jax.numpy`'s.
    """
    shape = _errors.broadcast_shapes(*[x.shape for x in operands if x is not None])
    return [None if x is None else expand(x, shape) for x in operands]
