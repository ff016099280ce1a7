"""Discrete Fourier transforms, the functions of ``torch.fft``.

Arguments common to all: ``n`` or ``s``, the length to which a dimension is first cut or padded with zeros; ``dim``,
which dimensions; ``norm``, where the factor 1/n goes: ``"backward"`` (the default: to the inverse transform),
``"forward"`` or ``"ortho"`` (its root to both). See https://docs.pytorch.org/docs/stable/fft.html
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from funcgrad import _dtypes, _errors
from funcgrad.ops._axes import many_axes, numpy_names
from funcgrad.ops._number import Array, cast, dtype_of

_NORMS = (None, "backward", "ortho", "forward")


def _check_norm(norm) -> None:
    if norm not in _NORMS:
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')


def _floating(x: Array) -> Array:
    """`x` in a dtype that has transforms: integers become the default floating dtype."""
    d = dtype_of(x)
    if d.category < _dtypes.FLOATING:
        return cast(x, _dtypes.default_dtype())
    if d.itemsize < 4:
        raise RuntimeError(f"Unsupported dtype {d.scalar_name}")
    return x


def _complex(x: Array) -> Array:
    return cast(x, dtype_of(x).to_complex())


def _axis(x: Array, dim: int) -> int:
    if not x.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return _errors.wrap_dim(dim, x.ndim)


def _apply(name: str, x: Array, lengths, axes, norm) -> Array:
    """A transform of `jax.numpy.fft` over `axes`; a length of None is the dimension's own.

    One call for all axes: [16, 256, 256] takes 8.8 ms so, 299 axis by axis.
    """
    halved = name in ("irfft", "irfftn", "hfft")
    sizes = [x.shape[a] if n is None else n for n, a in zip(lengths, axes, strict=True)]
    if halved and lengths[-1] is None:
        sizes[-1] = 2 * (sizes[-1] - 1)
    for n in sizes:
        if n < 1:
            raise RuntimeError(f"Invalid number of data points ({n}) specified")
    transform = getattr(jnp.fft, name)
    call = (sizes, axes) if name.endswith("n") else (sizes[0], axes[0])
    if x.size:
        return transform(x, *call, norm)
    # jax.numpy refuses empty batches: the shape and dtype are those of a full one
    out = transform(jnp.zeros([max(n, 1) for n in x.shape], x.dtype), *call, norm)
    return jnp.zeros([n if i in axes else x.shape[i] for i, n in enumerate(out.shape)], out.dtype)


def _one(name: str, input: Array, n, dim, norm) -> Array:
    """The transforms of one dimension."""
    axis = _axis(input, dim)
    x = _floating(input)
    _check_norm(norm)
    if name in ("rfft", "ihfft"):
        if dtype_of(x).is_complex:
            raise RuntimeError(f"{name} expects a real input tensor, but got {dtype_of(x).scalar_name}")
    else:
        x = _complex(x)
    return _apply(name, x, (n,), (axis,), norm)


def _sizes(x: Array, s, dim) -> tuple[tuple[int, ...], tuple]:
    """The axes to transform and each one's length, None where it stays."""
    s = (s,) if isinstance(s, int) else s
    dim = (dim,) if isinstance(dim, int) else dim
    if dim is not None:
        if not x.ndim and dim:
            raise IndexError(f"Dimension specified as {dim[0]} but tensor has no dimensions")
        axes = tuple(_errors.wrap_dim(d, x.ndim) for d in dim)
        if len(set(axes)) < len(axes):
            raise RuntimeError("FFT dims must be unique")
        if s is not None and len(s) != len(axes):
            raise RuntimeError("When given, dim and shape arguments must have the same length")
    elif s is not None:
        if len(s) > x.ndim:
            raise RuntimeError(f"Got shape with {len(s)} values but input tensor only has {x.ndim} dimensions.")
        axes = tuple(range(x.ndim - len(s), x.ndim))
    else:
        axes = tuple(range(x.ndim))
    return axes, (None,) * len(axes) if s is None else tuple(None if n == -1 else n for n in s)


def _many(name: str, input: Array, s, dim, norm) -> Array:
    """The transforms of several dimensions: the last by the function of that kind, the others complex to complex."""
    axes, lengths = _sizes(input, s, dim)
    x = _floating(input)
    if name in ("rfftn", "ihfftn"):
        if dtype_of(x).is_complex:
            what = "rfftn expects a real-valued input tensor, but got"
            what = what if name == "rfftn" else "Only supports floating-point dtypes, but found:"
            raise RuntimeError(f"{what} {dtype_of(x).scalar_name}")
    else:
        x = _complex(x)
    _check_norm(norm)
    if not axes:
        if name in ("fftn", "ifftn"):
            return x
        raise RuntimeError(f"{name} must transform at least one axis")
    if name not in ("hfftn", "ihfftn"):
        return _apply(name, x, lengths, axes, norm)
    if name == "ihfftn":
        x = _apply("ihfft", x, lengths[-1:], axes[-1:], norm)
    if len(axes) > 1:
        x = _apply("fftn" if name == "hfftn" else "ifftn", x, lengths[:-1], axes[:-1], norm)
    return x if name == "ihfftn" else _apply("hfft", x, lengths[-1:], axes[-1:], norm)


# -- one dimension ----------------------------------------------------------------------------------------------------


@numpy_names
def fft(input: Array, n=None, dim=-1, norm=None) -> Array:
    r"""The discrete Fourier transform: :math:`X_k = \sum_j x_j e^{-2 \pi i j k / n}`.

    Example:
        >>> torch.fft.fft(torch.tensor([1., 0., 0., 0.]))
        tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j])
    """
    return _one("fft", input, n, dim, norm)


@numpy_names
def ifft(input: Array, n=None, dim=-1, norm=None) -> Array:
    r"""The inverse of `fft`: :math:`x_j = \frac{1}{n} \sum_k X_k e^{2 \pi i j k / n}`.

    Example:
        >>> torch.fft.ifft(torch.tensor([4., 0., 0., 0.]))
        tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j])
    """
    return _one("ifft", input, n, dim, norm)


@numpy_names
def rfft(input: Array, n=None, dim=-1, norm=None) -> Array:
    """The first n // 2 + 1 outputs of `fft` of a real signal, which determine the others.

    Example:
        >>> torch.fft.rfft(torch.tensor([1., 2., 3., 4.]))
        tensor([10.+0.j, -2.+2.j, -2.+0.j])
    """
    return _one("rfft", input, n, dim, norm)


@numpy_names
def irfft(input: Array, n=None, dim=-1, norm=None) -> Array:
    """The inverse of `rfft`: a real signal, of 2 * (size - 1) points unless `n` is given.

    Example:
        >>> torch.fft.irfft(torch.tensor([10 + 0j, -2 + 2j, -2 + 0j]))
        tensor([1., 2., 3., 4.])
    """
    return _one("irfft", input, n, dim, norm)


@numpy_names
def hfft(input: Array, n=None, dim=-1, norm=None) -> Array:
    """The (real) `fft` of a Hermitian signal, given by its first n // 2 + 1 points.

    Example:
        >>> torch.fft.hfft(torch.tensor([1., 2., 3.]))
        tensor([ 8., -2.,  0., -2.])
    """
    return _one("hfft", input, n, dim, norm)


@numpy_names
def ihfft(input: Array, n=None, dim=-1, norm=None) -> Array:
    """The inverse of `hfft`: the first n // 2 + 1 points of a Hermitian signal.

    Example:
        >>> torch.fft.ihfft(torch.tensor([8., -2., 0., -2.]))
        tensor([1.-0.j, 2.-0.j, 3.-0.j])
    """
    return _one("ihfft", input, n, dim, norm)


# -- several dimensions -----------------------------------------------------------------------------------------------

_SUMMARIES = {
    "fft": "the discrete Fourier transform",
    "ifft": "the inverse discrete Fourier transform",
    "rfft": "the Fourier transform of a real signal, whose last transformed dimension holds only one half,",
    "irfft": "the inverse of the transform of a real signal",
    "hfft": "the (real) Fourier transform of a signal that is Hermitian in the last transformed dimension",
    "ihfft": "the inverse of the Fourier transform of a Hermitian signal",
}


def _make(kind: str, last_two: bool):
    """`x2`, over the last two dimensions unless told otherwise, or `xn`, over all or the last ``len(s)``."""
    name = kind + ("2" if last_two else "n")

    def transform(input: Array, s=None, dim=(-2, -1) if last_two else None, norm=None) -> Array:
        return _many(f"{kind}n", input, s, dim, norm)

    transform.__name__ = transform.__qualname__ = name
    over = "the two dimensions `dim`" if last_two else "the dimensions `dim` (all, or the last ``len(s)``)"
    transform.__doc__ = f"Compute {_SUMMARIES[kind]} over {over}; `s` gives their lengths."
    return numpy_names(transform)


for _kind in _SUMMARIES:
    globals()[f"{_kind}2"] = _make(_kind, last_two=True)
    globals()[f"{_kind}n"] = _make(_kind, last_two=False)


# -- frequencies ------------------------------------------------------------------------------------------------------


def _shift(input: Array, dim, forward: bool) -> Array:
    axes = many_axes("fft_fftshift", dim, input.ndim, empty_is_all=False)
    if not axes:
        raise RuntimeError("`shifts` required")
    halves = [input.shape[a] // 2 for a in axes]
    return jnp.roll(input, [h if forward else -h for h in halves], axes)


@numpy_names
def fftshift(input: Array, dim=None) -> Array:
    """Move the zero frequency from the first place of each dimension to the middle.

    Example:
        >>> torch.fft.fftshift(torch.fft.fftfreq(4))
        tensor([-0.5000, -0.2500,  0.0000,  0.2500])
    """
    return _shift(input, dim, forward=True)


@numpy_names
def ifftshift(input: Array, dim=None) -> Array:
    """The inverse of `fftshift`.

    Example:
        >>> torch.fft.ifftshift(torch.tensor([-1, 0, 1]))
        tensor([ 0,  1, -1])
    """
    return _shift(input, dim, forward=False)


def _frequencies(name: str, n: int, d: float, dtype) -> Array:
    dt = _dtypes.default_dtype() if dtype is None else _dtypes.to_dtype(dtype)
    if dt.category < _dtypes.FLOATING:
        raise RuntimeError(f"{name} requires a floating point or complex dtype")
    if dt.is_complex:
        raise NotImplementedError(f"\"arange_cpu\" not implemented for '{dt.scalar_name}'")
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    whole = np.arange(n // 2 + 1) if name == "rfftfreq" else (np.arange(n) + n // 2) % max(n, 1) - n // 2
    with np.errstate(all="ignore"):
        return jnp.asarray((whole / np.float64(n * d)).astype(dt.numpy))


def fftfreq(n, d=1.0, *, dtype=None, layout=None, device=None, requires_grad=False) -> Array:
    """The frequencies of the outputs of `fft` for `n` samples `d` apart: 0, 1, ..., -2, -1 over n * d.

    Example:
        >>> torch.fft.fftfreq(5)
        tensor([ 0.0000,  0.2000,  0.4000, -0.4000, -0.2000])
    """
    return _frequencies("fftfreq", n, d, dtype)


def rfftfreq(n, d=1.0, *, dtype=None, layout=None, device=None, requires_grad=False) -> Array:
    """The frequencies of the outputs of `rfft` for `n` samples `d` apart: 0, 1, ..., n // 2 over n * d.

    Example:
        >>> torch.fft.rfftfreq(5)
        tensor([0.0000, 0.2000, 0.4000])
    """
    return _frequencies("rfftfreq", n, d, dtype)
