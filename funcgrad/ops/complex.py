"""Complex numbers: their parts, their angle, and the views between real and complex.

https://docs.pytorch.org/docs/stable/complex_numbers.html
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes, _errors
from funcgrad.ops import _marks
from funcgrad.ops._arguments import checked
from funcgrad.ops._elementwise import derivatives, float_operand, literal
from funcgrad.ops._number import Array, broadcast


@_marks.view
@checked
def real(input: Array) -> Array:
    """The real part; a real `input` itself.

    Example:
        >>> torch.real(torch.tensor([1 + 2j]))
        tensor([1.])
    """
    return lax.real(input) if jnp.iscomplexobj(input) else input


@_marks.view
@checked
def imag(input: Array) -> Array:
    """The imaginary part of a complex tensor.

    Example:
        >>> torch.imag(torch.tensor([1 + 2j]))
        tensor([2.])
    """
    if not jnp.iscomplexobj(input):
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return lax.imag(input)


@_marks.view
@checked
def conj(input: Array) -> Array:
    """The complex conjugate; a real `input` itself.

    Example:
        >>> torch.conj(torch.tensor([1 + 2j]))
        tensor([1.-2.j])
    """
    return lax.conj(input) if jnp.iscomplexobj(input) else input


@checked
def conj_physical(input: Array) -> Array:
    """The complex conjugate, as `conj`."""
    return conj(input)


@checked
def resolve_conj(input: Array) -> Array:
    """A copy of a view of conjugates; any other `input` itself."""
    return input


@checked
def resolve_neg(input: Array) -> Array:
    """A copy of a view of negatives; any other `input` itself."""
    return input


@_marks.view
def _neg_view(input: Array) -> Array:
    """The negatives of `input`, as a view."""
    return lax.neg(input)


def _two_floats(first: Array, second: Array) -> None:
    a, b = _dtypes.to_dtype(first.dtype), _dtypes.to_dtype(second.dtype)
    allowed = (_dtypes.float16, _dtypes.float32, _dtypes.float64)
    if a not in allowed or b not in allowed:
        raise RuntimeError(
            f"Expected both inputs to be Half, Float or Double tensors but got {a.scalar_name} and {b.scalar_name}"
        )
    if a is not b:
        raise RuntimeError(
            f"Expected object of scalar type {a.scalar_name} but got scalar type {b.scalar_name} for second argument"
        )


@checked
def complex(real: Array, imag: Array) -> Array:
    """``real + 1j * imag``; both of one dtype, float32 or float64.

    Example:
        >>> torch.complex(torch.tensor([1.0]), torch.tensor([2.0]))
        tensor([1.+2.j])
    """
    _two_floats(real, imag)
    _no_complex32(real, "torch.complex")
    return lax.complex(*broadcast(real, imag))


@checked
def polar(abs: Array, angle: Array) -> Array:
    """``abs * cos(angle) + 1j * abs * sin(angle)``.

    Example:
        >>> torch.polar(torch.tensor([2.0]), torch.tensor([0.0]))
        tensor([2.+0.j])
    """
    _two_floats(abs, angle)
    r, phi = broadcast(abs, angle)
    _errors.check_dtype("polar_cpu", _dtypes.to_dtype(r.dtype), "f")
    return lax.complex(r * lax.cos(phi), r * lax.sin(phi))


@derivatives(lambda a, y, x: _over_square(x, x, y), lambda a, y, x: _over_square(-y, x, y))
def _argument(y: Array, x: Array) -> Array:
    return lax.atan2(y, x)


def _over_square(part: Array, x: Array, y: Array) -> Array:
    square = x * x + y * y
    return jnp.where(square == 0, literal(x, 0), part / square)


@checked
def angle(input: Array) -> Array:
    """The angle in radians: of a real number 0 or pi (gradient 0), NaN of NaN.

    Example:
        >>> torch.angle(torch.tensor([1j, -1 + 0j]))
        tensor([1.5708, 3.1416])
    """
    x = float_operand(input, "angle_cpu")
    if jnp.iscomplexobj(x):
        return _argument(lax.imag(x), lax.real(x))
    return jnp.where(jnp.isnan(x), literal(x, math.nan), jnp.where(x < 0, literal(x, math.pi), literal(x, 0)))


@_marks.view
@checked
def view_as_real(input: Array) -> Array:
    """A complex tensor as a real one with a last dimension of 2: real and imaginary part.

    Shape:
        ``(*)`` to ``(*, 2)``.

    Example:
        >>> torch.view_as_real(torch.tensor([1 + 2j]))
        tensor([[1., 2.]])
    """
    if not jnp.iscomplexobj(input):
        raise RuntimeError("view_as_real is only supported for complex tensors")
    return jnp.stack([lax.real(input), lax.imag(input)], axis=-1)


@_marks.view
@checked
def view_as_complex(input: Array) -> Array:
    """A real tensor whose last dimension has size 2 as a complex one.

    Shape:
        ``(*, 2)`` to ``(*)``.

    Example:
        >>> torch.view_as_complex(torch.tensor([[1.0, 2.0]]))
        tensor([1.+2.j])
    """
    d = _dtypes.to_dtype(input.dtype)
    if d not in (_dtypes.float16, _dtypes.float32, _dtypes.float64):
        raise RuntimeError(
            "view_as_complex is only supported for half, float and double tensors, "
            f"but got a tensor of scalar type: {d.scalar_name}"
        )
    if input.ndim == 0:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if input.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    _no_complex32(input, "torch.view_as_complex")
    return lax.complex(input[..., 0], input[..., 1])


def _no_complex32(x: Array, path: str) -> None:
    if x.dtype == jnp.float16:
        raise _errors.unsupported(path, "of float16, whose result would be complex32")
