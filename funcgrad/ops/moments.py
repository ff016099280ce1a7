"""Variances and standard deviations.

See https://docs.pytorch.org/docs/stable/torch.html#reduction-ops
"""

from __future__ import annotations

import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes
from funcgrad.ops._axes import many_axes, numpy_names
from funcgrad.ops._number import Array, cast, dtype_of
from funcgrad.ops._reduce import total, wide


def _squares(a: Array, b: Array) -> Array:
    """The real part of ``conj(a) * b``."""
    if jnp.issubdtype(a.dtype, jnp.complexfloating):
        return jnp.real(a) * jnp.real(b) + jnp.imag(a) * jnp.imag(b)
    return a * b


def _centered(x: Array, axes: tuple[int, ...]) -> Array:
    count = np.asarray(np.prod([x.shape[a] for a in axes]), x.dtype)
    return x - total(x, axes, keepdim=True) / count


def _freedom(x: Array, axes: tuple[int, ...], correction: float) -> float:
    return max(0.0, float(np.prod([x.shape[a] for a in axes])) - correction)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _variance(x: Array, axes: tuple[int, ...], correction: float) -> Array:
    centered = _centered(x, axes)
    squares = total(_squares(centered, centered), axes, keepdim=True)
    return squares / np.asarray(_freedom(x, axes, correction), squares.dtype)


@_variance.defjvp
def _variance_jvp(axes, correction, primals, tangents):
    # The mean's own derivative drops out of the first derivative: deviations from it add up to zero.
    (x,), (t,) = primals, tangents
    out = _variance(x, axes, correction)
    centered, freedom = _centered(x, axes), _freedom(x, axes, correction)
    if freedom > 0:
        return out, total(_squares(centered, t), axes, keepdim=True) * np.asarray(2 / freedom, out.dtype)
    # PyTorch's convention where the variance is a quotient by zero.
    slope = jnp.where(centered == 0, np.asarray(np.nan, out.dtype), np.asarray(np.inf, out.dtype))
    return out, total(slope * jnp.real(t), axes, keepdim=True)


@jax.custom_jvp
def _root(variance: Array) -> Array:
    return jnp.sqrt(variance)


@_root.defjvp
def _root_jvp(primals, tangents):
    # PyTorch's convention: the gradient of a deviation of zero is zero.
    root = _root(primals[0])
    safe = jnp.where(root == 0, jnp.ones((), root.dtype), root)
    return root, jnp.where(root == 0, jnp.zeros((), root.dtype), tangents[0] / (2 * safe))


def _moments(name: str, input: Array, dim, unbiased, keepdim: bool, correction) -> tuple[Array, Array]:
    """The variance (or deviation, by `name`) and the mean over `dim`."""
    if isinstance(dim, bool):  # the overload (input, unbiased)
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = int(unbiased)
    correction = 1 if correction is None else correction
    d = dtype_of(input)
    if d.category < _dtypes.FLOATING:
        what = name if "mean" in name else "std and var"
        raise RuntimeError(f"{what} only support floating point and complex dtypes")
    axes = many_axes(name, dim, input.ndim)
    x = wide(input)
    if _freedom(x, axes, correction) <= 0:
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor "
            "(input numel divided by output numel).",
            stacklevel=4,
        )
    spread = _variance(x, axes, float(correction))
    spread = cast(_root(spread) if "std" in name else spread, d.to_real())
    average = cast(x - _centered(x, axes) if not axes else total(x, axes, keepdim=True) / _size(x, axes), d)
    return (spread, average) if keepdim else (lax.squeeze(spread, axes), lax.squeeze(average, axes))


def _size(x: Array, axes: tuple[int, ...]) -> np.ndarray:
    return np.asarray(np.prod([x.shape[a] for a in axes]), x.dtype)


@numpy_names
def var(input: Array, dim=None, unbiased=None, keepdim=False, *, correction=None) -> Array:
    r"""The variance over `dim`: :math:`\frac{1}{\max(0, n - c)} \sum_i |x_i - \bar x|^2`.

    Args:
        unbiased: True for :math:`c = 1`, False for :math:`c = 0`; also as the only argument after `input`.
        correction: :math:`c`, 1 unless given.

    Example:
        >>> torch.var(torch.tensor([1., 2., 3., 4.]))
        tensor(1.6667)
    """
    return _moments("var", input, dim, unbiased, keepdim, correction)[0]


@numpy_names
def std(input: Array, dim=None, unbiased=None, keepdim=False, *, correction=None) -> Array:
    r"""The standard deviation over `dim`: the square root of `var`, with a gradient of zero where it is zero.

    Example:
        >>> torch.std(torch.tensor([1., 2., 3., 4.]), correction=0)
        tensor(1.1180)
    """
    return _moments("std", input, dim, unbiased, keepdim, correction)[0]


@numpy_names
def var_mean(input: Array, dim=None, unbiased=None, keepdim=False, *, correction=None) -> tuple[Array, Array]:
    """The variance and the mean over `dim`.

    Example:
        >>> torch.var_mean(torch.tensor([1., 2., 3.]))
        (tensor(1.), tensor(2.))
    """
    return _moments("var_mean", input, dim, unbiased, keepdim, correction)


@numpy_names
def std_mean(input: Array, dim=None, unbiased=None, keepdim=False, *, correction=None) -> tuple[Array, Array]:
    """The standard deviation and the mean over `dim`.

    Example:
        >>> torch.std_mean(torch.tensor([1., 2., 3.]))
        (tensor(1.), tensor(2.))
    """
    return _moments("std_mean", input, dim, unbiased, keepdim, correction)
