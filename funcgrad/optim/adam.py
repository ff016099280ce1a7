from __future__ import annotations

import jax.numpy as jnp

from funcgrad.engine.state import state
from funcgrad.optim import _optax as ox
from funcgrad.optim.optimizer import Optimizer


class Adam(Optimizer):
    _numbers = ("lr", "beta1", "beta2", "eps")

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        super().__init__(params, dict(lr=lr, beta1=betas[0], beta2=betas[1], eps=eps))

    def _options(self, group):
        return {}

    def _states(self, group, params):
        for p in params:
            s = self.state[p]
            if not s:
                if state.capture is not None: state.capture.reusable = False
                s["exp_avg"] = p.new_zeros(p.shape)
                s["exp_avg_sq"] = p.new_zeros(p.shape)
        group["_t"] = group.get("_t", 0) + 1
        return [[self.state[p]["exp_avg"] for p in params], [self.state[p]["exp_avg_sq"] for p in params]], group["_t"]

    @staticmethod
    def _update(params, grads, states, step, h):
        m, v = states
        b1, b2 = h["beta1"], h["beta2"]
        m = [b1 * a + (1 - b1) * g for a, g in zip(m, grads)]
        v = [b2 * a + (1 - b2) * (g * g) for a, g in zip(v, grads)]
        c1 = 1 - b1**step
        c2 = 1 - b2**step
        lr = h["lr"] / c1
        c = 1 / c2
        new = [p - lr * (a / (jnp.sqrt(b * c) + h["eps"])) for p, a, b in zip(params, m, v)]
        return new, [m, v]
