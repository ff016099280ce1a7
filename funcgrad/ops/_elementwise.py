"""What the elementwise array functions share: operands brought to one dtype and shape, and functions made in rows."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes, _errors
from funcgrad.ops import _number
from funcgrad.ops._arguments import checked
from funcgrad.ops._number import Array, as_array, cast, expand

HALVES = (_dtypes.float16, _dtypes.bfloat16)
HALF_BITS = {_dtypes.bfloat16: (8, 7), _dtypes.float16: (5, 10)}
"""Exponent and mantissa bits, for `lax.reduce_precision`."""
NUMERIC = "ihfc"
ALL = "biuhfc"
REAL = "bihf"


def is_half(x: Array) -> bool:
    return _dtypes.to_dtype(x.dtype) in HALVES


def in_float32(function: Callable) -> Callable:
    """Compute float16 and bfloat16 arrays in float32 and round once, as PyTorch's CPU kernels do.

    Only for functions of several operations: XLA already does this for each single one.
    """

    @functools.wraps(function)
    def rounded(*arrays: Array):
        if not is_half(arrays[0]):
            return function(*arrays)
        return cast(function(*[cast(x, _dtypes.float32) for x in arrays]), arrays[0].dtype)

    return rounded


def derivatives(*partials: Callable | None) -> Callable:
    """Give a function its derivative by each argument; ``partials[i](result, *arguments)``, ``None`` for zero.

    Used where PyTorch's convention (at ties, kinks, zeros) is not what `jax.vjp` of the formula would give.
    """

    def decorate(function):
        def times(partial):
            return lambda t, result, *arguments: t * partial(result, *arguments)

        with_jvp = jax.custom_jvp(function)
        with_jvp.defjvps(*[None if p is None else times(p) for p in partials])

        @functools.wraps(function)
        def call(*arrays):
            return with_jvp(*arrays) if jnp.issubdtype(arrays[0].dtype, jnp.inexact) else function(*arrays)

        return call

    return decorate


def shape_of(x) -> tuple[int, ...]:
    return () if _number.is_number(x) else x.shape


def operands(kernel: str, kinds: str, *xs, floating: bool = False) -> list[Array]:
    """`xs` (arrays and numbers; ``None`` stays) in PyTorch's common dtype and shape; its errors, in its order.

    Args:
        kernel: name of PyTorch's kernel, for the error about its missing dtypes.
        kinds: dtypes it has, as `_errors.check_dtype` takes them.
        floating: whether integers become the default floating dtype, as in true division.
    """
    shape = _errors.broadcast_shapes(*[shape_of(x) for x in xs if x is not None])
    d = common_dtype(*xs, floating=floating)
    _errors.check_dtype(kernel, d, kinds)
    return [None if x is None else expand(as_array(x, d), shape) for x in xs]


def common_dtype(*xs, floating: bool = False) -> _dtypes.dtype:
    d = _number.result_type(*xs)
    return _dtypes.default_dtype() if floating and d.category < _dtypes.FLOATING else d


def arithmetic_operands(kernel: str, kinds: str, *xs, floating: bool = False) -> tuple[list[Array], _dtypes.dtype]:
    """As `operands`, and the result's dtype; for halves all is in float32.

    Numbers and zero-dimensional operands then keep their float32 value instead of being rounded to a half first.
    """
    shape = _errors.broadcast_shapes(*[shape_of(x) for x in xs])
    d = common_dtype(*xs, floating=floating)
    _errors.check_dtype(kernel, d, kinds)
    if d not in HALVES:
        return [expand(as_array(x, d), shape) for x in xs], d
    precise = [x if shape_of(x) == () else as_array(x, d) for x in xs]
    return [expand(as_array(x, _dtypes.float32), shape) for x in precise], d


def float_operand(x: Array, kernel: str, kinds: str = ALL) -> Array:
    """One operand, integers and bools converted to the default floating dtype."""
    d = _dtypes.to_dtype(x.dtype)
    _errors.check_dtype(kernel, d, kinds)
    return cast(x, _dtypes.default_dtype()) if d.category < _dtypes.FLOATING else x


def document(function: Callable, path: str, summary: str, example: str, module: str) -> Callable:
    """Name a function made from a table row and give it a docstring; `example` is ``"argument -> result"``."""
    function.__name__ = function.__qualname__ = path.rpartition(".")[2]
    function.__module__ = module
    function.__doc__ = summary
    if example:
        call, _, result = example.partition(" -> ")
        function.__doc__ += f"\n\n    Example:\n        >>> {call}\n        {result}\n    "
    return checked(function, name=path.replace(".", "_"))


def float_function(module: str) -> Callable:
    """A maker of functions to floating point, one call a function, that belong to `module`."""

    def make(path: str, function: Callable, kernel: str, summary: str, example: str = "", kinds: str = ALL) -> Callable:
        def call(input: Array) -> Array:
            return function(float_operand(input, kernel, kinds))

        return document(call, path, summary, example, module)

    return make


def literal(x: Array, value) -> Array:
    """`value` as a zero-dimensional array of the dtype of `x`."""
    return jnp.asarray(value, x.dtype)


_MEGABYTE = 2**18  # float32 elements


def vectorized(x: Array) -> Array:
    """`x`, an operand of an elementwise op on arrays of one shape, so that XLA's CPU compiler vectorises the op's loop.

    It leaves a loop in which no scalar is broadcast unvectorised: a sum of two million-element arrays takes 0.47 ms so,
    and 0.17 times a 1 that it cannot see through; `rsqrt` 2.0 and 0.2, a product with its gradients 1.0 and 0.45.

    The operand is multiplied, not the result. Where a sum goes on to a reduction or a matrix product it is stored for
    it, and other readers of the sum find it there; of a multiplied result only the product would be stored, and every
    reader would add the branches of all residual blocks before it anew (a step of a GPT of four blocks 104 and 71 ms).
    """
    if x.size < _MEGABYTE or not jnp.issubdtype(x.dtype, jnp.floating) or jax.default_backend() != "cpu":
        return x
    return _times_one(x)


@jax.custom_jvp
def _times_one(x: Array) -> Array:
    return x * lax.optimization_barrier(jnp.ones((), x.dtype))


@_times_one.defjvp
def _(primals, tangents):
    return _times_one(*primals), tangents[0]
