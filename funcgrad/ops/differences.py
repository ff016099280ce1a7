"""Differences and numerical derivatives and integrals of sampled functions.

See https://docs.pytorch.org/docs/stable/generated/torch.gradient.html
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes
from funcgrad.ops._axes import many_axes, numpy_names, one_axis
from funcgrad.ops._number import Array, Scalar, broadcast, cast, dtype_of, is_number, kind_of, promote, promote_float
from funcgrad.ops._reduce import total
from funcgrad.ops.cumulative import cumsum


def _part(x: Array, start: int, stop: int, axis: int) -> Array:
    """``x[start:stop]`` along `axis`; a negative `stop` counts from the end."""
    n = x.shape[axis]
    return lax.slice_in_dim(x, min(start, n), max(start, stop if stop >= 0 else n + stop), axis=axis)


def _join(input: Array, prepend: Array | None, append: Array | None, axis: int) -> Array:
    for x in (prepend, append):
        if x is None:
            continue
        if x.ndim != input.ndim:
            raise RuntimeError("diff expects prepend or append to be the same dimension as input")
        for i, (a, b) in enumerate(zip(input.shape, x.shape)):
            if i != axis and a != b:
                raise RuntimeError(
                    "diff expects the shape of tensor to prepend or append to match that of input except along the "
                    f"differencing dimension; input.size({i}) = {a}, but got tensor.size({i}) = {b}"
                )
    parts = [x for x in (prepend, input, append) if x is not None]
    return lax.concatenate(promote(*parts), axis) if len(parts) > 1 else input


@numpy_names
def diff(input: Array, n=1, dim=-1, prepend: Array | None = None, append: Array | None = None) -> Array:
    r"""The `n`-th forward differences along `dim`: :math:`y_i = x_{i+1} - x_i`, repeated; exclusive or for bools.

    Args:
        prepend, append: values to put before and after `input` along `dim`.

    Example:
        >>> torch.diff(torch.tensor([1, 3, 2]))
        tensor([ 2, -1])
    """
    if not input.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    axis = one_axis("diff", dim, input.ndim)
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    joined = _join(input, prepend, append, axis)
    if n == 0:
        return input
    for _ in range(min(n, joined.shape[axis])):
        upper, lower = _part(joined, 1, joined.shape[axis], axis), _part(joined, 0, -1, axis)
        joined = upper != lower if joined.dtype == bool else upper - lower
    return joined


# -- trapezoids -------------------------------------------------------------------------------------------------------


def _panels(name: str, y: Array, x: Array | None, dx: Scalar | None, axis: int) -> Array:
    """Twice the area of each trapezoid."""
    if dtype_of(y).category == _dtypes.BOOL:
        raise RuntimeError(f"{name}: received a bool input for `y`, but bool is not supported")
    if not y.shape[axis]:
        upper = lower = y
    else:
        upper, lower = _part(y, 1, y.shape[axis], axis), _part(y, 0, -1, axis)
    if x is None:
        dx = 1 if dx is None else dx
        if is_number(dx) and kind_of(dx) in (bool, complex):
            raise RuntimeError(f"{name}: Currently, we only support dx as a real number.")
        heights, width = promote_float(upper + lower, dx)
        return heights * width
    if dx is not None:
        raise TypeError(f"{name}() received an invalid combination of arguments - got both x and dx")
    if dtype_of(x).category == _dtypes.BOOL:
        raise RuntimeError(f"{name}: received a bool input for `x`, but bool is not supported")
    heights, widths = broadcast(*promote_float(upper + lower, _widths(name, y, x, axis)))
    return heights * widths


def _widths(name: str, y: Array, x: Array, axis: int) -> Array:
    if x.ndim == 1 and y.ndim != 1:
        if x.shape[0] != y.shape[axis]:
            raise RuntimeError(f"{name}: There must be one `x` value for each sample point")
        x = x.reshape(tuple(-1 if i == axis else 1 for i in range(y.ndim)))
    elif x.ndim < y.ndim:
        x = x.reshape((1,) * (y.ndim - x.ndim) + x.shape)
    axis = axis - y.ndim
    if not x.shape[axis]:
        return x
    return _part(x, 1, x.shape[axis], axis + x.ndim) - _part(x, 0, -1, axis + x.ndim)


@numpy_names
def trapezoid(y: Array, x: Array | None = None, *, dx: Scalar | None = None, dim=-1) -> Array:
    r"""The integral of `y` along `dim` by the trapezoidal rule: :math:`\sum_i \frac{y_i + y_{i+1}}{2} \Delta_i`.

    Args:
        x: where `y` was sampled; otherwise the samples are `dx` (1) apart.

    Example:
        >>> torch.trapezoid(torch.tensor([1., 2., 3.]), dx=2)
        tensor(8.)
    """
    if not y.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    axis = one_axis("trapezoid", dim, y.ndim)
    if not y.shape[axis]:
        return jnp.zeros(y.shape[:axis] + y.shape[axis + 1 :], y.dtype)
    return total(_panels("trapezoid", y, x, dx, axis), (axis,)) / 2


@numpy_names
def trapz(y: Array, x: Array | None = None, *, dx: Scalar | None = None, dim=-1) -> Array:
    """`trapezoid` by its older name.

    Example:
        >>> torch.trapz(torch.tensor([1., 2., 3.]))
        tensor(4.)
    """
    return trapezoid(y, x, dx=dx, dim=dim)


@numpy_names
def cumulative_trapezoid(y: Array, x: Array | None = None, *, dx: Scalar | None = None, dim=-1) -> Array:
    """The running integral of `y` along `dim` by the trapezoidal rule; see `trapezoid`.

    Example:
        >>> torch.cumulative_trapezoid(torch.tensor([1., 2., 3.]))
        tensor([1.5000, 4.0000])
    """
    if not y.ndim:
        raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    axis = one_axis("cumulative_trapezoid", dim, y.ndim)
    return cumsum(_panels("cumulative_trapezoid", y, x, dx, axis) / 2, axis)


# -- gradient ---------------------------------------------------------------------------------------------------------


def _spacings(input: Array, spacing, axes: tuple[int, ...], dim_given: bool) -> list:
    """One spacing for each axis: a number or zero-dimensional array, or an array of coordinates."""
    if not isinstance(spacing, list | tuple):
        return [spacing] * len(axes)
    if len(spacing) != len(axes):
        if dim_given:
            raise RuntimeError(
                "torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim arguments to have "
                f"the same length, but got a spacing argument of length {len(spacing)} and a dim argument of length "
                f"{len(axes)}."
            )
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to 'self.dim() = "
            f"{input.ndim}', since dim argument was not given, but got a list of length {len(spacing)}"
        )
    for s in spacing:
        if not is_number(s) and s.ndim != 1:
            raise RuntimeError(
                "torch.gradient expected each element of spacing to have one dimension, but got an element with "
                f"{s.ndim} dimensions!"
            )
    return list(spacing)


def _even(f: Array, h, axis: int, edge_order: int) -> Array:
    """The derivative from samples `h` apart."""
    n = f.shape[axis]
    inner = (_part(f, 2, n, axis) - _part(f, 0, -2, axis)) / 2
    at = [_part(f, i, i + 1, axis) for i in (0, 1, 2 % n, n - 3, n - 2, n - 1) if i >= 0]
    if edge_order == 1:
        first, last = at[1] - at[0], at[-1] - at[-2]
    else:
        first = (-3 * at[0] + 4 * at[1] - at[2]) / 2
        last = (3 * at[-1] - 4 * at[-2] + at[-3]) / 2
    out, h = promote(lax.concatenate([cast(first, inner.dtype), inner, cast(last, inner.dtype)], axis), h)
    return out / h


def _uneven(f: Array, coordinates: Array, axis: int, edge_order: int) -> Array:
    """The derivative from samples at `coordinates`."""
    f, coordinates = promote(f, coordinates)
    steps = coordinates[1:] - coordinates[:-1]
    steps = steps.reshape(tuple(-1 if i == axis else 1 for i in range(f.ndim)))
    n, m = f.shape[axis], steps.shape[axis]
    left, right = _part(steps, 0, -1, axis), _part(steps, 1, m, axis)
    inner = (
        -right / (left * (left + right)) * _part(f, 0, -2, axis)
        + (right - left) / (left * right) * _part(f, 1, -1, axis)
        + left / (right * (left + right)) * _part(f, 2, n, axis)
    )
    ends = [_end(f, steps, axis, edge_order, last) for last in (False, True)]
    return lax.concatenate([ends[0], inner, ends[1]], axis)


def _end(f: Array, steps: Array, axis: int, edge_order: int, last: bool) -> Array:
    """The one-sided derivative at the first or last sample."""
    n, m = f.shape[axis], steps.shape[axis]
    if last:
        f0, f1, f2 = (_part(f, max(i, 0), max(i, 0) + 1, axis) for i in (n - 1, n - 2, n - 3))
        h1, h2 = (_part(steps, max(i, 0), max(i, 0) + 1, axis) for i in (m - 1, m - 2))
    else:
        f0, f1, f2 = (_part(f, min(i, n - 1), min(i, n - 1) + 1, axis) for i in (0, 1, 2))
        h1, h2 = (_part(steps, min(i, m - 1), min(i, m - 1) + 1, axis) for i in (0, 1))
    if edge_order == 1:
        return (f0 - f1) / h1 if last else (f1 - f0) / h1
    out = -(2 * h1 + h2) / (h1 * (h1 + h2)) * f0 + (h1 + h2) / (h1 * h2) * f1 - h1 / (h2 * (h1 + h2)) * f2
    return -out if last else out


@numpy_names
def gradient(
    input: Array,
    *,
    spacing: Array | Scalar | Sequence[Scalar] | Sequence[Array] = 1,
    dim=None,
    edge_order=1,
) -> tuple[Array, ...]:
    r"""The derivative of a sampled function along each of `dim` (all dimensions if not given), as a tuple.

    Inside, the second-order central difference :math:`\frac{f(x + h) - f(x - h)}{2h}` or its like for uneven samples;
    at the ends one-sided differences of order `edge_order`.

    Args:
        spacing: the distance between samples, one for each dimension, or the coordinates along each.

    Example:
        >>> torch.gradient(torch.tensor([1., 4., 9.]))
        (tensor([3., 4., 5.]),)
    """
    spacing = 1 if spacing is None else spacing
    axes = many_axes("gradient", dim, input.ndim, empty_is_all=False)
    spacings = _spacings(input, spacing, axes, dim is not None)
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    if any(input.shape[a] < edge_order + 1 for a in axes):
        raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
    if dtype_of(input) is _dtypes.uint8:
        raise RuntimeError("torch.gradient does not support uint8 input.")
    if dtype_of(input).category == _dtypes.BOOL:
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
            "operator instead."
        )
    f = promote_float(input)[0]
    pairs = zip(axes, spacings, strict=True)
    return tuple((_even if is_number(h) or h.ndim == 0 else _uneven)(f, h, axis, edge_order) for axis, h in pairs)
