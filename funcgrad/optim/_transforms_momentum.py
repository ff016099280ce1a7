"""Momentum as PyTorch has it where optax differs."""

from __future__ import annotations

from funcgrad.ops._number import as_array
from funcgrad.optim._optax import GradientTransformation, per_parameter, where


def damped_momentum(decay, dampening) -> GradientTransformation:
    r""":math:`b_1 = g_1, \quad b_t = \mu b_{t-1} + (1 - \tau) g_t`.

    optax has no dampening, and ``chain(scale(1 - dampening), trace(decay))`` would also damp the first gradient.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """

    def update(g, p, t, b):
        b = decay * b + where(as_array(t) == 1, 1.0, 1.0 - dampening) * g
        return b, b

    return per_parameter(update, momentum_buffer=0)
