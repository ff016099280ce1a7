"""Adafactor as PyTorch has it."""

from __future__ import annotations

import jax.numpy as jnp

from funcgrad.ops._number import as_array
from funcgrad.optim._optax import GradientTransformation, cast, full, per_parameter, where


def scale_by_factored_rms(lr, beta2_decay, eps, clipping, dtype) -> GradientTransformation:
    r"""The update of Adafactor, learning rate included.

    .. math::
        \alpha = \max(\epsilon_2, \mathrm{RMS}(p)) \min(\gamma, 1/\sqrt{t}), \quad
        R \leftarrow (1 - t^\tau) R + t^\tau \overline{g^2}_{rows}, \quad \hat v = \frac{R C}{\overline{R}}, \quad
        u = \frac{g}{\sqrt{\hat v}}, \quad \alpha \frac{u}{\max(1, \mathrm{RMS}(u) / d)}

    ``optax.adafactor`` is T5's: it factors only where both dimensions are at least 128, has other epsilons, and no
    bound of :math:`1/\sqrt{t}`; PyTorch factors the last two dimensions of everything that has two.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adafactor.html
    """
    eps1 = float(jnp.finfo(dtype).eps) if eps[0] is None else eps[0]

    def update(g, p, t, rows, columns, variance):
        new = t**beta2_decay
        bound = 1 / t**0.5
        rho = where(as_array(bound) < as_array(lr), bound, lr)
        alpha = _larger(cast(eps[1], p.dtype), _rms(p)) * rho
        if g.ndim > 1:
            rows = rows + new * (jnp.mean(g * g, -1, keepdims=True) - rows)
            columns = columns + new * (jnp.mean(g * g, -2, keepdims=True) - columns)
            mean = jnp.maximum(jnp.mean(rows, -2, keepdims=True), cast(eps1, g.dtype))
            estimate = rows * columns / mean
        else:
            variance = variance + new * (g * g - variance)
            estimate = variance
        u = g / jnp.sqrt(jnp.maximum(estimate, cast(eps1 * eps1, g.dtype)))
        return u * (alpha / _larger(1.0, _rms(u) / clipping)), rows, columns, variance

    return per_parameter(update, row_var=_mean_over(-1), col_var=_mean_over(-2), variance=_vector)


def _larger(x, y):
    """The larger; `x` if `y` is NaN, as Python's ``max`` has it."""
    return jnp.where(y > x, y, x)


def _rms(x):
    return jnp.sqrt(jnp.mean(x * x))


def _mean_over(axis: int):
    def make(p):
        if len(p.shape) < 2:
            return None
        shape = list(p.shape)
        shape[axis] = 1
        return full(p, 0, tuple(shape))

    return make


def _vector(p):
    return full(p, 0) if len(p.shape) < 2 else None
