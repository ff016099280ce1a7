"""The family of Adam as PyTorch has it where optax differs."""

from __future__ import annotations

import jax.numpy as jnp

from funcgrad.ops._number import as_array
from funcgrad.optim._optax import GradientTransformation, as_number, per_parameter, scalar


def moments(g, m, v, betas):
    """The moving averages of the gradient and of its square, brought up to date.

    The first is PyTorch's ``lerp``: after an infinite gradient it is NaN.
    """
    return m + (1 - betas[0]) * (g - m), betas[1] * v + (1 - betas[1]) * (g * g)


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


def scale_by_nadam(betas, eps, momentum_decay) -> GradientTransformation:
    r"""Dozat's Nesterov momentum, with a schedule of :math:`\mu_t` and the running product :math:`\Pi_t` of them.

    .. math::
        \mu_t = \beta_1 (1 - \tfrac12 0.96^{t \psi}), \qquad
        \frac{\mu_{t+1} m / (1 - \Pi_t \mu_{t+1}) + (1 - \mu_t) g / (1 - \Pi_t)}{\sqrt{\hat v} + \epsilon}

    optax's ``scale_by_adam(nesterov=True)`` has a constant :math:`\beta_1` in place of the schedule.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.NAdam.html
    """

    def update(g, p, t, product, m, v):
        m, v = moments(g, m, v, betas)
        mu, following = (betas[0] * (1.0 - 0.5 * 0.96 ** (i * momentum_decay)) for i in (t, t + 1))
        product = product * mu
        known = as_number(product)
        numerator = (1.0 - mu) / (1.0 - known) * g + following / (1.0 - known * following) * m
        return numerator / (jnp.sqrt(v / (1 - betas[1] ** t)) + eps), product, m, v

    return per_parameter(update, mu_product=lambda p: scalar(p, 1.0), exp_avg=0, exp_avg_sq=0)


def scale_by_radam(betas, eps) -> GradientTransformation:
    r"""Adam's update, rectified; plain momentum while :math:`\rho_t \le 5`.

    The epsilon is added to :math:`\sqrt{v}` before the bias correction; optax's ``scale_by_radam`` adds it after.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.RAdam.html
    """

    def update(g, p, t, m, v):
        m, v = moments(g, m, v, betas)
        correction = 1 - betas[1] ** t
        infinity = 2 / (1 - betas[1]) - 1
        rho = infinity - 2 * t * betas[1] ** t / correction
        rectified = ((rho - 4) * (rho - 2) * infinity / ((infinity - 4) * (infinity - 2) * rho)) ** 0.5
        adaptive = rectified * correction**0.5 / (jnp.sqrt(v) + eps)
        return m / (1 - betas[0] ** t) * jnp.where(as_array(rho) > 5.0, adaptive, jnp.ones_like(v)), m, v

    return per_parameter(update, exp_avg=0, exp_avg_sq=0)


def scale_by_row_adam(betas, eps) -> GradientTransformation:
    r"""Adam on the rows whose gradient is not all zero; the others and their moments stay as they are.

    .. math:: \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \frac{m}{\sqrt{v} + \epsilon}

    optax has no such transformation.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.SparseAdam.html
    """

    def update(g, p, t, m, v):
        touched = jnp.any(g != 0, axis=tuple(range(1, g.ndim)), keepdims=True)
        new_m, new_v = moments(g, m, v, betas)
        scaled = new_m / (jnp.sqrt(new_v) + eps) * ((1 - betas[1] ** t) ** 0.5 / (1 - betas[0] ** t))
        return jnp.where(touched, scaled, 0), jnp.where(touched, new_m, m), jnp.where(touched, new_v, v)

    return per_parameter(update, exp_avg=0, exp_avg_sq=0)
