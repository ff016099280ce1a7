"""Momentum as PyTorch has it where optax differs."""

from __future__ import annotations

import jax.numpy as jnp

from funcgrad.ops._number import as_array
from funcgrad.optim._optax import GradientTransformation, as_number, cast, per_parameter, scalar, where


def damped_momentum(decay, dampening) -> GradientTransformation:
    r""":math:`b_1 = g_1, \quad b_t = \mu b_{t-1} + (1 - \tau) g_t`.

    optax has no dampening, and ``chain(scale(1 - dampening), trace(decay))`` would also damp the first gradient.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """

    def update(g, p, t, b):
        b = decay * b + where(as_array(t) == 1, 1.0, 1.0 - dampening) * g
        return b, b

    return per_parameter(update, momentum_buffer=0)


def averaged_descent(lr, lambd, alpha, t0) -> GradientTransformation:
    r"""A step of falling size, and the average of the parameters.

    .. math::
        p \leftarrow (1 - \lambda \eta) p - \eta g, \quad ax \leftarrow ax + \mu (p - ax), \quad
        \eta \leftarrow \frac{\gamma}{(1 + \lambda \gamma t)^\alpha}, \quad \mu \leftarrow \frac{1}{\max(1, t - t_0)}

    The first step's size is the learning rate at that time. optax has no such transformation.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.ASGD.html
    """

    def update(g, p, t, size, weight, average):
        eta, mu = as_number(size), as_number(weight)
        new = (1 - lambd * eta) * p - eta * g
        average = jnp.where(as_array(mu) == 1, new, average + mu * (new - average))
        after = t - t0
        size = cast(lr / (1 + lambd * lr * t) ** alpha, size.dtype)
        weight = cast(1 / where(as_array(after) > 1, after, 1.0), weight.dtype)
        return jnp.where(new == p, 0, new - p), size, weight, average

    return per_parameter(update, eta=lambda p: scalar(p, lr), mu=lambda p: scalar(p, 1.0), ax=0)
