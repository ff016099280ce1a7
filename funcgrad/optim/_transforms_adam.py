"""The family of Adam as PyTorch has it where optax differs."""

from __future__ import annotations

import jax.numpy as jnp

from funcgrad.optim._optax import GradientTransformation, per_parameter


def moments(g, m, v, betas):
    """The moving averages of the gradient and of its square, brought up to date."""
    return betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * (g * g)


def scale_by_amsgrad(betas, eps) -> GradientTransformation:
    r""":math:`\hat v = \max_{s \le t} v_s / (1 - \beta_2^t)`.

    optax's ``scale_by_amsgrad`` takes the maximum of the already corrected averages (google-deepmind/optax#1389).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html
    """

    def update(g, p, t, m, v, largest):
        m, v = moments(g, m, v, betas)
        largest = jnp.maximum(largest, v)
        return m / (1 - betas[0] ** t) / (jnp.sqrt(largest / (1 - betas[1] ** t)) + eps), m, v, largest

    return per_parameter(update, exp_avg=0, exp_avg_sq=0, max_exp_avg_sq=0)
