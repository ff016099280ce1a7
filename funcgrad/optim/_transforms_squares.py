"""Scaling by sums of squares as PyTorch has it where optax differs."""

from __future__ import annotations

import jax.numpy as jnp

from funcgrad.optim._optax import GradientTransformation, full, per_parameter


def scale_by_adagrad(lr_decay, eps, initial) -> GradientTransformation:
    r""":math:`s \leftarrow s + g^2`, giving :math:`g / ((\sqrt{s} + \epsilon)(1 + (t - 1) \eta))`.

    optax's ``scale_by_rss`` multiplies by the reciprocal root of :math:`s + \epsilon`, by zero where :math:`s` is zero,
    begins with 0.1 by default, and has no decay of the learning rate.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html
    """

    def update(g, p, t, s):
        s = s + g * g
        return g / (jnp.sqrt(s) + eps) / (1 + (t - 1) * lr_decay), s

    return per_parameter(update, sum=lambda p: full(p, initial))
