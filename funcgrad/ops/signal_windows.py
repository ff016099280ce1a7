"""The window functions of ``torch.signal.windows``, symmetric unless asked otherwise.

All take the number of points `M`, and `sym`: whether the window is symmetric or a period of a periodic one.
See https://docs.pytorch.org/docs/stable/signal.html
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from funcgrad import _dtypes
from funcgrad.ops import windows
from funcgrad.ops._number import Array


def _window(name: str, M, dtype, layout, formula) -> Array:
    """``formula(k)`` for k = 0..M - 1, computed in float64 as a constant of the program."""
    if not isinstance(M, int):
        raise TypeError(f"{name}(): M must be int, not {type(M).__name__}")
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout is not None and str(layout) != "torch.strided":
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    d = _dtypes.default_dtype() if dtype is None else _dtypes.to_dtype(dtype)
    if d not in (_dtypes.float32, _dtypes.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {d}")
    if M <= 1:
        return jnp.ones(M, d.numpy)
    return jnp.asarray(formula(np.arange(M, dtype=np.float64)).astype(d.numpy))


def _period(M: int, sym: bool) -> int:
    return M - 1 if sym else M


def bartlett(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False) -> Array:
    r"""The triangular (Bartlett) window: :math:`w_k = 1 - |\frac{2 k}{n} - 1|`.

    Example:
        >>> torch.signal.windows.bartlett(5)
        tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    return _window("bartlett", M, dtype, layout, lambda k: 1 - np.abs(2 * k / _period(M, sym) - 1))


def cosine(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False) -> Array:
    r"""The sine window: :math:`w_k = \sin \frac{\pi (k + 1/2)}{n}`, with :math:`n` here `M`, or one more if periodic.

    Example:
        >>> torch.signal.windows.cosine(3)
        tensor([0.5000, 1.0000, 0.5000])
    """
    return _window("cosine", M, dtype, layout, lambda k: np.sin(np.pi * (k + 0.5) / (_period(M, sym) + 1)))


def exponential(
    M, *, center=None, tau=1.0, sym=True, dtype=None, layout=None, device=None, requires_grad=False
) -> Array:
    r"""The exponential (Poisson) window: :math:`w_k = e^{-|k - c| / \tau}` around `center` (the middle).

    Raises:
        ValueError: `tau` is not positive, or `center` is given for a symmetric window.

    Example:
        >>> torch.signal.windows.exponential(3)
        tensor([0.3679, 1.0000, 0.3679])
    """
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    middle = _period(M, sym) / 2 if center is None else center
    return _window("exponential", M, dtype, layout, lambda k: np.exp(-np.abs(k - middle) / tau))


def gaussian(M, *, std=1.0, sym=True, dtype=None, layout=None, device=None, requires_grad=False) -> Array:
    r"""The Gaussian window: :math:`w_k = e^{-\frac{1}{2} ((k - n/2) / \sigma)^2}`.

    Raises:
        ValueError: `std` is not positive.

    Example:
        >>> torch.signal.windows.gaussian(3)
        tensor([0.6065, 1.0000, 0.6065])
    """
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    return _window("gaussian", M, dtype, layout, lambda k: np.exp(-0.5 * ((k - _period(M, sym) / 2) / std) ** 2))


def kaiser(M, *, beta=12.0, sym=True, dtype=None, layout=None, device=None, requires_grad=False) -> Array:
    r"""The Kaiser window: :math:`w_k = I_0(\beta \sqrt{1 - (2 k / n - 1)^2}) / I_0(\beta)`.

    Raises:
        ValueError: `beta` is negative.

    Example:
        >>> torch.signal.windows.kaiser(3, beta=1.)
        tensor([0.7898, 1.0000, 0.7898])
    """
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    return _window("kaiser", M, dtype, layout, lambda k: windows.kaiser(k, _period(M, sym), beta))


def general_cosine(M, *, a, sym=True, dtype=None, layout=None, device=None, requires_grad=False) -> Array:
    r"""A sum of cosines: :math:`w_k = \sum_j (-1)^j a_j \cos \frac{2 \pi j k}{n}`.

    Raises:
        TypeError, ValueError: `a` is no list or tuple, or is empty.

    Example:
        >>> torch.signal.windows.general_cosine(3, a=[0.5, 0.5])
        tensor([0., 1., 0.])
    """
    return _cosines("general_cosine", M, a, sym, dtype, layout)


def _cosines(name: str, M, a, sym: bool, dtype, layout) -> Array:
    made = _window(name, M, dtype, layout, lambda k: np.zeros_like(k))
    if not isinstance(a, list | tuple):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    return made if M <= 1 else _window(name, M, dtype, layout, lambda k: windows.cosines(k, _period(M, sym), a))


def general_hamming(M, *, alpha=0.54, sym=True, dtype=None, layout=None, device=None, requires_grad=False) -> Array:
    r"""The general Hamming window: :math:`w_k = \alpha - (1 - \alpha) \cos \frac{2 \pi k}{n}`.

    Example:
        >>> torch.signal.windows.general_hamming(3, alpha=0.6)
        tensor([0.2000, 1.0000, 0.2000])
    """
    return _cosines("general_cosine", M, [alpha, 1 - alpha], sym, dtype, layout)


def hamming(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False) -> Array:
    r"""The Hamming window: :math:`w_k = 0.54 - 0.46 \cos \frac{2 \pi k}{n}`.

    Example:
        >>> torch.signal.windows.hamming(3)
        tensor([0.0800, 1.0000, 0.0800])
    """
    return _cosines("general_cosine", M, [0.54, 0.46], sym, dtype, layout)


def hann(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False) -> Array:
    r"""The Hann window: :math:`w_k = \frac{1}{2} (1 - \cos \frac{2 \pi k}{n})`.

    Example:
        >>> torch.signal.windows.hann(3)
        tensor([0., 1., 0.])
    """
    return _cosines("general_cosine", M, [0.5, 0.5], sym, dtype, layout)


def blackman(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False) -> Array:
    r"""The Blackman window: :math:`w_k = 0.42 - 0.5 \cos \frac{2 \pi k}{n} + 0.08 \cos \frac{4 \pi k}{n}`.

    Example:
        >>> torch.signal.windows.blackman(5)
        tensor([-1.3878e-17,  3.4000e-01,  1.0000e+00,  3.4000e-01, -1.3878e-17])
    """
    return _cosines("blackman", M, [0.42, 0.5, 0.08], sym, dtype, layout)


def nuttall(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False) -> Array:
    """Nuttall's minimal four-term window, a `general_cosine`.

    Example:
        >>> torch.signal.windows.nuttall(5)
        tensor([3.6280e-04, 2.2698e-01, 1.0000e+00, 2.2698e-01, 3.6280e-04])
    """
    return _cosines("general_cosine", M, [0.3635819, 0.4891775, 0.1365995, 0.0106411], sym, dtype, layout)
