"""Window functions of spectral analysis, periodic unless asked otherwise.

See https://docs.pytorch.org/docs/stable/generated/torch.hann_window.html
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from funcgrad import _dtypes
from funcgrad.ops._number import Array

_C_NAMES = {
    "bool": "bool", "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int32": "int",
    "int64": "long int",
}  # fmt: skip


def _options(d: _dtypes.dtype | None, layout: str) -> str:
    name = "float (default)" if d is None else _C_NAMES.get(d.name, d.name)
    return (
        f"TensorOptions(dtype={name}, device=cpu, layout={layout}, requires_grad=false (default), "
        "pinned_memory=false, memory_format=(nullopt))"
    )


def _window(name: str, length, periodic: bool, dtype, layout, formula) -> Array:
    """``formula(k, n)`` for k = 0..length - 1, where n is the window's period.

    Computed here in float64: a constant of the program.
    """
    if isinstance(length, bool) or not hasattr(length, "__index__"):
        kind = type(length).__name__
        raise TypeError(f"{name}(): argument 'window_length' (position 1) must be int, not {kind}")
    d = _dtypes.default_dtype() if dtype is None else _dtypes.to_dtype(dtype)
    if layout is not None and str(layout) != "torch.strided":
        raise RuntimeError(f"{name} is not implemented for sparse types, got: {_options(dtype, 'Sparse')}")
    if d.is_complex:
        raise NotImplementedError(f"\"arange_cpu\" not implemented for '{d.scalar_name}'")
    if not d.is_floating_point:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {_options(d, 'Strided (default)')}")
    if length < 0:
        raise RuntimeError(f"{name} requires non-negative window_length, got window_length={length}")
    if length <= 1:
        return jnp.ones(length, d.numpy)
    values = formula(np.arange(length, dtype=np.float64), length if periodic else length - 1)
    return jnp.asarray(values.astype(d.numpy))


def cosines(k: np.ndarray, period: float, coefficients) -> np.ndarray:
    """The sum of ``(-1)**j * coefficients[j] * cos(2 * pi * j * k / period)``."""
    return sum((-1) ** j * a * np.cos(2 * np.pi * j * k / period) for j, a in enumerate(coefficients))


def kaiser(k: np.ndarray, period: float, beta: float) -> np.ndarray:
    """The ratio of modified Bessel functions ``i0(beta * sqrt(1 - (2 * k / period - 1)**2)) / i0(beta)``."""
    return np.i0(beta * np.sqrt(np.maximum(0, 1 - (2 * k / period - 1) ** 2))) / np.i0(np.float64(beta))


def hann_window(
    window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False
) -> Array:
    r"""The Hann window: :math:`w_k = \frac{1}{2} (1 - \cos \frac{2 \pi k}{n})`.

    Args:
        periodic: whether :math:`n` is `window_length` (for spectral analysis) or one less (symmetric, for filters).

    Example:
        >>> torch.hann_window(4)
        tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return _window("hann_window", window_length, periodic, dtype, layout, lambda k, n: cosines(k, n, (0.5, 0.5)))


def hamming_window(
    window_length,
    periodic=True,
    alpha=0.54,
    beta=0.46,
    *,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
) -> Array:
    r"""The Hamming window: :math:`w_k = \alpha - \beta \cos \frac{2 \pi k}{n}`.

    Example:
        >>> torch.hamming_window(4)
        tensor([0.0800, 0.5400, 1.0000, 0.5400])
    """
    formula = lambda k, n: cosines(k, n, (alpha, beta))  # noqa: E731
    return _window("hamming_window", window_length, periodic, dtype, layout, formula)


def blackman_window(
    window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False
) -> Array:
    r"""The Blackman window: :math:`w_k = 0.42 - 0.5 \cos \frac{2 \pi k}{n} + 0.08 \cos \frac{4 \pi k}{n}`.

    Example:
        >>> torch.blackman_window(3, periodic=False)
        tensor([-1.3878e-17,  1.0000e+00, -1.3878e-17])
    """
    formula = lambda k, n: cosines(k, n, (0.42, 0.5, 0.08))  # noqa: E731
    return _window("blackman_window", window_length, periodic, dtype, layout, formula)


def bartlett_window(
    window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False
) -> Array:
    r"""The triangular (Bartlett) window: :math:`w_k = 1 - |\frac{2 k}{n} - 1|`.

    Example:
        >>> torch.bartlett_window(4)
        tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    formula = lambda k, n: 1 - np.abs(2 * k / n - 1)  # noqa: E731
    return _window("bartlett_window", window_length, periodic, dtype, layout, formula)


def kaiser_window(
    window_length,
    periodic=True,
    beta=12.0,
    *,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
) -> Array:
    r"""The Kaiser window: :math:`w_k = I_0(\beta \sqrt{1 - (2 k / n - 1)^2}) / I_0(\beta)`.

    Example:
        >>> torch.kaiser_window(3, periodic=False, beta=1.)
        tensor([0.7898, 1.0000, 0.7898])
    """
    return _window("kaiser_window", window_length, periodic, dtype, layout, lambda k, n: kaiser(k, n, beta))
